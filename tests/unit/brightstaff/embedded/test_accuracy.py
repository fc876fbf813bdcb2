"""The figures of docs/routing.md, as floors: what falls below them was made worse."""

import pytest

from brightstaff.embedded import EmbeddedRouter
from brightstaff.embedded.lexical import WordSpace
from brightstaff.embedded.space import Space
from brightstaff.embedded.vectors import VectorSpace
from tests.bench.embedded_router import examples, measure, most_shared_words, preference_sets

HELD_OUT = [example for example in examples() if example.part == "held-out"]


@pytest.mark.parametrize(
    ("space", "accuracy", "matched", "none_precision", "none_recall"),
    [(VectorSpace.load(), 0.72, 0.69, 0.58, 0.78), (WordSpace(), 0.64, 0.58, 0.49, 0.77)],
    ids=["vectors", "words"],
)
def test_held_out_conversations_are_routed_well_above_the_keyword_baseline(
    space: Space, accuracy: float, matched: float, none_precision: float, none_recall: float
) -> None:
    router = EmbeddedRouter(space)
    figures = measure(lambda preferences, turns: router.decide(preferences, turns).route, HELD_OUT)
    baseline = measure(most_shared_words, HELD_OUT)
    assert figures.accuracy > baseline.accuracy + 0.2
    assert figures.accuracy >= accuracy
    assert figures.matched >= matched
    assert figures.none_precision >= none_precision
    assert figures.none_recall >= none_recall


def test_the_labels_are_names_of_their_set() -> None:
    names = {group: {one.name for one in preferences} for group, preferences in preference_sets().items()}
    assert all(example.expected is None or example.expected in names[example.set] for example in examples())


def test_no_conversation_is_in_both_parts() -> None:
    held_out = {(example.set, example.conversation) for example in HELD_OUT}
    assert not [e for e in examples() if e.part == "calibration" and (e.set, e.conversation) in held_out]
