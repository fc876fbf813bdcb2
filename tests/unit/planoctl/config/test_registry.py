import pytest

from planoctl.config.registry import ModelRegistry
from planoctl.config.routing_model import routing_model
from planoctl.config.runtime import ModelAlias, ModelProvider, Overrides, RuntimeConfig


def registry(*entries: ModelProvider) -> ModelRegistry:
    return ModelRegistry(RuntimeConfig(version="v0.4.0", model_providers=entries))


def wildcard(prefix: str, interface: str, name: str | None = None) -> ModelProvider:
    return ModelProvider(name=name or f"{prefix}/*", provider_interface=interface, model="*", wildcard_prefix=prefix)


MINE = ModelProvider(name="my-openai", provider_interface="openai", model="gpt-4")


@pytest.mark.parametrize(
    ("entry", "lookup", "name"),
    [
        (MINE, "gpt-4", "my-openai"),
        (MINE, "my-openai", "my-openai"),
        (wildcard("openai", "openai"), "openai/gpt-4", "openai/gpt-4"),
        (wildcard("openai", "openai"), "gpt-4", "openai/gpt-4"),
        (wildcard("custom-provider", "openai"), "custom-provider/custom-model", "custom-provider/custom-model"),
        (wildcard("openai", "openai", "My OpenAI"), "openai/new-model", "openai/new-model"),
        (wildcard("together_ai/openai", "together_ai"), "together_ai/openai/oss", "together_ai/openai/oss"),
    ],
)
def test_names_are_found_as_the_specification_lists_them(entry: ModelProvider, lookup: str, name: str) -> None:
    found = registry(entry).resolve(lookup)
    assert found is not None
    assert (found.name, found.model) == (name, lookup.removeprefix("my-openai").rpartition("/")[2] or "gpt-4")


def test_the_first_of_two_entries_with_one_bare_id_is_meant_by_it_and_both_by_their_full_names() -> None:
    both = registry(
        ModelProvider(name="openai/llama", provider_interface="openai", model="llama"),
        ModelProvider(name="mistral/llama", provider_interface="mistral", model="llama"),
    )
    found = [both.resolve(name) for name in ("llama", "openai/llama", "mistral/llama")]
    assert [candidate and candidate.provider.id for candidate in found] == ["openai", "openai", "mistral"]


def test_a_model_listed_explicitly_wins_over_a_wildcard_that_stands_before_it() -> None:
    explicit = ModelProvider(name="openai/gpt-4", provider_interface="openai", model="gpt-4", access_key="special")
    found = registry(wildcard("openai", "openai"), explicit).resolve("openai/gpt-4")
    assert found is not None
    assert found.entry is explicit


def test_the_list_names_each_model_once_in_order_and_no_internal_one() -> None:
    listed = registry(
        ModelProvider(name="mine", provider_interface="openai", model="gpt-4"),
        wildcard("xiaomi", "xiaomi"),
        ModelProvider(name="arch-function", provider_interface="plano", model="Arch-Function", internal=True),
    ).names()
    assert listed[0] == "mine"
    assert len(listed) > 1
    assert all(name.startswith("xiaomi/") for name in listed[1:])
    assert len(set(listed)) == len(listed)


def model(name: str, *fallbacks: str) -> ModelProvider:
    return ModelProvider(
        name=name, provider_interface=name.partition("/")[0], model=name.partition("/")[2], fallbacks=fallbacks
    )


FALLING_BACK = ModelRegistry(
    RuntimeConfig(
        version="v0.4.0",
        model_providers=(
            model("openai/a", "anthropic/b", "gone", "openai/a", "quick"),
            model("anthropic/b", "mistral/c"),
            model("mistral/c"),
            wildcard("groq", "groq"),
        ),
        model_aliases={
            "quick": ModelAlias(target="groq/new"),
            "main": ModelAlias(target="openai/a"),
            "alone": ModelAlias(target="openai/a", fallbacks=()),
            "other": ModelAlias(target="openai/a", fallbacks=("mistral/c", "main")),
        },
    )
)


@pytest.mark.parametrize(
    ("name", "names"),
    [
        ("openai/a", ["openai/a", "anthropic/b", "groq/new"]),
        ("a", ["openai/a", "anthropic/b", "groq/new"]),
        ("main", ["openai/a", "anthropic/b", "groq/new"]),
        ("alone", ["openai/a"]),
        ("other", ["openai/a", "mistral/c"]),
        ("anthropic/b", ["anthropic/b", "mistral/c"]),
        ("mistral/c", ["mistral/c"]),
        ("groq/whatever", ["groq/whatever"]),
    ],
)
def test_a_model_falls_back_on_what_its_entry_or_its_alias_names_once_each_and_not_further(
    name: str, names: list[str]
) -> None:
    candidate = FALLING_BACK.resolve(name)
    assert candidate is not None
    assert [found.name for found in FALLING_BACK.with_fallbacks(name, candidate)] == names
    assert [found.name for found in FALLING_BACK.chain([name])] == names


def test_the_fallbacks_of_ranked_models_come_after_all_of_them() -> None:
    found = FALLING_BACK.chain(["anthropic/b", "nobody/knows", "main", "openai/a"])
    assert [candidate.name for candidate in found] == ["anthropic/b", "openai/a", "mistral/c", "groq/new"]
    assert FALLING_BACK.chain([]) == FALLING_BACK.chain(["nobody/knows"]) == []


@pytest.mark.parametrize(
    ("named", "model"),
    [
        (None, None),
        ("", None),
        ("embedded", None),
        ("openai/a", "openai/a"),
        ("main", "openai/a"),
        ("plano/openai/a", "openai/a"),
        ("groq/small", "groq/small"),
        ("nobody/knows", None),
        ("arch-function", None),
    ],
)
def test_only_a_declared_model_takes_routing_decisions(named: str | None, model: str | None) -> None:
    internal = ModelProvider(name="arch-function", provider_interface="plano", model="Arch-Function", internal=True)
    config = RuntimeConfig(
        version="v0.4.0",
        model_providers=(
            ModelProvider(name="openai/a", provider_interface="openai", model="a"),
            wildcard("groq", "groq"),
            internal,
        ),
        model_aliases={"main": ModelAlias(target="openai/a")},
        overrides=Overrides(llm_routing_model=named),
    )
    found = routing_model(config, ModelRegistry(config))
    assert (found and found.name) == model
