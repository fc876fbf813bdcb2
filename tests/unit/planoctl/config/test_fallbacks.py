"""What `fallbacks` of models and aliases may name."""

import pytest

_HEAD = "version: v0.4.0\nlisteners: [{type: model, name: m, port: 12000}]\n"


def _models(fallbacks: str) -> str:
    return (
        _HEAD
        + f"model_providers:\n- {{model: openai/gpt-4o, access_key: $OPENAI_API_KEY, fallbacks: [{fallbacks}]}}\n"
        + "- {model: mistral/m, name: mine, access_key: $MISTRAL_API_KEY}\n"
        + "- {model: anthropic/*, access_key: $ANTHROPIC_API_KEY}\n"
        + "model_aliases: {fast: {target: mine}}\n"
    )


def _alias(fallbacks: str) -> str:
    return _models("").replace("{target: mine}", f"{{target: mine, fallbacks: [{fallbacks}]}}")


@pytest.mark.parametrize("name", ["mine", "mistral/m", "m", "fast", "anthropic/claude-next"])
def test_models_may_fall_back_on_whatever_a_request_may_name(load, name: str) -> None:
    config = load(_models(name))
    assert config.warnings == ()
    assert config.runtime.model_providers[0].fallbacks == (name,)


def test_an_alias_may_say_that_it_has_none_which_is_not_the_same_as_saying_nothing(load) -> None:
    assert load(_alias("")).runtime.model_aliases["fast"].fallbacks == ()
    assert load(_models("")).runtime.model_aliases["fast"].fallbacks is None
    assert load(_alias("gpt-4o")).runtime.model_aliases["fast"].fallbacks == ("gpt-4o",)


@pytest.mark.parametrize(
    ("text", "path", "owner"),
    [
        (_models("mine, gpt-9"), "model_providers[0].fallbacks[1]", "openai/gpt-4o"),
        (_alias("gpt-9"), "model_aliases.fast.fallbacks[0]", "fast"),
    ],
)
def test_what_is_not_declared_is_refused(faults, text: str, path: str, owner: str) -> None:
    (fault,) = faults(text)
    assert (fault.severity, fault.code, fault.path) == ("error", "undeclared-model", path)
    assert f"'{owner}' falls back on 'gpt-9'" in fault.message


@pytest.mark.parametrize(
    ("text", "path"),
    [
        (_models("openai/gpt-4o"), "model_providers[0].fallbacks[0]"),
        (_alias("gpt-4o, fast"), "model_aliases.fast.fallbacks[1]"),
        (_alias("mine"), "model_aliases.fast.fallbacks[0]"),
    ],
)
def test_what_falls_back_on_itself_is_warned_of(load, text: str, path: str) -> None:
    (warning,) = load(text).warnings
    assert (warning.code, warning.path) == ("own-fallback", path)
