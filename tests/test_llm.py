"""The language model as an agent, against a real server on loopback that answers like an endpoint does."""

import json
import math
import re
from dataclasses import replace

import numpy as np
import pytest
from arenas import configured
from endpoint import Endpoint, Refused, Said
from test_to_changes import code, fenced, told

from loop.agents.llm import providers
from loop.agents.llm.agent import GO_ON, LanguageModel, _joined
from loop.agents.llm.client import Limits, tokens
from loop.protocol import AgentError, State

QUICK = Limits(connect_s=1.0, idle_s=1.0, total_s=10.0, retries=1, pause_s=0.01)
GOOD = f"### evolve MeanRev\nnote: deeper -> better\n{fenced('MeanRev', 25)}"
BROKEN = "### evolve MeanRev\nnote: deeper\n```python\nclass MeanRev(IStrategy:\n    pass\n```\n"


@pytest.fixture(scope="module")
def state(tmp_path_factory):
    settings = configured(tmp_path_factory.mktemp("arena"))
    return State(
        settings, 3, {"MeanRev": code("MeanRev", 30), "Trend": code("Trend", 40)}, (), "", "", (), "", (), "", False
    )


def model(endpoint, context=32_000, limits=QUICK, **options):
    made = LanguageModel(providers.client(endpoint.url, "small", {}, context), limits=limits, **options)
    made.resume((), np.random.default_rng(0))
    return made


def sizes(endpoint):
    return [sum(tokens(message["content"]) for message in asked["messages"]) for asked in endpoint.requests]


def test_a_good_answer_becomes_a_proposal(state):
    with Endpoint(Said(GOOD + "### learnings\nDips revert.\n", usage=(5000, 400))) as endpoint:
        agent = model(endpoint, temperature=0.3, seed=11)
        proposal = agent.propose(state)
    assert told(proposal.changes) == ["evolve MeanRev 25: deeper -> better"]
    assert proposal.learnings == "Dips revert.\n"
    assert (proposal.usage.requests, proposal.usage.input_tokens, proposal.usage.output_tokens, proposal.usage.usd) == (
        1,
        5000,
        400,
        0.0,
    )
    assert (proposal.end, agent.name) == ("", "llm:small")
    assert (endpoint.requests[0]["temperature"], endpoint.requests[0]["seed"]) == (0.3, 11)


def test_the_record_is_json_and_holds_what_was_sent_and_said(state):
    with Endpoint(Said(BROKEN), Said(GOOD)) as endpoint:
        proposal = model(endpoint, seed=11).propose(state)
    record = json.loads(json.dumps(proposal.record, allow_nan=False))
    assert [asked["messages"] for asked in record["requests"]] == [asked["messages"] for asked in endpoint.requests]
    assert [asked["text"] for asked in record["requests"]] == [BROKEN, GOOD]
    assert [len(asked["problems"]) for asked in record["requests"]] == [1, 0]
    first = record["requests"][0]
    assert (first["finish"], first["model"], first["fingerprint"], first["input_tokens"]) == (
        "stop",
        "small-2025",
        "fp_test",
        1000,
    )
    assert (first["sent"]["seed"], record["model"], record["url"]) == (11, "small", endpoint.url)
    assert set(record["versions"]) == {"python", "openai", "genai-prices", "httpx2"}


def test_no_key_reaches_the_record(state):
    with Endpoint(Said(GOOD)) as endpoint:
        agent = LanguageModel(providers.client(endpoint.url, "small", {"LLM_API_KEY": "sk-secret"}), limits=QUICK)
        proposal = agent.propose(state)
    assert endpoint.headers[0]["authorization"] == "Bearer sk-secret"
    assert "sk-secret" not in json.dumps(proposal.record)


@pytest.mark.parametrize("bad", [BROKEN, "I would wait.", "", "<think>nothing but thought</think>"])
def test_what_is_wrong_is_told_in_the_same_conversation_and_mended(bad, state):
    with Endpoint(Said(bad), Said(GOOD)) as endpoint:
        proposal = model(endpoint).propose(state)
    assert told(proposal.changes) == ["evolve MeanRev 25: deeper -> better"]
    first, second = (asked["messages"] for asked in endpoint.requests)
    assert second[:2] == first
    assert [message["role"] for message in second[2:]] == ["assistant", "user"]
    assert proposal.record["requests"][0]["problems"][0] in second[3]["content"]
    assert proposal.usage.requests == 2


def test_after_two_refusals_the_round_is_given_up_and_its_cost_is_told(state):
    with (
        Endpoint(Said(BROKEN, usage=(2000, 50))) as endpoint,
        pytest.raises(AgentError, match=r"small gave no usable answer in 3 tries: .*SyntaxError") as caught,
    ):
        model(endpoint).propose(state)
    assert len(endpoint.requests) == 3
    assert (caught.value.usage.requests, caught.value.usage.input_tokens, caught.value.final) == (3, 6000, False)
    assert len(caught.value.record["requests"]) == 3
    assert "SyntaxError" in caught.value.record["error"]


def test_what_the_loop_refused_is_told_in_the_same_conversation_too(state):
    with Endpoint(Said(GOOD)) as endpoint:
        agent = model(endpoint)
        agent.propose(state)
        agent.propose(replace(state, problems=("MeanRev: that source was tried in round 1",)))
        agent.propose(replace(state, round=4, problems=("an old problem",)))
    again, other = endpoint.requests[1]["messages"], endpoint.requests[2]["messages"]
    assert [message["role"] for message in again] == ["system", "user", "assistant", "user"]
    assert again[2]["content"] == GOOD.strip()
    assert "that source was tried in round 1" in again[3]["content"]
    assert len(other) == 2  # another round has forgotten the answer, not the problem
    assert "an old problem" in other[1]["content"]


def test_an_answer_that_reached_its_length_is_gone_on_with(state):
    cut = len(GOOD) - 150
    with Endpoint(Said(GOOD[:cut], finish="length"), Said(GOOD[cut:])) as endpoint:
        proposal = model(endpoint).propose(state)
    assert told(proposal.changes) == ["evolve MeanRev 25: deeper -> better"]
    assert proposal.changes[0].source == code("MeanRev", 25)
    assert [message["content"] for message in endpoint.requests[1]["messages"][2:]] == [GOOD[:cut].strip(), GO_ON]


def test_an_answer_without_end_has_to_be_shorter(state):
    with Endpoint(*[Said("x" * 100, finish="length", usage=(1000, 77))] * 3, Said(GOOD)) as endpoint:
        proposal = model(endpoint).propose(state)
    assert told(proposal.changes) == ["evolve MeanRev 25: deeper -> better"]
    assert "the answer was cut off at 77 tokens. Be shorter" in endpoint.requests[3]["messages"][-1]["content"]


def test_whole_looking_code_that_was_cut_off_is_not_used(state):
    """It may lack its exits: nothing but the finish_reason shows that."""
    cut = GOOD[: GOOD.index("    def populate_exit_trend")]
    with Endpoint(Said(cut, finish="length")) as endpoint, pytest.raises(AgentError, match="was cut off"):
        model(endpoint, limits=replace(QUICK, mends=0, continuations=0)).propose(state)


def test_thinking_that_fills_the_answer_is_not_gone_on_with(state):
    for thought in (Said("<think>" + "hm " * 50, finish="length"), Said("", finish="length", thinking="hm " * 50)):
        with Endpoint(thought, Said(GOOD)) as endpoint:
            model(endpoint).propose(state)
        said = endpoint.requests[1]["messages"]
        assert said[2]["content"] == "(nothing)"
        assert "Be shorter" in said[3]["content"]


def test_a_refusal_of_the_content_is_told(state):
    with (
        Endpoint(Said("", finish="content_filter")) as endpoint,
        pytest.raises(AgentError, match="its finish_reason is content_filter"),
    ):
        model(endpoint, limits=replace(QUICK, mends=0)).propose(state)


def test_an_answer_of_two_megabytes_is_cut_off_and_its_repetition_stays_small(state):
    with Endpoint(Said("word " * 400_000, piece=100_000), Said(GOOD)) as endpoint:
        proposal = model(endpoint, context=16_000).propose(state)
    assert told(proposal.changes) == ["evolve MeanRev 25: deeper -> better"]
    assert proposal.record["requests"][0]["finish"] == "long"
    assert sizes(endpoint)[1] < 16_000


def test_the_prompt_fits_what_the_model_reads(state):
    long = replace(state, learnings="a finding\n" * 2000, blocks="---\nstrategy: MeanRev\n" + "other: 1\n" * 2000)
    for context in (6000, 12_000, 100_000):
        with Endpoint(Said(GOOD)) as endpoint:
            model(endpoint, context=context).propose(long)
        assert sizes(endpoint)[0] + endpoint.requests[0]["max_tokens"] <= context


def reads(context, message):
    """An endpoint whose model reads `context` tokens, prompt and answer together, and says so in these words."""

    def play(asked):
        needed = sum(tokens(message["content"]) for message in asked["messages"]) + asked["max_tokens"]
        return Refused(400, message, code="context_length_exceeded") if needed > context else Said(GOOD)

    return play


@pytest.mark.parametrize(
    ("message", "most"),
    [
        ("This model's maximum context length is 4000 tokens.", 2),
        ("Your input exceeds the context window of this model.", 9),
    ],
)
def test_a_smaller_context_than_was_thought_is_found_out_and_kept_in_mind(message, most, state):
    with Endpoint(reads(4000, message)) as endpoint:
        agent = model(endpoint, context=32_000)
        first = agent.propose(state)
        asked = len(endpoint.requests)
        agent.propose(replace(state, round=4))
    assert told(first.changes) == ["evolve MeanRev 25: deeper -> better"]
    assert first.record["shrunk"][0]["said"].endswith(message)
    assert 2 <= asked <= most
    assert len(endpoint.requests) == asked + 1


def test_a_context_that_holds_no_prompt_ends_it(state):
    with (
        Endpoint(reads(600, "maximum context length is 600 tokens")) as endpoint,
        pytest.raises(AgentError, match="the shortest prompt has about") as caught,
    ):
        model(endpoint).propose(state)
    assert caught.value.final
    with Endpoint(Refused(400, "the prompt is too long")) as endpoint, pytest.raises(AgentError) as caught:
        model(endpoint).propose(state)
    assert caught.value.final


def test_a_prompt_that_the_endpoint_seems_to_have_cut_is_noted(state):
    with Endpoint(Said(GOOD, usage=(300, 10))) as endpoint:
        assert "it may have cut the prompt off" in model(endpoint).propose(state).record["requests"][0]["warning"]
    with Endpoint(Said(GOOD, usage=(5000, 10))) as endpoint:
        assert "warning" not in model(endpoint).propose(state).record["requests"][0]


def test_a_refused_key_ends_it_and_a_broken_server_does_not(state):
    for play, final in ((Refused(401, "bad key"), True), (Refused(503, "busy"), False)):
        with Endpoint(play) as endpoint, pytest.raises(AgentError) as caught:
            model(endpoint, limits=replace(QUICK, retries=0)).propose(state)
        assert caught.value.final is final
        assert caught.value.record["requests"] == []


def test_an_unknown_price_is_nan_in_the_usage_and_null_in_the_record(state):
    with Endpoint(Said(GOOD)) as endpoint:
        priced = replace(providers.client(endpoint.url, "of-tomorrow", {}), prices="openai", free=False)
        proposal = LanguageModel(priced, limits=QUICK).propose(state)
    assert math.isnan(proposal.usage.usd)
    assert proposal.record["requests"][0]["usd"] is None


def test_a_model_reads_the_prompt_and_answers_it(state):
    """No canned text: this one finds the threshold of MeanRev in what it was told, and lowers it."""

    def play(asked):
        source = re.search(
            r"^MeanRev\.py:\n```python\n(.*?)\n```$", asked["messages"][1]["content"], re.DOTALL | re.MULTILINE
        )[1]
        return Said(
            "### evolve MeanRev\nnote: deeper\n```python\n"
            + re.sub(r'("rsi"\] < )(\d+)', lambda m: f"{m[1]}{int(m[2]) - 3}", source)
            + "\n```"
        )

    with Endpoint(play) as endpoint:
        assert told(model(endpoint).propose(state).changes) == ["evolve MeanRev 27: deeper"]


def test_parts_of_an_answer_join_where_they_were_cut():
    assert _joined("", "abc") == "abc"
    assert _joined("```python\nx = 1", "2\n```") == "```python\nx = 12\n```"
    assert _joined("```python\nx = 1\n", "```python\ny = 2\n```") == "```python\nx = 1\ny = 2\n```"
    assert _joined("```python\nx = 1\n", "```\n### kill A") == "```python\nx = 1\n```\n### kill A"
