"""Which calls a filter lets pass."""

import pytest

from planoctl.obs.calls import Call, call_of
from planoctl.obs.filters import EVERYTHING, FilterError, exactly, parse_filter
from tests.obs_spans import span


def _call(name: str, **attributes: object) -> Call:
    call = call_of(span(1, {"request_id": name, **attributes}))
    assert call is not None
    return call


CALLS = (
    _call("r-mini", **{"llm.model": "gpt-4o-mini", "plano.route.name": "chat"}),
    _call("r-gpt", **{"llm.model": "gpt-4o", "plano.session_id": "S-1", "plano.route.name": "code generation"}),
    _call("r-limit", **{"llm.model": "claude-opus-4-7", "llm.provider": "anthropic", "http.status_code": 429}),
    _call("r-down", **{"llm.model": "claude-opus-4-7", "llm.provider": "anthropic", "http.status_code": 503}),
    _call("r-alias", **{"llm.model": "llama3", "llm.provider": "ollama", "model.requested": "fast"}),
    _call("r-dead", **{"http.status_code": None, "error.message": "connect", "llm.model": "gpt[4]?"}),
)


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("", "mini gpt limit down alias dead"),
        ("model:gpt", "mini gpt dead"),
        ("model:GPT-4O", "mini gpt"),
        ("model=gpt-4o", "gpt"),
        ("model:gpt-*", "mini gpt"),
        ("model:*o", "gpt"),
        ("model=gpt[4]?", "dead"),
        ("model:gpt[4]*", "dead"),
        ("model:fast", "alias"),
        ("provider:anthropic", "limit down"),
        ("session:s-1", "gpt"),
        ("session:", "mini limit down alias dead"),
        ("route:code", "gpt"),
        ('route:"code generation"', "gpt"),
        ('route="code generation"', "gpt"),
        ('route:"code gen', "gpt"),
        ("route: session:", "limit down alias dead"),
        ("request:r-a", "alias"),
        ("status:429", "limit"),
        ("status:4xx", "limit"),
        ("status:5XX", "down"),
        ("status:error", "limit down dead"),
        ("status:ok", "mini gpt alias"),
        ("status:", "dead"),
        ("-status:ok", "limit down dead"),
        ("--model:gpt", "mini gpt dead"),
        ("provider:anthropic -status:429", "down"),
        ("anthropic", "limit down"),
        ("r-m", "mini"),
        ("-openai", "limit down alias"),
        ("nothing", ""),
    ],
)
def test_a_filter_lets_pass(text: str, names: str) -> None:
    wanted = parse_filter(text)
    assert [call.request_id.removeprefix("r-") for call in CALLS if wanted(call)] == names.split()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("colour:red", "no field 'colour': use model, provider, session, route, status, request"),
        ("status:bad", "no status 'bad': use a number such as 429, 4xx, error or ok"),
        ("model:a -kind:x", "no field 'kind'"),
    ],
)
def test_a_mistake_is_named(text: str, message: str) -> None:
    with pytest.raises(FilterError, match=r"no (field|status)") as caught:
        parse_filter(text)
    assert message in str(caught.value)


def test_no_filter_is_false() -> None:
    assert not EVERYTHING
    assert not parse_filter("   ")
    assert parse_filter("gpt")


@pytest.mark.parametrize("value", ["gpt-4o", "code generation", "a:b=c", "-x", 'a "b" c'])
def test_exactly_finds_the_value_it_was_made_of(value: str) -> None:
    call = _call("r", **{"plano.route.name": value})
    assert parse_filter(exactly("route", value))(call)
