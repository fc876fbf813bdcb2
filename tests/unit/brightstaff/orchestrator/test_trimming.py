import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from brightstaff.orchestrator.trimming import Message, trimmed

_BASE = 211
_GREETING = "Hello! How can I assist you today?"
_WARHOL = "given the image In style of Andy Warhol"


def _kept(conversation: list[Message], budget: int, base: int = _BASE) -> list[Message]:
    return trimmed(conversation, budget=budget, base=base, turns=16)


def test_what_fits_is_kept_whole() -> None:
    conversation = [("user", "hi"), ("assistant", _GREETING), ("user", "x" * 74)]
    assert _kept(conversation, 8192) == conversation


def test_an_answer_that_does_not_fit_is_left_out_with_all_before_it() -> None:
    conversation = [("user", "hi"), ("assistant", _GREETING), ("user", "x" * 74)]
    assert _kept(conversation, 235) == conversation[2:]


def test_the_question_stays_whole_where_a_small_budget_is_spent_already() -> None:
    conversation = [("user", "hi"), ("assistant", _GREETING), ("user", "x" * 271)]
    assert _kept(conversation, 200) == conversation[2:]


def test_the_question_is_cut_where_a_small_budget_is_spent_already_and_it_is_long() -> None:
    ((role, text),) = _kept([("user", "head" + "x" * 9000 + "tail")], 200)
    assert role == "user"
    assert text.startswith("head")
    assert text.endswith("tail")
    assert len(text.encode()) == 128 * 4


def test_a_question_that_does_not_fit_is_cut_to_what_remains() -> None:
    conversation = [
        ("user", "hi"),
        ("assistant", _GREETING),
        ("user", _WARHOL),
        ("assistant", "x" * 20),
        ("user", "y" * 45),
    ]
    assert _kept(conversation, 230) == [("user", "given…rhol"), *conversation[3:]]


def test_of_a_long_conversation_the_last_sixteen_messages_are_kept() -> None:
    conversation = [("user" if index % 2 else "assistant", f"turn-{index:03}") for index in range(32)]
    assert _kept(conversation, 10**9) == conversation[16:]
    assert trimmed(conversation, budget=10**9, base=0, turns=None) == conversation


@pytest.mark.parametrize("tail", [40, 4000])
def test_the_users_latest_message_is_kept_before_an_answer_that_was_begun(tail: int) -> None:
    kept = _kept([("user", "old"), ("user", "What is the capital?"), ("assistant", "x" * tail)], 230)
    assert ("user", "What is the capital?") in kept
    assert len(kept) == (3 if tail == 40 else 1)


def test_the_users_latest_message_is_kept_before_many_answers() -> None:
    answers = [("assistant", "x" * 100) for _ in range(40)]
    kept = _kept([("user", "Fix the bug"), *answers], 511)
    assert kept[0] == ("user", "Fix the bug")
    assert 1 < len(kept) < 16


def test_a_conversation_without_questions_keeps_its_newest_answer() -> None:
    ((role, text),) = _kept([("assistant", "old"), ("assistant", "a" * 9000)], 220)
    assert role == "assistant"
    assert len(text.encode()) == 512


def test_nothing_stays_nothing() -> None:
    assert _kept([], 100) == []


_CONVERSATIONS = st.lists(st.tuples(st.sampled_from(["user", "assistant"]), st.text(min_size=1, max_size=900)))


@settings(deadline=None)
@given(_CONVERSATIONS, st.integers(1, 900), st.integers(0, 500))
def test_the_budget_holds_and_the_question_is_there(conversation: list[Message], budget: int, base: int) -> None:
    kept = _kept(conversation, budget, base)
    spent = sum(len(text.encode()) // 4 for _, text in kept)
    assert spent <= max(budget - base, budget // 4, 128)
    assert bool(kept) == bool(conversation)
    assert ("user" in [role for role, _ in kept]) == ("user" in [role for role, _ in conversation])
