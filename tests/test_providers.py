"""Which endpoint a name stands for, whose key it gets, what it costs."""

import math

import pytest

from arena.errors import ArenaError
from loop.agents.llm import providers
from loop.agents.llm.providers import PROVIDERS, client, usd

KEYS = {known.key: f"sk-{name}" for name, known in PROVIDERS.items() if known.key}


@pytest.mark.parametrize("name", PROVIDERS)
def test_every_provider_is_built_with_its_own_key_and_no_other(name):
    endpoint = client(name, "some-model", KEYS)
    assert endpoint.url == PROVIDERS[name].url
    assert endpoint.key == KEYS.get(PROVIDERS[name].key, providers.NO_KEY)


@pytest.mark.parametrize("name", [name for name, known in PROVIDERS.items() if known.key])
def test_a_missing_key_is_told_with_its_variable(name):
    with pytest.raises(ArenaError, match=rf"no key for {name}: set {PROVIDERS[name].key} in the environment"):
        client(name, "some-model", {"LLM_API_KEY": "sk-other", PROVIDERS[name].key: "  "})


@pytest.mark.parametrize(
    ("provider", "model", "said"),
    [
        ("olama", "m", r"provider 'olama' is unknown\. Did you mean 'ollama'\?"),
        ("OpenAI", "m", r"Did you mean 'openai'\?"),
        ("wizard", "m", r"provider 'wizard' is unknown\. Known: openai, anthropic, .*or an address"),
        ("ollama", " ", r"which model of ollama\? Name one with --model"),
        ("ftp://host/v1", "m", r"is no address of an endpoint\. Expected for example http://localhost:8000/v1"),
        ("http:///v1", "m", r"is no address of an endpoint"),
        ("http://host:99999/v1", "m", r"is no address: "),
        ("http://host/v1?key=1", "m", r"is no address of an endpoint"),
    ],
)
def test_what_names_no_endpoint_is_refused_with_what_to_do(provider, model, said):
    with pytest.raises(ArenaError, match=said):
        client(provider, model, KEYS)


def test_a_password_in_an_address_is_refused_and_not_repeated():
    with pytest.raises(ArenaError, match="Put the key into LLM_API_KEY") as caught:
        client("https://me:secret@host/v1", "m", {})
    assert "secret" not in str(caught.value)


def test_a_key_that_no_header_can_carry_is_refused_and_not_repeated():
    with pytest.raises(ArenaError, match="OPENAI_API_KEY holds a character that no key has") as caught:
        client("openai", "m", {"OPENAI_API_KEY": "sk-schlüssel"})
    assert "sk-" not in str(caught.value)


def test_a_key_is_never_shown():
    assert "sk-openai" not in repr(client("openai", "m", KEYS))


def test_an_address_gets_the_key_that_is_meant_for_addresses_alone():
    assert client("https://llm.example/v1", "m", KEYS).key == providers.NO_KEY
    assert client("https://llm.example/v1/chat/completions/", "m", {**KEYS, "LLM_API_KEY": "sk-mine"}).key == "sk-mine"


@pytest.mark.parametrize(
    "url", ["https://llm.example/v1", "https://llm.example/v1/", "https://llm.example/v1/chat/completions"]
)
def test_an_address_is_taken_with_and_without_what_the_client_adds(url):
    assert client(url, "m", {}).url == "https://llm.example/v1"


@pytest.mark.parametrize(
    ("host", "url"),
    [
        ("0.0.0.0", "http://localhost:11434/v1"),
        ("192.168.1.7:8081", "http://192.168.1.7:8081/v1"),
        ("https://ollama.example", "https://ollama.example:443/v1"),
        ("[::1]:11500", "http://[::1]:11500/v1"),
    ],
)
def test_ollama_is_looked_for_where_its_own_variable_says(host, url):
    assert client("ollama", "m", {"OLLAMA_HOST": host}).url == url


@pytest.mark.parametrize(
    ("provider", "url", "local"),
    [
        ("ollama", "", True),
        ("http://127.0.0.1:1/v1", "", True),
        ("http://[::1]:1/v1", "", True),
        ("openai", "", False),
        ("http://10.0.0.5/v1", "", False),
    ],
)
def test_only_what_is_on_this_machine_is_local(provider, url, local):
    assert client(provider, "m", KEYS).local is local


def test_the_context_is_the_persons_word_else_the_models_else_the_providers():
    assert client("openai", "gpt-4o", KEYS).context == 128_000 != client("openai", "gpt-5-mini", KEYS).context
    assert client("openai", "gpt-4o", KEYS, context=9000).context == 9000
    assert client("openai", "of-tomorrow", KEYS).context == PROVIDERS["openai"].context
    assert client("ollama", "qwen3:8b", {}).context == PROVIDERS["ollama"].context
    assert client("ollama", "qwen3:8b", {"OLLAMA_CONTEXT_LENGTH": "32768"}).context == 32_768
    with pytest.raises(ArenaError, match="a context of 100 tokens holds no prompt"):
        client("ollama", "qwen3:8b", {}, context=100)


def test_a_known_model_has_its_list_price():
    """gpt-4o: 2.50 and 10.00 US dollars for a million tokens in and out, 1.25 for those from the cache."""
    endpoint = client("openai", "gpt-4o", KEYS)
    assert usd(endpoint, 1_000_000, 100_000) == pytest.approx(3.5)
    assert usd(endpoint, 1_000_000, 100_000, cached=400_000) == pytest.approx(3.0)


def test_an_unknown_model_has_no_price_and_a_local_one_costs_nothing():
    assert math.isnan(usd(client("openai", "of-tomorrow", KEYS), 1000, 100))
    assert math.isnan(usd(client("https://llm.example/v1", "m", {}), 1000, 100))
    assert usd(client("ollama", "qwen3:8b", {}), 1000, 100) == 0.0
    assert usd(client("http://localhost:9/v1", "m", {}), 1000, 100) == 0.0
    assert usd(client("vllm", "gpt-4o", {}), 1000, 100) == 0.0
