from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from planoctl.config.inline_preferences import (
    MAX_DESCRIPTION_BYTES,
    MAX_MODELS,
    MAX_NAME_BYTES,
    MAX_PREFERENCES,
    InlinePreferences,
    take_inline_preferences,
)
from planoctl.config.runtime import RoutingPreference, SelectionPolicy


def _entry(name: str = "coding", *models: str, **more: Any) -> dict[str, Any]:
    return {"name": name, "description": f"about {name}", "models": list(models or ("openai/gpt-4o",)), **more}


def _taken(preferences: Any) -> InlinePreferences:
    document = {"model": "m", "routing_preferences": preferences}
    taken = take_inline_preferences(document)
    assert document == {"model": "m"}
    assert taken.changed
    return taken


def test_a_request_without_preferences_stays_as_it_is() -> None:
    document = {"model": "m", "messages": [], "metadata": {"user_id": "u"}}
    before = dict(document)
    assert take_inline_preferences(document) == InlinePreferences(False, (), (), changed=False)
    assert document == before


def test_preferences_are_taken_out_and_everything_else_stays() -> None:
    models = ["openai/gpt-4o", "openai/gpt-4o-mini"]
    document = {
        "model": "m",
        "temperature": 0.5,
        "max_tokens": 100,
        "routing_preferences": [_entry("coding", *models, selection_policy={"prefer": "fastest"})],
    }
    taken = take_inline_preferences(document)
    assert document == {"model": "m", "temperature": 0.5, "max_tokens": 100}
    assert taken == InlinePreferences(
        present=True,
        preferences=(
            RoutingPreference(
                name="coding",
                description="about coding",
                models=tuple(models),
                selection_policy=SelectionPolicy(prefer="fastest"),
            ),
        ),
        changed=True,
    )


@pytest.mark.parametrize(
    ("more", "prefer"),
    [
        ({}, "none"),
        ({"selection_policy": None}, "none"),
        ({"selection_policy": {}}, "none"),
        ({"selection_policy": {"prefer": None}}, "none"),
        ({"selection_policy": {"prefer": ""}}, "none"),
        ({"selection_policy": {"prefer": "none"}}, "none"),
        ({"selection_policy": {"prefer": "cheapest"}}, "cheapest"),
    ],
)
def test_without_a_policy_the_order_of_models_counts(more: dict[str, Any], prefer: str) -> None:
    (preference,) = _taken([_entry(**more)]).preferences
    assert preference.selection_policy.prefer == prefer


@pytest.mark.parametrize(
    ("given_value", "place"),
    [
        ("text", "it is not a list"),
        ({}, "it is not a list"),
        (["x"], "routing_preferences[0] is not an object"),
        ([_entry(), {"description": "d", "models": ["m"]}], "routing_preferences[1].name is not a string"),
        ([{"name": "n", "models": ["m"]}], "routing_preferences[0].description is not a string"),
        ([{"name": "n", "description": "d"}], "routing_preferences[0].models is not a list"),
        ([_entry() | {"models": ["m", 5]}], "routing_preferences[0].models[1] is not a string"),
        ([_entry(selection_policy=[])], "routing_preferences[0].selection_policy is not an object"),
        ([_entry(selection_policy={"prefer": "random"})], "selection_policy.prefer is none of"),
        ([_entry(selection_policy={"prefer": ["none"]})], "selection_policy.prefer is none of"),
    ],
)
def test_a_list_that_cannot_be_read_counts_as_absent(given_value: Any, place: str) -> None:
    taken = _taken(given_value)
    assert (taken.present, taken.preferences) == (False, ())
    (warning,) = taken.warnings
    assert place in warning


def test_null_is_absent_without_a_warning() -> None:
    assert _taken(None) == InlinePreferences(changed=True)


def test_an_empty_list_is_present_and_means_no_routing() -> None:
    assert _taken([]) == InlinePreferences(present=True, changed=True)


def test_of_two_entries_with_one_name_the_last_counts() -> None:
    taken = _taken([_entry("a", "old"), _entry("b"), _entry("a", "new")])
    assert {entry.name: entry.models for entry in taken.preferences} == {"a": ("new",), "b": ("openai/gpt-4o",)}
    assert len(taken.warnings) == 1


def test_an_entry_without_models_is_left_out() -> None:
    taken = _taken([_entry("a") | {"models": []}, _entry("b")])
    assert taken.present
    assert [entry.name for entry in taken.preferences] == ["b"]
    assert taken.warnings == ("routing_preferences[0] is ignored: it names no models",)


def test_what_a_client_sends_is_bounded() -> None:
    many = [_entry(f"n{index}", *[f"m{at}" for at in range(MAX_MODELS + 9)]) for index in range(MAX_PREFERENCES + 9)]
    many[0]["description"] = "begin" + "x" * 100_000 + "end"
    many[1]["name"] = "n" * (MAX_NAME_BYTES + 1)
    taken = _taken(many)
    assert len(taken.preferences) == MAX_PREFERENCES - 1
    assert {len(entry.models) for entry in taken.preferences} == {MAX_MODELS}
    description = taken.preferences[0].description
    assert len(description.encode()) <= MAX_DESCRIPTION_BYTES
    assert description.startswith("begin")
    assert description.endswith("end")
    assert len(taken.warnings) == MAX_PREFERENCES + 2


def test_the_older_form_is_converted_and_reported_as_deprecated() -> None:
    document = {
        "model": "m",
        "routing_policy": [
            {"model": "a/1", "routing_preferences": [{"name": "x", "description": "first"}]},
            {"model": "b/2", "routing_preferences": [
                {"name": "x", "description": "second"}, {"name": "y", "description": "why"}]},
        ],
    }  # fmt: skip
    taken = take_inline_preferences(document)
    assert document == {"model": "m"}
    assert taken.present
    assert taken.preferences == (
        RoutingPreference(name="x", description="first", models=("a/1", "b/2")),
        RoutingPreference(name="y", description="why", models=("b/2",)),
    )
    assert taken.warnings == ("routing_policy is deprecated: send routing_preferences instead",)


def test_of_both_forms_the_newer_one_counts() -> None:
    older = [{"model": "a/1", "routing_preferences": [{"name": "x", "description": "d"}]}]
    document = {"routing_policy": older, "routing_preferences": [_entry("new")]}
    assert [entry.name for entry in take_inline_preferences(document).preferences] == ["new"]
    assert document == {}


@pytest.mark.parametrize(
    "older",
    ["x", ["x"], [{"model": 5}], [{"model": "m"}], [{"model": "m", "routing_preferences": [{"name": "n"}]}]],
)
def test_an_older_form_that_cannot_be_read_counts_as_absent(older: Any) -> None:
    document = {"routing_policy": older}
    taken = take_inline_preferences(document)
    assert document == {}
    assert not taken.present
    assert taken.warnings[-1].startswith("routing_policy is ignored: ")


def test_a_large_older_form_is_reported() -> None:
    entry = {"model": "a/1", "routing_preferences": [{"name": "x", "description": "d" * 6000}]}
    taken = take_inline_preferences({"routing_policy": [entry]})
    assert taken.present
    assert "routing_policy is larger than 5120 bytes" in taken.warnings


@pytest.mark.parametrize(
    ("metadata", "left"),
    [
        ({"archgw_preference_config": "x", "user_id": "u"}, {"metadata": {"user_id": "u"}}),
        ({"plano_preference_config": "x", "archgw_preference_config": "y"}, {}),
    ],
)
def test_retired_metadata_never_reaches_a_provider(metadata: dict[str, Any], left: dict[str, Any]) -> None:
    document: dict[str, Any] = {"metadata": metadata}
    assert take_inline_preferences(document) == InlinePreferences(changed=True)
    assert document == left


_ANY = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=3),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(
        st.sampled_from(["name", "description", "models", "model", "selection_policy", "routing_preferences"]),
        inner,
        max_size=4,
    ),
    max_leaves=15,
)  # fmt: skip


@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.dictionaries(st.sampled_from(["routing_preferences", "routing_policy", "metadata", "model"]), _ANY))
def test_anything_may_come(document: dict[str, Any]) -> None:
    taken = take_inline_preferences(document)
    assert not {"routing_preferences", "routing_policy"} & document.keys()
    assert taken.present or not taken.preferences
