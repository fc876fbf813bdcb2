from typing import Any

import pytest

from extproc.limits.rules import Match, Rules
from planoctl.config.registry import Candidate, ModelRegistry
from planoctl.config.runtime import (
    ModelAlias,
    ModelProvider,
    RateLimit,
    RateLimitQuota,
    RateLimitSelector,
    RuntimeConfig,
)

PROVIDERS = (
    ModelProvider(name="openai/gpt-4o", provider_interface="openai", model="gpt-4o"),
    ModelProvider(name="ours", provider_interface="together_ai", model="openai/gpt-oss-20b"),
    ModelProvider(name="anthropic/*", provider_interface="anthropic", model="*", wildcard_prefix="anthropic"),
)


def limit(model: str = "gpt-4o", *, key: str | None = None, value: str | None = None, **more: Any) -> RateLimit:
    quota = {"unit": "minute", "tokens": 100, **more.pop("limit", {})}
    selector = RateLimitSelector(key=key, value=value) if key else more.pop("selector", None)
    return RateLimit(model=model, selector=selector, limit=RateLimitQuota(**quota), **more)


def rules(*limits: RateLimit) -> Rules:
    aliases = {"fast": ModelAlias(target="gpt-4o")}
    return Rules(RuntimeConfig(version="v0.4.0", model_providers=PROVIDERS, model_aliases=aliases, ratelimits=limits))


def candidate(name: str) -> Candidate:
    found = ModelRegistry(RuntimeConfig(version="v0.4.0", model_providers=PROVIDERS)).resolve(name)
    assert found is not None
    return found


def matching(found: Rules, model: str = "gpt-4o", requested: str = "", **more: Any) -> tuple[Match, ...]:
    identity = more.pop("identity", None)
    headers = {name.replace("_", "-"): value for name, value in more.items()}
    return found.matching(candidate(model), requested or model, headers, identity)


@pytest.mark.parametrize("name", ["gpt-4o", "openai/gpt-4o", "openai/*", "*", "fast"])
def test_a_model_is_limited_under_each_of_its_names(name: str) -> None:
    assert matching(rules(limit(name)), requested="fast")


@pytest.mark.parametrize(
    ("name", "model"),
    [("gpt-4", "gpt-4o"), ("anthropic/*", "gpt-4o"), ("openai/*", "ours"), ("fast", "gpt-4o"), ("ours", "gpt-4o")],
)
def test_other_models_are_not(name: str, model: str) -> None:
    assert not matching(rules(limit(name)), model)


@pytest.mark.parametrize("name", ["ours", "openai/gpt-oss-20b", "together_ai/openai/gpt-oss-20b", "together_ai/*"])
def test_an_entry_with_a_name_of_its_own_goes_by_that_too(name: str) -> None:
    assert matching(rules(limit(name)), "ours")


def test_models_of_a_wildcard_are_limited_one_by_one_or_together() -> None:
    found = rules(limit("anthropic/claude-haiku-4-5"), limit("anthropic/*"))
    assert len(matching(found, "anthropic/claude-haiku-4-5")) == 2
    assert len(matching(found, "anthropic/claude-sonnet-4-5")) == 1


def test_a_limit_of_an_alias_is_for_whatever_model_serves_it_and_one_of_a_model_not_for_its_fallbacks() -> None:
    assert matching(rules(limit("fast")), "ours", requested="fast")
    assert not matching(rules(limit("gpt-4o")), "ours", requested="gpt-4o")


def test_each_value_has_a_quota_of_its_own_whatever_the_case_of_the_headers_name() -> None:
    found = rules(limit(key="X-User-Id"))
    (ann,), (ben,) = matching(found, x_user_id="ann"), matching(found, x_user_id="ben")
    assert (ann.value, ben.value) == ("ann", "ben")
    assert ann.bucket != ben.bucket
    assert matching(found, x_user_id="ann")[0].bucket == ann.bucket


def test_a_star_is_any_value() -> None:
    found, other = rules(limit(key="k", value="*")), rules(limit(key="k"))
    assert matching(found, k="v")[0].bucket == matching(other, k="v")[0].bucket


def test_without_the_header_no_selector_applies() -> None:
    assert not matching(rules(limit(key="k"), limit(key="k", value="v")))
    assert not matching(rules(limit(key="k")), k="")


def test_without_a_selector_all_share_one_quota() -> None:
    found = rules(limit())
    assert matching(found, k="a")[0].bucket == matching(found, k="b")[0].bucket


def test_an_entry_for_a_value_takes_the_place_of_those_for_every_value() -> None:
    found = rules(limit(key="k", limit={"unit": "day"}), limit(key="K", value="vip"), limit(key="other"))
    assert [match.value for match in matching(found, k="vip")] == [None]
    assert [match.value for match in matching(found, k="any")] == ["any"]
    assert len(matching(found, k="vip", other="x")) == 2


def test_an_identity_selects_as_a_header_does_and_cannot_be_sent_as_one() -> None:
    each = rules(limit(selector=RateLimitSelector(identity="*")))
    one = rules(limit(selector=RateLimitSelector(identity="team-a")))
    assert matching(each, identity="team-a")[0].bucket != matching(each, identity="team-b")[0].bucket
    assert matching(one, identity="team-a")
    assert not matching(one, identity="team-b")
    assert not matching(each, identity="")
    assert not matching(one)


def test_an_entry_may_limit_tokens_and_requests() -> None:
    tokens, requests = matching(rules(limit(limit={"requests": 3}, count="total")))
    assert (tokens.rule.kind, tokens.rule.limit, requests.rule.kind, requests.rule.limit) == (
        "total",
        100,
        "requests",
        3,
    )
    assert tokens.bucket != requests.bucket


def test_the_same_selector_may_have_several_windows_and_of_two_alike_the_first_counts() -> None:
    found = rules(limit(limit={"tokens": 1}), limit(limit={"unit": "day"}), limit(limit={"tokens": 2}))
    assert [(match.rule.limit, match.rule.window) for match in matching(found)] == [(1, 60), (100, 86400)]


def test_a_raised_limit_keeps_what_was_used() -> None:
    assert matching(rules(limit()))[0].bucket == matching(rules(limit(limit={"tokens": 200})))[0].bucket


def test_names_that_clients_invent_do_not_pile_up() -> None:
    found = rules(limit("anthropic/*"))
    for number in range(3000):
        matching(found, f"anthropic/claude-{number}")
    assert len(found._of) <= 1000
