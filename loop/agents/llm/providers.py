"""
Endpoints that speak OpenAI's chat protocol: where they are, which key they need, how much they read, what they cost.

This module sends nothing. Prices and context windows come with the package genai-prices, which needs no network.
"""

import ipaddress
import math
from collections.abc import Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Any
from urllib.parse import urlsplit

from genai_prices import Usage as Tokens
from genai_prices import calc_price

from arena.errors import ArenaError


@dataclass(frozen=True, slots=True)
class Provider:
    url: str  # the client adds `/chat/completions`
    key: str = ""  # variable of the environment that holds the key; empty: none is sent
    prices: str = ""  # its name in genai-prices; empty: it runs on the person's own machine and costs nothing
    context: int = 8192  # tokens of prompt and answer together, where nothing better is known


PROVIDERS = {
    "openai": Provider("https://api.openai.com/v1", "OPENAI_API_KEY", "openai", 128_000),
    "anthropic": Provider("https://api.anthropic.com/v1", "ANTHROPIC_API_KEY", "anthropic", 200_000),
    "deepseek": Provider("https://api.deepseek.com", "DEEPSEEK_API_KEY", "deepseek", 64_000),
    "gemini": Provider("https://generativelanguage.googleapis.com/v1beta/openai", "GEMINI_API_KEY", "google", 128_000),
    "openrouter": Provider("https://openrouter.ai/api/v1", "OPENROUTER_API_KEY", "openrouter", 32_000),
    "ollama": Provider("http://localhost:11434/v1"),
    "vllm": Provider("http://localhost:8000/v1"),
    "llamacpp": Provider("http://localhost:8080/v1"),
}
URL_KEY = "LLM_API_KEY"
"""Key of an endpoint given by its address, if it needs one. No provider's own key is ever sent to such an address."""
NO_KEY = "none"
"""Sent where no key is needed, because the protocol's header must not be empty."""


@dataclass(frozen=True, slots=True)
class Endpoint:
    """One model of one provider."""

    provider: str  # a name of PROVIDERS, or the address
    model: str
    url: str
    key: str
    context: int  # tokens of prompt and answer together
    prices: str  # as in Provider
    free: bool

    def __repr__(self) -> str:
        return f"Endpoint({self.provider}, {self.model}, {self.url})"  # never the key

    @property
    def local(self) -> bool:
        """Whether it is on this machine, so that the client uses no proxy."""
        return _is_local(urlsplit(self.url).hostname or "")


def client(provider: str, model: str, environ: Mapping[str, str], context: int | None = None) -> Endpoint:
    """
    Returns the endpoint of `--provider` and `--model`. Keys come from `environ`; `context` overrides the model's known
    one.

    Raises ArenaError for an unknown provider, an invalid address, a missing model or a missing key.
    """
    address = "://" in provider
    defaults = Provider(_checked(provider), URL_KEY) if address else _named(provider)
    if not model.strip():
        raise ArenaError(f"which model of {provider}? Name one with --model.")
    if context is not None and context < 1024:
        raise ArenaError(
            f"a context of {context} tokens holds no prompt. Use at least 1024, as many as the model reads."
        )
    url = defaults.url
    if provider == "ollama" and environ.get("OLLAMA_HOST", "").strip():
        url = _ollama(environ["OLLAMA_HOST"].strip())
    key = _key(provider, defaults.key, environ, needed=not address)
    free = not defaults.prices and (not address or _is_local(urlsplit(url).hostname or ""))
    return Endpoint(
        provider,
        model.strip(),
        url,
        key,
        context or _context(provider, defaults, model.strip(), environ),
        defaults.prices,
        free,
    )


def usd(endpoint: Endpoint, inputs: int, outputs: int, cached: int = 0) -> float:
    """
    Returns the price of an answer in US dollars: `inputs` tokens, of which `cached` were read from the provider's
    cache, and `outputs` tokens.

    0.0 for a local provider, nan if no price is known. These are today's list prices, without discounts and fees.
    """
    if endpoint.free:
        return 0.0
    where: dict[str, Any] = {"provider_id": endpoint.prices} if endpoint.prices else {"provider_api_url": endpoint.url}
    tokens = Tokens(input_tokens=inputs, output_tokens=outputs, cache_read_tokens=min(cached, inputs) or None)
    try:
        return float(calc_price(tokens, endpoint.model, **where).total_price)
    except (LookupError, ValueError):  # no such model; counts that its price list has no unit for
        return math.nan


def _named(provider: str) -> Provider:
    if provider in PROVIDERS:
        return PROVIDERS[provider]
    near = get_close_matches(provider.lower(), PROVIDERS, n=1)
    hint = (
        f"Did you mean {near[0]!r}?"
        if near
        else f"Known: {', '.join(PROVIDERS)}, or an address such as http://localhost:8000/v1."
    )
    raise ArenaError(f"provider {provider!r} is unknown. {hint}")


def _checked(url: str) -> str:
    """Returns an address without what the client adds itself."""
    try:
        parts = urlsplit(url)
        host, port = parts.hostname, parts.port
    except ValueError as error:
        raise ArenaError(f"provider {url!r} is no address: {error}.") from None
    if "@" in parts.netloc:
        raise ArenaError(f"the provider's address holds a name or a password. Put the key into {URL_KEY} instead.")
    if parts.scheme not in ("http", "https") or not host or port == 0 or parts.query or parts.fragment:
        raise ArenaError(
            f"provider {url!r} is no address of an endpoint. Expected for example http://localhost:8000/v1."
        )
    return url.rstrip("/").removesuffix("/chat/completions")


def _ollama(host: str) -> str:
    """Reads OLLAMA_HOST as Ollama does: scheme and port may be missing, 0.0.0.0 means this machine."""
    url = host if "://" in host else f"http://{host}"
    parts = urlsplit(_checked(url))
    name = "localhost" if parts.hostname in ("0.0.0.0", "::") else parts.hostname
    name = f"[{name}]" if name and ":" in name else name
    port = parts.port or (11434 if "://" not in host else {"http": 80, "https": 443}[parts.scheme])
    return f"{parts.scheme}://{name}:{port}/v1"


def _key(provider: str, variable: str, environ: Mapping[str, str], *, needed: bool) -> str:
    if not variable:
        return NO_KEY
    key = environ.get(variable, "").strip()
    if not key and needed:
        raise ArenaError(
            f"no key for {provider}: set {variable} in the environment. A local provider such as ollama needs none."
        )
    if not key.isascii() or not key.isprintable() or " " in key:
        raise ArenaError(f"{variable} holds a character that no key has. Copy the key again.")
    return key or NO_KEY


def _context(provider: str, defaults: Provider, model: str, environ: Mapping[str, str]) -> int:
    if defaults.prices:
        try:
            window = calc_price(Tokens(input_tokens=1), model, provider_id=defaults.prices).model.context_window
        except (LookupError, ValueError):
            window = None
        return window or defaults.context
    length = environ.get("OLLAMA_CONTEXT_LENGTH", "").strip() if provider == "ollama" else ""
    return max(int(length), 1024) if length.isdecimal() else defaults.context


def _is_local(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
