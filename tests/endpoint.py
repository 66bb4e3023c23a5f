"""
An endpoint that speaks OpenAI's chat protocol, on loopback: a real HTTP server that plays what a test writes down.

    with Endpoint(Said("### kill Trend"), Refused(429, headers={"Retry-After": "0.1"})) as endpoint:
        providers.client(endpoint.url, "any", {})

Each request takes the next of the plays, the last one again and again; `endpoint.requests` holds what was asked. A play
may be a function of the request, for a model that answers what it is asked.
"""

import json
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self


@dataclass(frozen=True)
class Said:
    """An answer, streamed in pieces of `piece` characters."""

    text: str
    finish: str | None = "stop"  # None: the stream ends without it
    usage: tuple[int, int] | None = (1000, 100)  # prompt and completion tokens; None: not told
    thinking: str = ""  # sent apart, as reasoning_content
    piece: int = 64
    pause_s: float = 0.0  # before each piece
    halt_after: int | None = None  # pieces; then silence, until the client has gone
    cut_after: int | None = None  # pieces; then the connection is closed in the middle of the stream
    fault_after: tuple[int, str] | None = None  # pieces; then an error in the stream, with this message
    comments_s: float = 0.0  # for so long nothing but signs of life comes before the first piece


@dataclass(frozen=True)
class Refused:
    """A status other than 200."""

    status: int
    message: str = "no"
    code: str | None = None
    param: str | None = None
    headers: dict[str, str] = field(default_factory=dict)
    raw: str | None = None  # a body that is no JSON


@dataclass(frozen=True)
class Hung:
    """Nothing at all: the connection is closed before any answer."""


Play = Said | Refused | Hung
Asked = dict[str, Any]


class Endpoint:
    """Serves from a thread of its own until it is left."""

    def __init__(self, *plays: Play | Callable[[Asked], Play]) -> None:
        self.requests: list[Asked] = []  # bodies
        self.headers: list[dict[str, str]] = []
        self.times: list[float] = []
        self._plays, self._lock = plays, threading.Lock()
        self._left = threading.Event()
        endpoint = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                endpoint._serve(self)

            def log_message(self, *_: Any) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}/v1"

    def __enter__(self) -> Self:
        threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._left.set()
        self._server.shutdown()
        self._server.server_close()

    def _serve(self, web: BaseHTTPRequestHandler) -> None:
        asked = json.loads(web.rfile.read(int(web.headers["Content-Length"])))
        with self._lock:
            play = self._plays[min(len(self.requests), len(self._plays) - 1)]
            self.requests.append(asked)
            self.headers.append({name.lower(): value for name, value in web.headers.items()})
            self.times.append(time.monotonic())
        play = play(asked) if callable(play) else play
        try:
            if web.path != "/v1/chat/completions":
                _refuse(web, Refused(404, f"no {web.path}"))
            elif isinstance(play, Hung):
                web.close_connection = True
            elif isinstance(play, Refused):
                _refuse(web, play)
            else:
                self._say(web, play, asked)
        except (BrokenPipeError, ConnectionResetError):
            web.close_connection = True  # the client has gone

    def _say(self, web: BaseHTTPRequestHandler, said: Said, asked: Asked) -> None:
        web.send_response(200)
        web.send_header("Content-Type", "text/event-stream")
        web.send_header("Transfer-Encoding", "chunked")
        web.end_headers()
        until = time.monotonic() + said.comments_s
        while time.monotonic() < until:
            _write(web, ": still here\n\n")
            time.sleep(0.02)
        thinking = [{"reasoning_content": said.thinking}] if said.thinking else []
        pieces = [{"content": said.text[at : at + said.piece]} for at in range(0, len(said.text), said.piece)]
        for number, delta in enumerate([{"role": "assistant", "content": ""}, *thinking, *pieces]):
            self._left.wait(said.pause_s)
            if number == said.cut_after:
                web.close_connection = True
                return
            if number == said.halt_after:
                self._left.wait(10)
                web.close_connection = True
                return
            if said.fault_after and number == said.fault_after[0]:
                _event(web, {"error": {"message": said.fault_after[1], "type": "server_error", "code": 500}})
                _write(web, "")
                return
            _event(web, _chunk(asked, [{"index": 0, "delta": delta, "finish_reason": None}]))
        if said.finish:
            _event(web, _chunk(asked, [{"index": 0, "delta": {}, "finish_reason": said.finish}]))
        if said.usage and asked.get("stream_options", {}).get("include_usage"):
            counts = dict(zip(("prompt_tokens", "completion_tokens"), said.usage, strict=True)) | {
                "total_tokens": sum(said.usage)
            }
            _event(web, _chunk(asked, []) | {"usage": counts})
        _write(web, "data: [DONE]\n\n")
        _write(web, "")


def _chunk(asked: Asked, choices: list[Asked]) -> Asked:
    return {
        "id": "chatcmpl-1", "object": "chat.completion.chunk", "created": 1_700_000_000,
        "model": asked["model"] + "-2025", "system_fingerprint": "fp_test", "choices": choices,
    }  # fmt: skip


def _event(web: BaseHTTPRequestHandler, value: Asked) -> None:
    _write(web, f"data: {json.dumps(value)}\n\n")


def _write(web: BaseHTTPRequestHandler, text: str) -> None:
    """One chunk of HTTP's chunked encoding; the empty one ends the body."""
    data = text.encode()
    web.wfile.write(b"%x\r\n%s\r\n" % (len(data), data))
    web.wfile.flush()


def _refuse(web: BaseHTTPRequestHandler, play: Refused) -> None:
    error = {"message": play.message, "type": "error", "code": play.code, "param": play.param}
    data = (play.raw if play.raw is not None else json.dumps({"error": error})).encode()
    web.send_response(play.status)
    for name, value in play.headers.items():
        web.send_header(name, value)
    web.send_header("Content-Type", "application/json" if play.raw is None else "text/html")
    web.send_header("Content-Length", str(len(data)))
    web.end_headers()
    web.wfile.write(data)
