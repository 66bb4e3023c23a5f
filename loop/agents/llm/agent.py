"""
An agent that is a language model behind any endpoint that speaks OpenAI's protocol.

A round is one conversation: the prompt, the answer, and, if the answer cannot be used, what is wrong with it, at most
`Limits.mends` times. The record holds everything that was sent and received, so that the round can be read again. It
cannot guarantee the same answer again: most endpoints take a seed as a hint, and some not at all.
"""

import math
import platform
from dataclasses import asdict
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np

from loop.agents.llm import answer, prompt, to_changes
from loop.agents.llm.client import ContextExceeded, Limits, Line, Message, Reply, tokens
from loop.agents.llm.prompt import PromptTooLong
from loop.agents.llm.providers import Endpoint
from loop.protocol import AgentError, Proposal, State, Tried, Usage

REPOSITORY = Path(__file__).resolve().parents[3]
PACKAGES = ("openai", "genai-prices", "httpx2")
MARGIN = 64
"""Most tokens that a chat template adds around the messages."""
SHRINK = 0.75
"""Fraction of the context that is kept when the endpoint says that it is exceeded, but not by how much."""
LEAST_CONTEXT = 512

GO_ON = (
    "Your answer reached its length. Go on exactly where it stopped, with the next character, without repeating "
    "anything."
)
TOO_LONG = "the answer was cut off at {} tokens. Be shorter: fewer strategies, less thinking, no prose."


class LanguageModel:
    """Implements `loop.protocol.Agent`. One connection; not to be used by two threads."""

    def __init__(
        self,
        endpoint: Endpoint,
        *,
        temperature: float | None = 0.8,
        seed: int | None = None,
        limits: Limits = Limits(),
        root: Path = REPOSITORY,
    ) -> None:
        """
        `temperature` and `seed` go to the endpoint as they are, None: its default. `root` holds program.md and the
        template.
        """
        self.name = f"llm:{endpoint.model}"
        self._endpoint, self._limits, self._seed, self._temperature = endpoint, limits, seed, temperature
        self._guide = prompt.guide(root)
        self._context = endpoint.context
        self._line = Line(endpoint, limits, np.random.default_rng(seed))
        self._last: tuple[int, list[Message]] = (0, [])  # round, and its last answer

    def resume(self, history: tuple[Tried, ...], rng: np.random.Generator) -> None:
        """Takes `rng` for the pauses between tries; every State brings the history."""
        self._line.rng = rng

    def propose(self, state: State) -> Proposal:
        """Like `Agent.propose`. An AgentError carries the usage and the record of the failed requests."""
        talk = _Talk(self._about())
        try:
            return self._propose(state, talk)
        except AgentError as error:
            talk.record["error"] = str(error)
            raise AgentError(str(error), usage=talk.usage, record=talk.record, final=error.final) from None

    def close(self) -> None:
        self._line.close()

    def _propose(self, state: State, talk: "_Talk") -> Proposal:
        number, previous = self._last
        if state.problems and number == state.round:
            talk.said = [*previous, {"role": "user", "content": _refusal(state.problems)}]
        for _ in range(self._limits.mends + 1):
            text, reply = self._answer(state, talk)
            settled = to_changes.settle(answer.read(text), state)
            problems = settled.problems
            if reply.finish in ("length", "long"):
                problems = (TOO_LONG.format(reply.output_tokens), *problems)
            elif not answer.spoken(text) and reply.finish not in ("", "stop"):
                problems = (f"the answer is empty, its finish_reason is {reply.finish}.",)
            talk.record["requests"][-1]["problems"] = list(problems)
            silent = reply.finish == "length" and answer.is_thinking(text)
            spoken = [{"role": "assistant", "content": "(nothing)" if silent else answer.spoken(text) or "(nothing)"}]
            self._last = state.round, spoken
            if not problems:
                return Proposal(settled.changes, settled.learnings, talk.usage, talk.record)
            talk.said = [*spoken, {"role": "user", "content": _refusal(problems)}]
        tries = self._limits.mends + 1
        raise AgentError(
            f"{self._endpoint.model} gave no usable answer in {tries} {'try' if tries == 1 else 'tries'}: "
            f"{' '.join(problems)}"
        )

    def _answer(self, state: State, talk: "_Talk") -> tuple[str, Reply]:
        """Returns one whole answer; continues one that reached its length, as often as the limits allow in a round."""
        text = ""
        tail: list[Message] = []
        while True:
            reply = self._ask(state, talk, tail)
            text = _joined(text, reply.text)
            silent = answer.is_thinking(text) or not answer.spoken(text)
            if reply.finish != "length" or silent or talk.continued == self._limits.continuations:
                return text, reply
            talk.continued += 1
            tail = [{"role": "assistant", "content": answer.spoken(text)}, {"role": "user", "content": GO_ON}]

    def _ask(self, state: State, talk: "_Talk", tail: list[Message]) -> Reply:
        """
        Sends one request. If the endpoint says that its context is exceeded, sends less, until nothing can be left out.
        """
        while True:
            messages, shape, room = self._messages(state, [*talk.said, *tail])
            parameters = {"temperature": self._temperature, "seed": self._seed, "max_tokens": room}
            try:
                reply = self._line.ask(messages, parameters)
            except ContextExceeded as error:
                sent = sum(tokens(message["content"]) for message in messages) + room
                less = int(min(self._context, sent) * SHRINK)
                self._context = min(error.limit or less, less)
                talk.record["shrunk"].append({"said": str(error), "context": self._context})
                if self._context < LEAST_CONTEXT:
                    raise AgentError(
                        f"{self._endpoint.url} takes no prompt of even {LEAST_CONTEXT} tokens: {error}", final=True
                    ) from None
                continue
            talk.add(messages, shape, reply)
            return reply

    def _messages(self, state: State, dialogue: list[Message]) -> tuple[list[Message], prompt.Shape, int]:
        """Returns prompt and dialogue within the context, the prompt's shape, and the tokens left for the answer."""
        room = min(self._limits.answer_tokens, self._context // 3)
        free = self._context - room - MARGIN
        share = free // (3 * len(dialogue)) if dialogue else 0  # at most a third for the dialogue
        dialogue = [prompt.clipped(message, max(share, 16)) for message in dialogue]
        try:
            messages, shape = prompt.fitted(
                state, self._guide, free - sum(tokens(message["content"]) for message in dialogue)
            )
        except PromptTooLong as error:
            raise AgentError(
                f"the shortest prompt has about {error.needed} tokens, {self._endpoint.model} reads {self._context}, "
                f"the answer among them. "
                "Use a model, or a setting of its server, with a larger context.",
                final=True,
            ) from None
        return [*messages, *dialogue], shape, room

    def _about(self) -> dict[str, Any]:
        """Returns what all requests of a round have in common."""
        return {
            "provider": self._endpoint.provider,
            "url": self._endpoint.url,
            "model": self._endpoint.model,
            "temperature": self._temperature,
            "seed": self._seed,
            "limits": asdict(self._limits),
            "versions": {"python": platform.python_version(), **{name: version(name) for name in PACKAGES}},
            "shrunk": [],
            "requests": [],
        }


class _Talk:
    """The messages of a round and what they cost."""

    def __init__(self, record: dict[str, Any]) -> None:
        self.record = record
        self.said: list[Message] = []  # since the prompt
        self.usage = Usage()
        self.continued = 0

    def add(self, messages: list[Message], shape: prompt.Shape, reply: Reply) -> None:
        self.usage += Usage(1, reply.input_tokens, reply.output_tokens, reply.usd)
        fields = asdict(reply) | {"usd": None if math.isnan(reply.usd) else reply.usd, "troubles": list(reply.troubles)}
        self.record["requests"].append(
            {
                "messages": messages,
                "shape": asdict(shape) | {"sections": list(shape.sections)},
                **fields,
                "problems": [],
            }
        )
        expected = sum(tokens(message["content"]) for message in messages)
        if not reply.estimated and reply.input_tokens < expected // 3:
            self.record["requests"][-1]["warning"] = (
                f"the endpoint counted {reply.input_tokens} tokens of about {expected}: it may have cut the prompt "
                f"off. "
                "Ollama does so silently; OLLAMA_CONTEXT_LENGTH is its setting."
            )


def _refusal(problems: tuple[str, ...]) -> str:
    lines = "\n".join(f"- {problem}" for problem in problems)
    return (
        f"That cannot be used:\n{lines}\nSend the whole answer again, mended, in the format above: headings, "
        f"notes, "
        f"whole files."
    )


def _joined(before: str, after: str) -> str:
    """
    Joins two parts of one answer. Drops a repeated opening fence, which models often send when they go on inside a
    block.
    """
    if not before:
        return after
    lines = after.split("\n")
    fences = sum(line.lstrip().startswith("```") for line in before.split("\n"))
    if fences % 2 and lines[0].strip().startswith("```") and lines[0].strip() != "```":
        return before + ("" if before.endswith("\n") else "\n") + "\n".join(lines[1:])
    return before + after
