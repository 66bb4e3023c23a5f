"""
Streams one answer of one endpoint: time-outs, retries, what a refusal means, what it used.

The openai package connects, retries what may be retried (429 after its Retry-After, 5xx, a refused or broken
connection), and backs off with jitter. It does not repeat a stream that breaks off, watches no total time, and treats
every 400 alike. This module does that.
"""

import json
import re
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import httpx2
import numpy as np
import openai

from loop.agents.llm.providers import Endpoint, usd
from loop.protocol import AgentError

Message = dict[str, str]
BYTES_PER_TOKEN = 3
"""
UTF-8 bytes. English has about four, code and columns of figures about three, so this counts prose a little too high,
which is safe.
"""
OPTIONAL = ("seed", "temperature", "stream_options", "max_tokens")
"""Parameters that some models refuse; they are then left out, and the record says so."""
MAX_PAUSE_S = 30.0
_OVERFLOW = re.compile(
    r"context[ _]?(length|window|size)|maximum context|too many (input )?tokens|prompt is too long|input is too "
    r"long|exceeds? the (available|maximum)"
    r"|n_ctx|max_model_len|reduce the length|input token count",
    re.IGNORECASE,
)
_LIMITS = re.compile(
    r"(?:(?:context (?:length|window|size)|limit|maximum|tokens "
    r"allowed|max_model_len|n_ctx)\D{0,24}?(\d{3,8}))|(?:(\d{3,8}) ?(?:tokens )?(?:maximum|limit))",
    re.IGNORECASE,
)
_UNSUPPORTED = re.compile(
    r"support|unknown|unrecogni[sz]ed|unexpected|not permitted|not allowed|deprecated|extra inputs|invalid|valid "
    r"range|too large|maximum allowed",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class Limits:
    """How long and how much, in seconds, tokens and characters."""

    connect_s: float = 10.0
    # between two pieces of an answer, and before the first: a small machine reads a prompt slowly
    idle_s: float = 300.0
    total_s: float = 1800.0  # for one answer with all its retries; a pause that has begun is finished
    retries: int = 4
    pause_s: float = 1.0  # before an answer that broke off is asked for again; doubled each time, with jitter
    answer_tokens: int = 16_000  # thinking included; never more than a third of the context
    answer_chars: int = 400_000  # a longer answer is cut off
    mends: int = 2  # how often in a round the model is told what is wrong with its answer
    continuations: int = 2  # how often in a round it may go on with an answer that reached its length


@dataclass(frozen=True, slots=True)
class Reply:
    """One answer as received."""

    text: str
    thinking: str = ""  # where the endpoint sends it apart
    finish: str = ""  # finish_reason; "long" when answer_chars was reached, empty when the stream ended without one
    model: str = ""  # as the endpoint names it
    fingerprint: str = ""
    input_tokens: int = 0
    cached_tokens: int = 0  # of the input
    output_tokens: int = 0
    estimated: bool = False  # the endpoint reported no usage
    usd: float = 0.0  # nan: unknown; of answers that broke off it is not counted
    seconds: float = 0.0
    sent: dict[str, Any] = field(default_factory=dict)  # parameters besides the messages
    troubles: tuple[str, ...] = ()  # what was tried again or left out, and why


class ContextExceeded(Exception):
    """
    The prompt is longer than the model reads. `limit` is the context in tokens if the endpoint stated it, else None.
    """

    def __init__(self, message: str, limit: int | None) -> None:
        super().__init__(message)
        self.limit = limit


class _Overdue(openai.OpenAIError):
    """The answer took longer than total_s. The openai package passes its own errors on without another try."""


class _BrokeOff(Exception):
    """A stream ended before the answer did; another try may have it whole."""


def tokens(text: str) -> int:
    """Estimates the tokens in a text from its length: no tokeniser for every model is available offline."""
    return -(-len(text.encode("utf-8", "replace")) // BYTES_PER_TOKEN)


def clean(text: str) -> str:
    """Returns the text as valid UTF-8: half a surrogate pair becomes a question mark."""
    return text.encode("utf-8", "replace").decode()


class Line:
    """The connection to one endpoint. Not to be used by two threads."""

    def __init__(self, endpoint: Endpoint, limits: Limits, rng: np.random.Generator) -> None:
        self.endpoint, self.limits, self.rng = endpoint, limits, rng
        self._deadline = float("inf")
        self._refused: dict[str, str] = {}  # parameters that the model does not take, and why
        timeout = httpx2.Timeout(limits.idle_s, connect=limits.connect_s)
        web = openai.DefaultHttpx2Client(
            timeout=timeout,
            trust_env=not endpoint.local,
            event_hooks={"request": [self._on_request], "response": [self._on_response]},
        )
        self._openai = openai.OpenAI(
            api_key=endpoint.key, base_url=endpoint.url, timeout=timeout, max_retries=limits.retries, http_client=web
        )
        # OpenAI's own variables name an account there, which other providers must not see
        if endpoint.provider != "openai":
            self._openai.organization = self._openai.project = None

    def close(self) -> None:
        self._openai.close()

    def ask(self, messages: list[Message], parameters: dict[str, Any]) -> Reply:
        """
        Returns the answer to `messages`; `parameters` are temperature, seed and max_tokens.

        Raises ContextExceeded, and AgentError for what another try cannot repair, or did not within limits.retries.
        """
        started = time.monotonic()
        self._deadline = started + self.limits.total_s
        messages = [{name: clean(text) for name, text in message.items()} for message in messages]
        troubles: list[str] = []
        tries = 0
        while True:
            sent = self._parameters(parameters)
            try:
                return self._stream(messages, sent, troubles, started, last=tries == self.limits.retries)
            except _BrokeOff as error:
                troubles.append(str(error))
                if tries == self.limits.retries:
                    raise AgentError(f"{self.endpoint.url}: {error}, {tries + 1} times") from None
                tries += 1
                pause = min(self.limits.pause_s * 2 ** (tries - 1), MAX_PAUSE_S) * self.rng.uniform(0.75, 1.25)
                time.sleep(max(0.0, min(pause, self._deadline - time.monotonic())))
            except _Overdue:
                raise AgentError(f"{self.endpoint.url}: no whole answer within {self.limits.total_s:g} s") from None
            except openai.APIStatusError as error:
                refused = _refused_parameter(error, sent)
                if refused is None:
                    raise _explained(error, self.endpoint) from None
                self._refused[refused] = f"{refused} is left out: {_short(error)}"
            except openai.APIConnectionError as error:
                raise AgentError(
                    f"{self.endpoint.url} does not answer: {_cause(error)}. Is it running, and is the address right?"
                ) from None

    def _parameters(self, wanted: dict[str, Any]) -> dict[str, Any]:
        sent = {"model": self.endpoint.model, **wanted, "stream": True, "stream_options": {"include_usage": True}}
        sent = {name: value for name, value in sent.items() if name not in self._refused and value is not None}
        if "max_tokens" in self._refused and "max_completion_tokens" not in self._refused and "max_tokens" in wanted:
            sent["max_completion_tokens"] = wanted["max_tokens"]  # the name that OpenAI's reasoning models require
        return sent

    def _stream(
        self, messages: list[Message], sent: dict[str, Any], troubles: list[str], started: float, *, last: bool
    ) -> Reply:
        heard = _Heard()
        create: Any = self._openai.chat.completions.create  # which of its forms, says `stream` in `sent`
        with create(messages=messages, **sent) as stream:
            for chunk in _chunks(stream):
                heard.add(chunk)
                if len(heard) > self.limits.answer_chars:
                    heard.finish = "long"
                    break
        if not heard.finish and not last:
            raise _BrokeOff("the answer ended without finish_reason")
        text, thinking = (clean("".join(parts)) for parts in (heard.text, heard.thinking))
        inputs, outputs, cached = heard.usage or (
            sum(tokens(m["content"]) for m in messages),
            tokens(text + thinking),
            0,
        )
        return Reply(
            text=text,
            thinking=thinking,
            finish=heard.finish,
            model=heard.model,
            fingerprint=heard.fingerprint,
            input_tokens=inputs,
            cached_tokens=cached,
            output_tokens=outputs,
            estimated=heard.usage is None,
            usd=usd(self.endpoint, inputs, outputs, cached),
            seconds=time.monotonic() - started,
            sent=sent,
            troubles=(*troubles, *self._refused.values()),
        )

    def _on_request(self, request: httpx2.Request) -> None:
        if time.monotonic() > self._deadline:
            raise _Overdue

    def _on_response(self, response: httpx2.Response) -> None:
        response.stream = _Watched(response.stream, self._on_request)


class _Watched(httpx2.SyncByteStream):
    """
    Passes a response's bytes on while time is left. Signs of life without text, such as comments, do not extend it.
    """

    def __init__(self, stream: Any, check: Callable[[Any], None]) -> None:
        self._stream, self._check = stream, check

    def __iter__(self) -> Iterator[bytes]:
        for piece in self._stream:
            self._check(None)
            yield piece

    def close(self) -> None:
        self._stream.close()


class _Heard:
    """Adds up the chunks of a stream, in which endpoints may omit any field."""

    def __init__(self) -> None:
        self.text: list[str] = []
        self.thinking: list[str] = []
        self.finish = self.model = self.fingerprint = ""
        self.usage: tuple[int, int, int] | None = None
        self._size = 0

    def __len__(self) -> int:
        return self._size

    def add(self, chunk: Any) -> None:
        self.model = chunk.model or self.model
        self.fingerprint = getattr(chunk, "system_fingerprint", None) or self.fingerprint
        if chunk.usage is not None and chunk.usage.prompt_tokens:
            details = getattr(chunk.usage, "prompt_tokens_details", None)
            cached = getattr(details, "cached_tokens", None) or 0
            self.usage = chunk.usage.prompt_tokens, chunk.usage.completion_tokens or 0, cached
        for choice in (chunk.choices or [])[:1]:
            self.finish = choice.finish_reason or self.finish
            delta = choice.delta
            text = getattr(delta, "content", None) or ""
            thinking = getattr(delta, "reasoning_content", None) or getattr(delta, "reasoning", None) or ""
            self.text.append(text)
            self.thinking.append(thinking if isinstance(thinking, str) else "")
            self._size += len(text) + len(self.thinking[-1])


def _chunks(stream: openai.Stream[Any]) -> Iterator[Any]:
    """Yields the stream's chunks, and separates errors that another try may repair from the rest."""
    try:
        yield from stream
    except openai.APIStatusError:
        raise
    except openai.APITimeoutError:
        raise _BrokeOff("the answer came to a halt") from None
    except openai.APIConnectionError:
        raise _BrokeOff("the answer broke off") from None
    except openai.APIError as error:  # an error in the middle of the stream
        if _OVERFLOW.search(error.message):
            raise ContextExceeded(_short(error), _limit(error.message)) from None
        raise _BrokeOff(f"the answer broke off: {_short(error)}") from None
    except json.JSONDecodeError:
        raise _BrokeOff("the stream held what is no JSON") from None


def _explained(error: openai.APIStatusError, endpoint: Endpoint) -> Exception:
    """Returns an AgentError or a ContextExceeded that says what a refusal means."""
    message, where = _short(error), endpoint.url
    if (
        error.status_code == 413
        or error.status_code in (400, 422, 500)
        and _OVERFLOW.search(f"{error.code} {error.message}")
    ):
        return ContextExceeded(message, _limit(error.message))
    if error.status_code in (401, 403):
        return AgentError(f"{where} refuses the key of {endpoint.provider}: {message}", final=True)
    if error.status_code == 404:
        return AgentError(
            f"{where} knows no model {endpoint.model!r}, or is no address of an endpoint: {message}", final=True
        )
    if error.status_code == 429:
        wait = error.response.headers.get("retry-after")
        return AgentError(f"{where} takes no more requests now{f', it says for {wait} s' if wait else ''}: {message}")
    if error.status_code >= 500:
        return AgentError(f"{where} fails: {message}")
    return AgentError(f"{where} refuses the request: {message}", final=True)


def _refused_parameter(error: openai.APIStatusError, sent: dict[str, Any]) -> str | None:
    """Returns an optional parameter that the endpoint refuses; None if it complains about something else."""
    if error.status_code not in (400, 422) or _OVERFLOW.search(f"{error.code} {error.message}"):
        return None
    names = [name for name in (*OPTIONAL, "max_completion_tokens") if name in sent]
    if error.param in names:
        return error.param
    if not _UNSUPPORTED.search(f"{error.code} {error.message}"):
        return None
    return next((name for name in names if re.search(rf"\b{name}\b", error.message)), None)


def _limit(message: str) -> int | None:
    """Returns the context in tokens that a message states: the smallest of the figures that look like a limit."""
    limits = [int(a or b) for a, b in _LIMITS.findall(message.replace(",", ""))]
    return min(limits) if limits else None


def _short(error: openai.APIError) -> str:
    """Returns the endpoint's message in one line."""
    body = error.body if isinstance(error.body, dict) else {}
    text = str(body.get("message") or error.message)
    line = " ".join("".join(c if c.isprintable() else " " for c in text).split())
    status = (
        f"{error.status_code} "
        if isinstance(error, openai.APIStatusError) and not line.startswith("Error code")
        else ""
    )
    return status + (line if len(line) <= 300 else line[:299] + "…")


def _cause(error: openai.APIConnectionError) -> str:
    if isinstance(error, openai.APITimeoutError):
        return "it took too long"
    return " ".join(str(error.__cause__ or error.message).split())[:200] or "the connection broke"
