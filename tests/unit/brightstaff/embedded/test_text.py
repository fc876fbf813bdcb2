from brightstaff.embedded.text import content_words, segments


def test_a_short_text_is_one_segment_in_lower_case() -> None:
    assert segments("  Fix this Bug. Now! ") == ["fix this bug. now!"]


def test_a_long_text_is_its_ends_its_first_sentence_and_its_last() -> None:
    text = "Explain this. " + "filler words here, " * 40 + "end.\nIs it right?"
    whole, first, last = segments(text)
    assert whole.startswith("explain this. filler")
    assert whole.endswith("is it right?")
    assert (first, last) == ("explain this.", "is it right?")


def test_no_segment_grows_with_the_text() -> None:
    assert max(map(len, segments("x" * 1_000_000))) <= 601


def test_words_without_meaning_are_left_out_and_others_named_once() -> None:
    assert content_words("what is c++ and why is c++ not c#?") == ["c++", "c#"]
