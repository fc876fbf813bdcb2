"""What `planoctl diff` finds: changes as users think of them, and nothing where two files mean the same."""

import json
from copy import deepcopy
from dataclasses import asdict
from pathlib import Path
from typing import Any

import msgspec
import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from planoctl.config.compare import Change, Setting, changed_secrets, compare, summary
from planoctl.config.effects import Effect, effects
from planoctl.config.findings import ConfigError
from planoctl.config.pipeline import load_document
from planoctl.config.runtime import Overrides, RuntimeConfig

KEYS = {name: f"sk-value-of-{name}" for name in ("OPENAI_API_KEY", "ANTHROPIC_API_KEY", "OTHER_KEY")}
DOCUMENT: dict[str, Any] = {
    "version": "v0.4.0",
    "listeners": [{"type": "model", "name": "llm", "port": 12000}],
    "model_providers": [
        {"model": "openai/gpt-4o", "access_key": "$OPENAI_API_KEY", "default": True, "fallbacks": ["mini", "claude"]},
        {"model": "openai/mini", "access_key": "$OPENAI_API_KEY", "headers": {"x-team": "$OTHER_KEY"}},
        {"model": "anthropic/claude", "access_key": "$ANTHROPIC_API_KEY"},
    ],
    "model_aliases": {"fast": {"target": "mini"}, "smart": {"target": "gpt-4o"}},
    "routing_preferences": [
        {"name": "code", "description": "writing code", "models": ["openai/gpt-4o", "anthropic/claude"]},
        {"name": "talk", "description": "small talk", "models": ["openai/mini"]},
    ],
    "ratelimits": [
        {"model": "openai/gpt-4o", "selector": {"key": "x-team", "value": "a"}, "limit": {"tokens": 9, "unit": "hour"}}
    ],
    "overrides": {"routing_timeout_ms": 1000},
}


def runtime(document: dict[str, Any]) -> RuntimeConfig:
    return load_document(document, environment=KEYS).runtime


def changed(edit: str, value: Any = None, **more: Any) -> dict[str, Any]:
    """The document with the value at a path such as `listeners/0/port` replaced, or without it."""
    document = deepcopy(DOCUMENT)
    for path, new in {edit: value, **more}.items():
        *above, last = path.split("/")
        node: Any = document
        for key in above:
            node = node[int(key)] if isinstance(node, list) else node[key]
        place: Any = int(last) if isinstance(node, list) else last
        if new is None:
            del node[place]
        elif isinstance(node, list) and place == len(node):
            node.append(new)
        else:
            node[place] = new
    return document


def found(document: dict[str, Any]) -> list[Change]:
    return compare(runtime(DOCUMENT), runtime(document))


def of(kind: str, section: str, name: str, path: str, old: Any, new: Any, *, secret: bool = False) -> Change:
    return Change(kind, section, name, (Setting(path, old, new, secret),))  # type: ignore[arg-type]


CASES = {
    "a port": (changed("listeners/0/port", 13000), of("changed", "listeners", "llm", "port", 12000, 13000)),
    "what was a default": (
        changed("listeners/0/timeout", "60s"),
        of("changed", "listeners", "llm", "timeout", "300s", "60s"),
    ),
    "another variable": (
        changed("model_providers/1/access_key", "$OTHER_KEY"),
        of("changed", "model_providers", "openai/mini", "access_key", "$OPENAI_API_KEY", "$OTHER_KEY", secret=True),
    ),
    "the order of a chain": (
        changed("model_providers/0/fallbacks", ["claude", "mini"]),
        of("changed", "model_providers", "openai/gpt-4o", "fallbacks", ["mini", "claude"], ["claude", "mini"]),
    ),
    "an address, told as it was written": (
        changed("model_providers/1/base_url", "https://a.example/v2"),
        of("changed", "model_providers", "openai/mini", "base_url", None, "https://a.example/v2"),
    ),
    "an alias that is gone": (changed("model_aliases/fast"), Change("removed", "model_aliases", "fast")),
    "a new alias": (
        changed("model_aliases/best", {"target": "claude"}),
        of("added", "model_aliases", "best", "target", None, "claude"),
    ),
    "the models of a preference": (
        changed("routing_preferences/1/models", ["anthropic/claude"]),
        of("changed", "routing_preferences", "talk", "models", ["openai/mini"], ["anthropic/claude"]),
    ),
    "a renamed preference": (
        changed("routing_preferences/1/name", "chat"),
        Change("renamed", "routing_preferences", "chat", (), was="talk"),
    ),
    "a moved preference": (
        changed("routing_preferences", DOCUMENT["routing_preferences"][::-1]),
        of("moved", "routing_preferences", "", "order", ["code", "talk"], ["talk", "code"]),
    ),
    "a limit": (
        changed("ratelimits/0/limit/tokens", 10),
        of("changed", "ratelimits", "openai/gpt-4o x-team a", "limit.tokens", 9, 10),
    ),
    "an override": (
        changed("overrides/routing_timeout_ms", 3000),
        of(*("changed", "settings"), *(["overrides.routing_timeout_ms"] * 2), 1000, 3000),
    ),
    "a section that was not there": (
        changed("routing", {"routing_budget": {"max_switch_spend_pct": 10}}),
        of(*("changed", "settings"), *(["routing.routing_budget.max_switch_spend_pct"] * 2), None, 10.0),
    ),
    "a text": (changed("system_prompt", "Be kind."),
               of("changed", "settings", "system_prompt", "system_prompt", None, "Be kind.")),
}  # fmt: skip


@pytest.mark.parametrize(("document", "change"), CASES.values(), ids=CASES)
def test_one_edit_is_one_change(document: dict[str, Any], change: Change) -> None:
    assert found(document) == [change]


@pytest.mark.parametrize("name", CASES)
def test_the_way_back_undoes_it_and_never_repeats_it(name: str) -> None:
    document, _ = CASES[name]
    back = compare(runtime(document), runtime(DOCUMENT))
    assert back
    assert back != found(document)


def test_defaults_order_of_aliases_comments_and_old_spellings_make_no_difference() -> None:
    same = deepcopy(DOCUMENT)
    same["llm_providers"] = same.pop("model_providers")
    same["model_aliases"] = dict(reversed(same["model_aliases"].items()))
    same["listeners"][0] |= {"address": "0.0.0.0", "timeout": "5m"}
    same["overrides"]["disable_signals"] = False
    assert found(same) == []


def test_what_loading_makes_up_anew_each_time_is_no_difference() -> None:
    document = changed("model_providers/3", {"model": "chatgpt/gpt-5", "access_key": "$OTHER_KEY"})
    assert runtime(document) != runtime(document)
    assert compare(runtime(document), runtime(document)) == []


def test_the_default_model_is_told_once_however_many_entries_it_touches() -> None:
    document = changed("model_providers/0/default")
    document["model_providers"][1]["default"] = True
    assert found(document) == [of("changed", "default_model", "", "default", "openai/gpt-4o", "openai/mini")]


def test_a_renamed_model_is_not_one_added_and_one_removed() -> None:
    old, new = changed("model_providers/1/name", "small"), changed("model_providers/1/name", "little")
    (change,) = compare(runtime(old), runtime(new))
    assert (change.kind, change.was, change.name, change.settings) == ("renamed", "small", "little", ())


def test_two_aliases_of_one_target_are_no_renaming_because_nobody_knows_which_is_which() -> None:
    document = deepcopy(DOCUMENT)
    document["model_aliases"] = {
        "quick": {"target": "mini"},
        "swift": {"target": "mini"},
        "smart": {"target": "gpt-4o"},
    }
    assert sorted((each.kind, each.name) for each in found(document)) == [
        ("added", "quick"), ("added", "swift"), ("removed", "fast"),
    ]  # fmt: skip


def test_the_order_of_models_counts_only_where_a_short_name_means_another_model() -> None:
    same = changed("model_providers", DOCUMENT["model_providers"][::-1])
    assert found(same) == []
    twice = [*DOCUMENT["model_providers"], {"model": "groq/mini", "access_key": "$OTHER_KEY", "name": "groq-mini"}]
    before, after = changed("model_providers", twice), changed("model_providers", twice[::-1])
    assert compare(runtime(before), runtime(after)) == [
        of("changed", "short_names", "mini", "meant", "openai/mini", "groq-mini")
    ]


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("model_providers/0/access_key", "sk-literal-secret"),
        ("model_providers/1/headers", {"x-team": "sk-literal-secret"}),
        ("model_providers/1/headers", {"x-team": "Bearer ${OTHER_KEY:-sk-literal-secret}"}),
        ("state_storage", {"type": "postgres", "connection_string": "postgres://u:sk-literal-secret@h/d"}),
        ("routing", {"session_cache": {"type": "redis", "url": "redis://:sk-literal-secret@h:1"}}),
        ("tracing", {"exporters": [{"type": "posthog", "url": "http://h", "api_key": "sk-literal-secret"}]}),
        ("prompt_guards", {"anything": {"api_key": "sk-literal-secret", "password": "sk-literal-secret"}}),
        ("model_metrics_sources", [{"type": "latency", "provider": "prometheus", "query": "q",
                                    "url": "http://u:sk-literal-secret@h/?key=sk-literal-secret"}]),
    ],
)  # fmt: skip
def test_no_secret_is_told_before_or_after(path: str, value: Any) -> None:
    document = changed(path, value)
    for changes in (found(document), compare(runtime(document), runtime(DOCUMENT))):
        assert changes
        text = json.dumps([asdict(change) for change in changes])
        assert "sk-" not in text


def test_two_literal_keys_differ_without_being_shown() -> None:
    old, new = (changed("model_providers/0/access_key", key) for key in ("sk-literal-one", "sk-literal-two"))
    assert compare(runtime(old), runtime(new)) == [
        of("changed", "model_providers", "openai/gpt-4o", "access_key", "(hidden)", "(hidden)", secret=True)
    ]


def test_of_variables_only_those_known_on_both_sides_can_have_changed() -> None:
    changes = changed_secrets({"A": "1", "B": "1", "C": "1"}, {"A": "1", "B": "2", "D": "1"})
    assert changes == [Change("changed", "secrets", "$B")]


def test_the_summary_counts_by_kind_of_thing() -> None:
    document = changed("model_providers/3", {"model": "groq/x", "access_key": "$OTHER_KEY"},
                       **{"model_providers/4": {"model": "groq/y", "access_key": "$OTHER_KEY"},
                          "ratelimits/0/limit/tokens": 10,
                          "routing_preferences": DOCUMENT["routing_preferences"][::-1]})  # fmt: skip
    assert summary(found(document)) == "2 models added, order of routing preferences changed, 1 limit changed"
    assert summary([]) == "nothing changed"


class _Extra(msgspec.Struct, frozen=True, kw_only=True):
    certificate: str = ""
    names: tuple[str, ...] = ()


class _Later(RuntimeConfig, frozen=True, kw_only=True):
    """The configuration of a later version."""

    doors: _Extra | None = None
    gates: tuple[_Extra, ...] = ()


def test_sections_that_nobody_told_it_about_are_compared_by_path(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("planoctl.config.compare.RuntimeConfig", _Later)
    old = _Later(version="v", doors=_Extra(certificate="a"))
    new = _Later(version="v", doors=_Extra(certificate="b"), gates=(_Extra(certificate="c"),))
    changes = compare(old, new)
    assert changes[0] == of("changed", "settings", "doors.certificate", "doors.certificate", "a", "b")
    assert changes[1] == of("added", "gates", "c", "certificate", None, "c")
    assert summary(changes) == "1 setting changed, 1 entry of gates added"


_REFERENCE = yaml.safe_load((Path(__file__).parents[3] / "data" / "plano_config_full_reference.yaml").read_text())


def _leaf_paths(node: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    children = node.items() if isinstance(node, dict) else enumerate(node) if isinstance(node, list) else ()
    if not children:
        return [path]
    return [leaf for key, child in children if key != "version" for leaf in _leaf_paths(child, (*path, key))]


@given(st.lists(st.sampled_from(_leaf_paths(_REFERENCE)), min_size=1, max_size=3), st.data())
@settings(max_examples=60, deadline=None)
def test_whatever_differs_in_what_runs_is_a_change_and_nothing_else_is(paths: list[Any], data: st.DataObject) -> None:
    environment = dict.fromkeys(("OPENAI", "ANTHROPIC", "MISTRAL", "GROQ", "CUSTOM"), "k")
    environment = {f"{name}_API_KEY": value for name, value in environment.items()}
    document = deepcopy(_REFERENCE)
    for path in paths:
        node: Any = document
        for key in path[:-1]:
            node = node[key]
        node[path[-1]] = data.draw(st.sampled_from([node[path[-1]], "30s", 7, True, "openai/gpt-4o"]))
    try:
        old, new = (load_document(each, environment=environment).runtime for each in (_REFERENCE, document))
    except ConfigError:
        return
    assert bool(compare(old, new)) == (old != new)


def test_a_running_gateway_is_told_of_new_addresses_and_takes_up_the_rest() -> None:
    def told(document: dict[str, Any]) -> list[Effect]:
        return effects(runtime(DOCUMENT), runtime(document), lambda _: "")

    assert told(changed("model_aliases/fast")) == [Effect("live")]
    assert told(changed("listeners/0/port", 13000)) == [
        Effect("address", "0.0.0.0:13000 (llm)"), Effect("closed", "0.0.0.0:12000 (llm)"), Effect("live"),
    ]  # fmt: skip
    assert told(changed("listeners/0/name", "models"))[0] == Effect("reopened", "0.0.0.0:12000 (models)")


def test_a_restart_is_asked_for_with_the_section_that_needs_it() -> None:
    def bootstrap(config: RuntimeConfig) -> str:
        return str(config.overrides.max_request_bytes)

    old = RuntimeConfig(version="v")
    new = RuntimeConfig(version="v", overrides=Overrides(max_request_bytes=1), system_prompt="x")
    assert effects(old, new, bootstrap) == [Effect("restart", "overrides"), Effect("live")]
