import pytest

from hermesllm import tokenizer
from hermesllm.tokenizer import CL100K, O200K, count_tokens, estimate_tokens, vocabulary

SENTENCE = "How many tokens does this sentence have?"
PROSE = "".join(
    f"Sentence number {number} tells of a river, a bridge and {number * 7} boats.\n" for number in range(20_000)
)


@pytest.mark.parametrize(
    ("model", "name"),
    [
        ("gpt-4", CL100K),
        ("gpt-4-turbo", CL100K),
        ("gpt-4-0613", CL100K),
        ("gpt-4o", O200K),
        ("gpt-4o-mini", O200K),
        ("gpt-4.1", O200K),
        ("gpt-4.5-preview", O200K),
        ("gpt-3.5-turbo", O200K),
        ("claude-sonnet-4-5", O200K),
    ],
)
def test_each_model_has_its_vocabulary(model: str, name: str) -> None:
    assert vocabulary(model) == name


def test_a_text_has_the_tokens_of_the_specification() -> None:
    assert count_tokens(SENTENCE, vocabulary("gpt-3.5-turbo")) == 8
    assert count_tokens("") == estimate_tokens("") == 0


def test_special_tokens_and_broken_text_are_text() -> None:
    assert count_tokens("<|endoftext|>") > 1
    assert count_tokens("a\ud800b") > 1


def test_long_texts_are_counted_whole_and_estimated_closely() -> None:
    exact = count_tokens(PROSE)
    assert exact > 300_000
    assert estimate_tokens(PROSE) == pytest.approx(exact, rel=0.05)


def test_a_long_text_whose_parts_differ_is_not_taken_for_its_cheap_beginning() -> None:
    mixed = " " * 300_000 + PROSE[:900_000]
    assert estimate_tokens(mixed) > 0.7 * count_tokens(mixed)


def test_without_vocabularies_four_bytes_are_a_token(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tokenizer, "_encoding", lambda name: None)
    assert count_tokens("a") == 1
    assert count_tokens("日本語") == 3
    assert count_tokens("") == 0
