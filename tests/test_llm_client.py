"""
One answer of an endpoint: what is tried again, what is not, what it costs. The endpoint is a real server on loopback.
"""

import math
import socket
from dataclasses import replace

import numpy as np
import pytest
from arenas import sampled
from endpoint import Endpoint, Hung, Refused, Said

from loop.agents.llm import providers
from loop.agents.llm.client import ContextExceeded, Limits, Line, tokens
from loop.protocol import AgentError

QUICK = Limits(connect_s=1.0, idle_s=0.4, total_s=5.0, retries=1, pause_s=0.01)
ASKED = [{"role": "user", "content": "Propose."}]
WHOLE = "### kill Trend\nnote: it lives from one window\n" * 10


def ask(endpoint, limits=QUICK, provider=None, **parameters):
    line = Line(providers.client(provider or endpoint.url, "small", {}), limits, np.random.default_rng(0))
    try:
        return line.ask(ASKED, parameters)
    finally:
        line.close()


def test_an_answer_is_put_together_from_its_pieces():
    with Endpoint(Said(WHOLE, thinking="hm", usage=(1200, 300))) as endpoint:
        reply = ask(endpoint, temperature=0.5, seed=7, max_tokens=99)
    assert (reply.text, reply.thinking, reply.finish) == (WHOLE, "hm", "stop")
    assert (reply.input_tokens, reply.output_tokens, reply.estimated) == (1200, 300, False)
    assert (reply.model, reply.fingerprint, reply.troubles) == ("small-2025", "fp_test", ())
    asked = endpoint.requests[0]
    assert {name: asked[name] for name in ("model", "temperature", "seed", "max_tokens", "messages")} == {
        "model": "small", "temperature": 0.5, "seed": 7, "max_tokens": 99, "messages": ASKED,
    }  # fmt: skip


def test_usage_that_is_not_told_is_estimated_and_marked():
    with Endpoint(Said(WHOLE, usage=None)) as endpoint:
        reply = ask(endpoint)
    assert reply.estimated
    assert (reply.input_tokens, reply.output_tokens) == (tokens("Propose."), tokens(WHOLE))


def test_a_local_endpoint_costs_nothing_and_an_unknown_model_has_no_price():
    with Endpoint(Said(WHOLE)) as endpoint:
        assert ask(endpoint).usd == 0.0
    elsewhere = providers.client("https://llm.example/v1", "small", {})
    assert math.isnan(providers.usd(elsewhere, 1000, 100))


@pytest.mark.parametrize(
    "cut",
    [
        Said(WHOLE, cut_after=3),
        Said(WHOLE, halt_after=3),
        Said(WHOLE, finish=None),
        Said(WHOLE, fault_after=(2, "busy")),
    ],
)
def test_an_answer_that_breaks_off_is_asked_for_again(cut):
    with Endpoint(cut, Said(WHOLE)) as endpoint:
        reply = ask(endpoint)
    assert (reply.text, reply.finish) == (WHOLE, "stop")
    assert len(endpoint.requests) == 2
    assert len(reply.troubles) == 1


@pytest.mark.parametrize(
    ("play", "said"),
    [
        (Said(WHOLE, cut_after=3), "the answer broke off"),
        pytest.param(Said(WHOLE, halt_after=3), "came to a halt", marks=pytest.mark.slow),
        (Said(WHOLE, fault_after=(2, "busy")), "busy"),
    ],
)
def test_an_answer_that_always_breaks_off_is_given_up(play, said):
    with Endpoint(play) as endpoint, pytest.raises(AgentError, match=rf"{said}.*, 3 times") as caught:
        ask(endpoint, replace(QUICK, retries=2))
    assert len(endpoint.requests) == 3
    assert not caught.value.final


def test_pauses_double_and_are_spread(monkeypatch):
    pauses = []
    monkeypatch.setattr("loop.agents.llm.client.time.sleep", pauses.append)
    for seed in (1, 2):
        with Endpoint(Said(WHOLE, cut_after=1)) as endpoint:
            line = Line(
                providers.client(endpoint.url, "small", {}),
                replace(QUICK, retries=3, pause_s=0.1),
                np.random.default_rng(seed),
            )
            with pytest.raises(AgentError):
                line.ask(ASKED, {})
            line.close()
    for number, pause in enumerate(pauses[:3]):
        assert 0.75 <= pause / (0.1 * 2**number) <= 1.25
    assert len(pauses) == 6
    assert len(set(pauses)) == 6


def test_no_proxy_stands_before_what_is_on_this_machine(monkeypatch):
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")
    with Endpoint(Said(WHOLE)) as endpoint:
        assert ask(endpoint, replace(QUICK, retries=0)).text == WHOLE


def test_an_account_at_one_provider_is_not_told_to_another(monkeypatch):
    monkeypatch.setenv("OPENAI_API_KEY", "sk-openai")
    monkeypatch.setenv("OPENAI_ORG_ID", "org-mine")
    monkeypatch.setenv("OPENAI_PROJECT_ID", "project-mine")
    with Endpoint(Said(WHOLE)) as endpoint:
        ask(endpoint)
    assert not [name for name, value in endpoint.headers[0].items() if "mine" in value or "sk-openai" in value]


def test_an_answer_without_finish_reason_is_taken_in_the_end():
    """Some servers never send one."""
    with Endpoint(Said(WHOLE, finish=None)) as endpoint:
        reply = ask(endpoint)
    assert (reply.text, reply.finish) == (WHOLE, "")


def test_too_many_requests_are_repeated_when_the_endpoint_says():
    with Endpoint(Refused(429, headers={"Retry-After": "0.2"}), Said(WHOLE)) as endpoint:
        assert ask(endpoint).text == WHOLE
    assert 0.2 <= endpoint.times[1] - endpoint.times[0] < 0.45  # the package's own pause would be longer


FAULTS = {"500": Refused(500), "502": Refused(502, raw="<html>bad gateway</html>"), "503": Refused(503), "hung": Hung()}


@pytest.mark.parametrize("fault", sampled(FAULTS, {"502"}))
def test_a_fault_of_the_server_is_tried_again(fault):
    with Endpoint(FAULTS[fault], Said(WHOLE)) as endpoint:
        assert ask(endpoint).text == WHOLE
    assert len(endpoint.requests) == 2


@pytest.mark.parametrize(
    ("play", "said", "final"),
    [
        (
            Refused(429, "slow down", headers={"Retry-After": "3600"}),
            r"takes no more requests now, it says for 3600 s: 429 slow down",
            False,
        ),
        (Refused(500, "broken"), r"fails: 500 broken", False),
        (Refused(401, "bad key"), r"refuses the key of http.*: 401 bad key", True),
        (Refused(403, "no access"), r"refuses the key .*no access", True),
        (
            Refused(404, "model not found"),
            r"knows no model 'small', or is no address of an endpoint: 404 model not found",
            True,
        ),
        (Refused(400, "messages must alternate"), r"refuses the request: 400 messages must alternate", True),
    ],
)
def test_what_no_try_mends_is_told_with_what_the_endpoint_said(play, said, final):
    with Endpoint(play) as endpoint, pytest.raises(AgentError, match=said) as caught:
        ask(endpoint)
    assert caught.value.final is final
    assert len(endpoint.requests) == (2 if play.status == 500 else 1)


def test_a_refused_connection_is_told_with_the_address():
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{unused.getsockname()[1]}/v1"
    with pytest.raises(AgentError, match=rf"{url} does not answer: .*refused.*Is it running"):
        ask(None, replace(QUICK, retries=0), provider=url)


@pytest.mark.parametrize("play", [Said(WHOLE, pause_s=0.1), Said(WHOLE, comments_s=3)])
def test_the_time_for_an_answer_ends_however_many_pieces_or_signs_of_life_come(play):
    with Endpoint(play) as endpoint, pytest.raises(AgentError, match=r"no whole answer within 0\.5 s"):
        ask(endpoint, replace(QUICK, total_s=0.5))
    assert len(endpoint.requests) == 1


def test_an_answer_beyond_its_characters_is_cut_off():
    with Endpoint(Said("x" * 2_000_000, piece=50_000)) as endpoint:
        reply = ask(endpoint, replace(QUICK, answer_chars=100_000))
    assert reply.finish == "long"
    assert 100_000 < len(reply.text) <= 150_000


@pytest.mark.parametrize(
    ("message", "limit"),
    [
        (
            "This model's maximum context length is 4097 tokens. However, you requested 5000 tokens (4000 in the "
            "messages, 1000 in the completion).",
            4097,
        ),
        ("the request exceeds the available context size (2048 tokens), try increasing it", 2048),
        ("this server's maximum context length is 8192 tokens, the model itself has a context window of 131072", 8192),
        ("prompt is too long: 213462 tokens > 200000 maximum", 200_000),
        ("The input token count (1196265) exceeds the maximum number of tokens allowed (1048575).", 1_048_575),
        (
            "'max_tokens' or 'max_completion_tokens' is too large: 16000. This model's maximum context length is 4,096 "
            "tokens",
            4096,
        ),
        ("Your input exceeds the context window of this model. Please adjust your input and try again.", None),
    ],
)
@pytest.mark.parametrize("streamed", [False, True])
def test_an_exceeded_context_is_told_with_its_limit(message, limit, streamed):
    play = Said("", fault_after=(0, message)) if streamed else Refused(400, message, code="invalid_request_error")
    with Endpoint(play) as endpoint, pytest.raises(ContextExceeded) as caught:
        ask(endpoint, max_tokens=16_000)
    assert caught.value.limit == limit
    assert len(endpoint.requests) == 1


@pytest.mark.parametrize(
    ("message", "param", "gone"),
    [
        (
            "Unsupported value: 'temperature' does not support 0.8 with this model. Only the default (1) value is "
            "supported.",
            "temperature",
            "temperature",
        ),
        ("Unrecognized request argument supplied: seed", None, "seed"),
        ("stream_options: Extra inputs are not permitted", None, "stream_options"),
        ("Invalid max_tokens value, the valid range of max_tokens is [1, 8192]", None, "max_tokens"),
    ],
)
def test_a_parameter_that_the_model_does_not_take_is_left_out_and_recorded(message, param, gone):
    with Endpoint(Refused(400, message, param=param), Said(WHOLE)) as endpoint:
        reply = ask(endpoint, temperature=0.8, seed=1, max_tokens=16_000)
    first, second = endpoint.requests
    assert gone in first
    assert gone not in second
    assert gone not in reply.sent
    assert len(reply.troubles) == 1
    assert reply.troubles[0].startswith(f"{gone} is left out: 400 ")
    if gone == "max_tokens":
        assert second["max_completion_tokens"] == 16_000


def test_half_a_surrogate_pair_neither_stops_a_request_nor_comes_out_of_an_answer():
    with Endpoint(Said("dips \ud83d revert")) as endpoint:
        line = Line(providers.client(endpoint.url, "small", {}), QUICK, np.random.default_rng(0))
        reply = line.ask([{"role": "user", "content": "what \ud83d is"}], {})
        line.close()
    assert endpoint.requests[0]["messages"][0]["content"] == "what ? is"
    assert reply.text.encode()
