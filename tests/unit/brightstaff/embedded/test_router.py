import logging
import subprocess
import sys
from collections.abc import Sequence

import pytest

from brightstaff.embedded import EmbeddedRouter
from brightstaff.embedded import router as router_module
from brightstaff.embedded.lexical import WordSpace
from brightstaff.embedded.space import Space
from brightstaff.embedded.vectors import VectorSpace, VectorsUnavailable
from brightstaff.routing.types import Choice, Turn
from planoctl.config.runtime import RoutingPreference

SPACES: list[Space] = [VectorSpace.load(), WordSpace()]


def preference(name: str, description: str) -> RoutingPreference:
    return RoutingPreference(name=name, description=description, models=("openai/gpt-4o",))


PREFERENCES = [
    preference("coding", "writing new functions and scripts"),
    preference("medicine", "symptoms, illnesses and medication"),
    preference("cooking", "recipes and meal ideas"),
]


@pytest.fixture(params=SPACES, ids=lambda space: space.name)
def router(request: pytest.FixtureRequest) -> EmbeddedRouter:
    return EmbeddedRouter(request.param)


def said(*texts: str) -> list[Turn]:
    return [Turn(("user", "assistant")[place % 2], text) for place, text in enumerate(texts)]


@pytest.mark.parametrize(
    ("text", "route"),
    [
        ("Write a Python function that reverses a string", "coding"),
        ("I have a fever and a sore throat", "medicine"),
        ("Give me a recipe for onion soup", "cooking"),
        ("hello", None),
        ("thank you, bye", None),
        ("who won the football match last night?", None),
    ],
)
async def test_the_preference_that_fits_is_chosen(router: EmbeddedRouter, text: str, route: str | None) -> None:
    assert (await router.choose(PREFERENCES, said(text))).route == route


async def test_scores_are_probabilities_by_name_and_leave_room_for_none(router: EmbeddedRouter) -> None:
    choice = await router.choose(PREFERENCES, said("Give me a recipe for onion soup"))
    assert set(choice.scores) == {"coding", "medicine", "cooking"}
    assert 0.5 < choice.scores["cooking"] <= sum(choice.scores.values()) < 1


@pytest.mark.parametrize(
    "conversation", [[], said(""), said("  \n "), [Turn("assistant", "Give me a recipe for onion soup")]], ids=str
)
async def test_a_conversation_in_which_the_user_said_nothing_fits_no_preference(
    router: EmbeddedRouter, conversation: Sequence[Turn]
) -> None:
    assert await router.choose(PREFERENCES, conversation) == Choice(None)


async def test_without_preferences_there_is_no_route(router: EmbeddedRouter) -> None:
    assert await router.choose([], said("Write a function")) == Choice(None)


async def test_a_short_answer_is_read_with_the_turn_before_it(router: EmbeddedRouter) -> None:
    answered = said("Give me a recipe for onion soup", "For how many?", "six, please")
    assert (await router.choose(PREFERENCES, answered)).route == "cooking"
    assert (await router.choose(PREFERENCES, said("six, please"))).route is None


async def test_the_latest_intent_outweighs_the_one_before_it(router: EmbeddedRouter) -> None:
    turned = said("Give me a recipe for onion soup", "Slice the onions ...", "I have a fever and a sore throat now")
    assert (await router.choose(PREFERENCES, turned)).route == "medicine"


async def test_a_prefilled_answer_hides_not_the_question_before_it(router: EmbeddedRouter) -> None:
    assert (await router.choose(PREFERENCES, said("Give me a recipe for onion soup", "Sure:"))).route == "cooking"


@pytest.mark.parametrize("asked", ["{question}\n{paste}", "{paste}\n{question}"])
async def test_the_question_is_found_at_either_end_of_a_megabyte(router: EmbeddedRouter, asked: str) -> None:
    text = asked.format(question="Give me a recipe for onion soup.", paste="0123456789 abcdefghij\n" * 50_000)
    assert (await router.choose(PREFERENCES, said(text))).route == "cooking"


@pytest.mark.parametrize("text", ["ഇന്ന് കാലാവസ്ഥ എങ്ങനെ", "𓀀𓂀𓃰 𓆣", "🙂🙃", "?!", "\x00\ufffd", "\ud800"], ids=ascii)
async def test_what_cannot_be_read_fits_no_preference(router: EmbeddedRouter, text: str) -> None:
    assert (await router.choose(PREFERENCES, said(text))).route is None


async def test_of_preferences_with_one_name_the_last_counts(router: EmbeddedRouter) -> None:
    twice = [*PREFERENCES, preference("coding", "football matches and their results")]
    assert (await router.choose(twice, said("who won the football match last night?"))).route == "coding"


async def test_prepared_preferences_are_remembered_up_to_a_bound(
    router: EmbeddedRouter, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(router_module, "_REMEMBERED", 3)
    await router.choose(PREFERENCES, said("hello"))
    first = router._prepared["cooking", "recipes and meal ideas"]
    await router.choose([PREFERENCES[2], preference("wine", "grapes")], said("hello"))
    assert router._prepared["cooking", "recipes and meal ideas"] is first
    assert len(router._prepared) == 3
    assert ("coding", "writing new functions and scripts") not in router._prepared


async def test_words_are_compared_where_the_vectors_are_missing(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def missing() -> VectorSpace:
        raise VectorsUnavailable("the package wordllama is not installed")

    monkeypatch.setattr(VectorSpace, "load", missing)
    with caplog.at_level(logging.WARNING):
        router = EmbeddedRouter()
    assert "planoctl[router]" in caplog.text
    assert (await router.choose(PREFERENCES, said("Give me a recipe for onion soup"))).route == "cooking"


def test_vectors_of_another_form_are_reported(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("brightstaff.embedded.vectors._TENSOR", "other")
    with pytest.raises(VectorsUnavailable, match="cannot be read"):
        VectorSpace.load()


def test_loading_and_deciding_open_no_connection() -> None:
    program = """
import sys
def refuse(event, args):
    if event.startswith("socket."):
        raise OSError("network is off: " + event)
sys.addaudithook(refuse)
from brightstaff.embedded import EmbeddedRouter
from brightstaff.embedded.vectors import VectorSpace
from brightstaff.routing.types import Turn
from planoctl.config.runtime import RoutingPreference
one = RoutingPreference(name="cooking", description="recipes", models=("m",))
print(EmbeddedRouter(VectorSpace.load()).decide([one], [Turn("user", "a recipe for soup")]).route)
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60)
    assert done.stdout.strip() == "cooking", done.stderr
