"""The grammar of behaviours."""

import pytest

from planoctl.mock_provider.behaviour import BEHAVIOURS, Behaviour, BehaviourError, of_request, parse, split_model


def test_header_and_model_suffix_share_a_grammar_and_the_header_wins():
    assert of_request("status=500; crlf", "mock@status=429;gap=0.5") == Behaviour(status=500, crlf=True, gap=0.5)
    assert of_request("", None) == Behaviour()


def test_every_documented_behaviour_is_a_field():
    assert {name.replace("-", "_") for name in BEHAVIOURS} == set(Behaviour.__dataclass_fields__)


@pytest.mark.parametrize("text", ["status=200", "status", "cut=-1", "delay=soon", "chunk=0", "crlf=no", "explode=1"])
def test_wrong_values_are_refused(text):
    with pytest.raises(BehaviourError):
        parse(text)


@pytest.mark.parametrize(
    ("model", "parts"),
    [
        ("mock-gpt", ("mock-gpt", "")),
        ("mock-gpt@status=429;first=1", ("mock-gpt", "status=429;first=1")),
        ("claude@20250101", ("claude@20250101", "")),
        ("mock@reset", ("mock", "reset")),
    ],
)
def test_a_version_in_the_models_name_is_not_a_behaviour(model, parts):
    assert split_model(model) == parts
