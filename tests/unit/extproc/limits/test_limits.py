import asyncio
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from extproc.errors import LimitsUnavailable, RateLimited
from extproc.limits import redis_store
from extproc.limits.limits import Admission, Asked, Limits
from extproc.limits.rules import Rules
from hermesllm.formats import Format
from hermesllm.usage import Usage
from planoctl.config.registry import Candidate, ModelRegistry
from planoctl.config.runtime import (
    ModelProvider,
    RateLimit,
    RateLimitQuota,
    RateLimitSelector,
    RateLimitStore,
    RuntimeConfig,
)
from tests.redis_server import RedisServer

MODELS = ("provider", "first_provider", "second_provider", "gpt-4", "gpt-4o", "unlimited")
PROVIDERS = tuple(ModelProvider(name=f"openai/{model}", provider_interface="openai", model=model) for model in MODELS)
REGISTRY = ModelRegistry(RuntimeConfig(version="v0.4.0", model_providers=PROVIDERS))


def entry(model: str, key: str | None, value: str | None, count: str = "input", **quota: Any) -> RateLimit:
    selector = RateLimitSelector(key=key, value=value) if key else None
    return RateLimit(model=model, selector=selector, limit=RateLimitQuota(**quota), count=count)  # type: ignore[arg-type]


def rules(*entries: RateLimit, on_error: Any = "allow") -> Rules:
    store = RateLimitStore(on_error=on_error)
    return Rules(RuntimeConfig(version="v0.4.0", ratelimits=entries, rate_limit_store=store))


def asked(tokens: int, headers: dict[str, str] | None = None, requested: str = "", **more: Any) -> Asked:
    """A request of so many tokens: ` a` is one, and the text begins with a space."""
    text = "a" + " a" * (tokens - 1)
    document = {"messages": [{"role": "user", "content": text}], **more}
    return Asked(Format.CHAT, document, headers or {}, requested)


def candidates(*names: str) -> list[Candidate]:
    found = [REGISTRY.resolve(name) for name in names]
    return [each for each in found if each is not None]


def admit(limits: Limits, found: Rules, request: Asked, *models: str) -> Admission:
    admission = limits.admit(found, request, candidates(*models))
    assert isinstance(admission, Admission)
    return admission


def admitted(limits: Limits, found: Rules, model: str, tokens: int, **headers: str) -> bool:
    try:
        admit(limits, found, asked(tokens, headers), model)
    except RateLimited:
        return False
    return True


def test_each_row_of_the_specification() -> None:
    per_value = rules(entry("provider", "only-key", None, tokens=100, unit="minute"))
    assert admitted(Limits(), per_value, "unlimited", 5000, key="value")
    assert admitted(Limits(), per_value, "provider", 5000, key="value")
    fixed = rules(entry("provider", "key", "value", tokens=200, unit="second"))
    assert admitted(Limits(), fixed, "provider", 5000, key="not-the-correct-value")
    fixed = rules(entry("provider", "key", "value", tokens=200, unit="hour"))
    assert not admitted(Limits(), fixed, "provider", 5000, key="value")

    limits, hourly = Limits(), rules(entry("provider", "only-key", None, tokens=100, unit="hour"))
    sent = [("value1", 50), ("value2", 60), ("value1", 70)]
    assert [admitted(limits, hourly, "provider", n, **{"only-key": value}) for value, n in sent] == [True, True, False]

    limits = Limits()
    both = rules(
        entry("first_provider", "key", "value", tokens=100, unit="hour"),
        entry("second_provider", "key", "value", tokens=200, unit="hour"),
    )
    sent = [("first_provider", 100), ("second_provider", 200), ("first_provider", 1), ("second_provider", 1)]
    assert [admitted(limits, both, model, n, key="value") for model, n in sent] == [True, True, False, False]
    assert not rules()


def test_the_refusal_has_the_words_of_the_specification_and_says_when_to_come_back() -> None:
    limits, found = Limits(), rules(entry("gpt-4", "Selector-Key", 'a "quoted" value', tokens=100, unit="minute"))
    headers = {"selector-key": 'a "quoted" value'}
    admit(limits, found, asked(60, headers), "gpt-4")
    with pytest.raises(RateLimited) as refused:
        admit(limits, found, asked(50, headers), "gpt-4")
    assert refused.value.message.startswith(
        'exceeded limit provider=gpt-4, selector=Header { key: "Selector-Key", value: "a \\"quoted\\" value" }, '
        "tokens_used=5"
    )
    told = dict(refused.value.headers)
    assert 58 <= int(told.pop("retry-after")) <= 61
    assert told.pop("x-ratelimit-reset-tokens").endswith("s")
    assert told.pop("x-ratelimit-limit-tokens") == "100"
    assert 38 <= int(told.pop("x-ratelimit-remaining-tokens")) <= 40
    assert told == {}


def test_a_request_larger_than_the_limit_is_told_not_to_come_back() -> None:
    found = rules(entry("gpt-4", None, None, tokens=100, unit="minute"))
    with pytest.raises(RateLimited) as refused:
        admit(Limits(), found, asked(500), "gpt-4")
    assert "retry-after" not in refused.value.headers
    assert refused.value.headers["x-should-retry"] == "false"
    assert "larger than the limit of 100 tokens per minute" in str(refused.value.remedy)


def test_tokens_and_requests_have_headers_of_their_own_from_the_entry_with_least_left() -> None:
    found = rules(
        entry("gpt-4", None, None, tokens=1000, requests=5, unit="minute"),
        entry("*", None, None, tokens=500, requests=50, unit="hour"),
    )
    told = admit(Limits(), found, asked(100), "gpt-4").headers
    assert told["x-ratelimit-limit-tokens"] == "500"
    assert int(told["x-ratelimit-remaining-tokens"]) in range(395, 405)
    assert (told["x-ratelimit-limit-requests"], told["x-ratelimit-remaining-requests"]) == ("5", "4")
    assert told["x-ratelimit-reset-requests"] in {"60s", "61s"}


def test_a_request_without_text_is_charged_a_token() -> None:
    found = rules(entry("gpt-4", None, None, tokens=100, unit="minute"))
    admission = admit(Limits(), found, Asked(Format.CHAT, {"messages": "?"}, {}, ""), "gpt-4")
    assert admission.headers["x-ratelimit-remaining-tokens"] == "99"


def left(limits: Limits, found: Rules) -> int:
    """What is left after one token more is used and given back."""
    admission = admit(limits, found, Asked(Format.CHAT, {}, {}, ""), "gpt-4")
    limits.settle(admission.reservation, None, 500)
    return int(admission.headers["x-ratelimit-remaining-tokens"]) + 1


@pytest.mark.parametrize(
    ("count", "usage", "status", "remaining"),
    [
        ("input", Usage(prompt=30, completion=500), 200, 970),
        ("total", Usage(prompt=30, completion=500), 200, 470),
        ("total", Usage(prompt=900, completion=500), 200, 0),
        ("input", None, 500, 1000),
        ("input", None, 429, 1000),
        ("input", None, 200, 900),
        ("input", Usage(), 200, 900),
        ("input", None, 0, 900),
        ("total", None, 200, 700),
    ],
)
def test_the_reservation_becomes_what_was_used(count: str, usage: Usage | None, status: int, remaining: int) -> None:
    limits, found = Limits(), rules(entry("gpt-4", None, None, count, tokens=1000, unit="hour"))
    request = asked(100, max_tokens=200)
    request._counts["cl100k_base"] = 100
    admission = admit(limits, found, request, "gpt-4")
    limits.settle(admission.reservation, usage, status)
    limits.settle(admission.reservation, usage, status)
    limits.settle(admission.reservation, None, 500)
    if remaining:
        assert left(limits, found) == remaining
    else:
        assert not admitted(limits, found, "gpt-4", 1)


def test_a_failed_request_stays_counted_among_the_requests() -> None:
    limits, found = Limits(), rules(entry("gpt-4", None, None, requests=1, unit="hour"))
    limits.settle(admit(limits, found, asked(1), "gpt-4").reservation, None, 503)
    assert not admitted(limits, found, "gpt-4", 1)


@pytest.mark.parametrize("text", ["", "x", "1;q", "1;i5.60", "1;i5.60.x.1", "99999999999999999999;"])
def test_a_text_that_is_no_reservation_does_no_harm(text: str) -> None:
    Limits().settle(text, None, 500)


def test_candidates_without_room_are_left_out_and_the_first_with_room_is_charged() -> None:
    limits = Limits()
    found = rules(*(entry(model, None, None, requests=1, unit="hour") for model in ("gpt-4", "gpt-4o", "provider")))
    admit(limits, found, asked(1), "gpt-4")
    assert admit(limits, found, asked(1), "gpt-4", "gpt-4o", "unlimited", "provider").usable == (1, 2, 3)
    assert admit(limits, found, asked(1), "gpt-4", "gpt-4o", "unlimited", "provider").usable == (2, 3)
    assert admit(limits, found, asked(1), "provider").usable == (0,)
    with pytest.raises(RateLimited):
        admit(limits, found, asked(1), "gpt-4", "gpt-4o", "provider")


def test_a_request_that_another_candidate_answered_is_charged_there() -> None:
    limits = Limits()
    found = rules(
        entry("gpt-4", None, None, tokens=1000, requests=5, unit="hour"),
        entry("gpt-4o", None, None, tokens=1000, requests=5, unit="hour"),
        entry("*", None, None, tokens=5000, requests=50, unit="day"),
    )
    request = asked(100)
    first, second = candidates("gpt-4", "gpt-4o")
    admission = admit(limits, found, request, "gpt-4", "gpt-4o")
    request.forget()
    moved = limits.move(admission.reservation, found, request, first, second)
    limits.settle(moved, Usage(prompt=300), 200)
    limits.settle(moved, Usage(prompt=300), 200)

    now = asked(1)
    now._counts |= {"cl100k_base": 1, "o200k_base": 1}
    own = rules(entry("gpt-4", None, None, tokens=1000, requests=5, unit="hour"))
    assert remaining(admit(limits, own, now, "gpt-4")) == ("999", "3")
    own = rules(entry("gpt-4o", None, None, tokens=1000, requests=5, unit="hour"))
    assert remaining(admit(limits, own, now, "gpt-4o")) == ("699", "3")
    own = rules(entry("*", None, None, tokens=5000, requests=50, unit="day"))
    assert remaining(admit(limits, own, now, "gpt-4")) == ("4699", "48")


def remaining(admission: Admission) -> tuple[str, ...]:
    return tuple(admission.headers[f"x-ratelimit-remaining-{kind}"] for kind in ("tokens", "requests"))


async def test_redis_serves_as_well_and_its_absence_is_allowed_or_denied(
    tmp_path: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(redis_store, "RedisStore", partial(redis_store.RedisStore, patience=20))
    server = RedisServer(tmp_path)
    server.start()
    limits = Limits(RateLimitStore(type="redis", url=server.url))
    quota = entry("gpt-4", None, None, tokens=100, unit="hour")
    try:
        admission = await limits.admit(rules(quota), asked(60), candidates("gpt-4"))  # type: ignore[misc]
        with pytest.raises(RateLimited):
            await limits.admit(rules(quota), asked(60), candidates("gpt-4"))  # type: ignore[misc]
        limits.settle(admission.reservation, None, 500)
        limits.settle(admission.reservation, None, 500)
        await asyncio.gather(*limits._redis._adjusting)  # type: ignore[union-attr]
        after = await limits.admit(rules(quota), asked(60), candidates("gpt-4"))  # type: ignore[misc]
        assert int(after.headers["x-ratelimit-remaining-tokens"]) in range(38, 42)
        server.stop()
        allowed = await limits.admit(rules(quota), asked(60), candidates("gpt-4"))  # type: ignore[misc]
        assert (allowed.usable, allowed.reservation, allowed.headers) == ((0,), "", {})
        with pytest.raises(LimitsUnavailable):
            await limits.admit(rules(quota, on_error="deny"), asked(60), candidates("gpt-4"))  # type: ignore[misc]
    finally:
        await limits.close()
        server.stop()


async def test_a_changed_store_takes_over_and_a_bad_one_changes_nothing(tmp_path: Path) -> None:
    def config(store: RateLimitStore) -> RuntimeConfig:
        return RuntimeConfig(version="v0.4.0", rate_limit_store=store)

    limits = Limits(RateLimitStore(), tmp_path / "quotas")
    assert limits._redis is None
    limits.configure(config(RateLimitStore(type="redis", url="redis://127.0.0.1:9")))
    taken = limits._redis
    assert taken is not None
    with pytest.raises(ValueError):
        limits.configure(config(RateLimitStore(type="redis", url="nonsense")))
    assert limits._redis is taken
    limits.configure(config(RateLimitStore()))
    assert limits._redis is None
    await limits.close()
