"""Reduces texts of any size to the few short ones that are compared, and to their words."""

import re

_WHOLE = 200  # characters up to which a text is compared as it is
_END = 300  # characters kept of either end of a longer one: the task stands before or after what was pasted
_WORD = re.compile(r"[^\W_]+(?:[+#]+|'[a-z]+)?")
_SENTENCE_END = re.compile(r"(?<=[.!?:\n])\s+|\n+")

_STOP_WORDS = frozenset(
    """a about all also am an and any anything are as ask asks at be been being but by can could did do does
    doing don't done down each either even ever every few for from gave general get give go got had has have
    having he help her here his how i i'd i'll i'm i've if in into is isn't it it's its just let let's made
    make many may me might mine more most much must my need needed neither no none nor not of off on once one
    only onto or other our out over own please question questions regarding related same shall she should show
    so some still such tell than that that's the their them then there these they thing things this those
    three to too two under up us user users various very want wanted was we were what what's when where which
    who whom whose why will with without would yet you your
    """.split()  # noqa: SIM905 - a hundred quoted words read worse
)


def segments(text: str) -> list[str]:
    """The text itself if it is short; else its two ends in one, its first sentence and its last, lower-cased.

    Takes the same time for a text of any size. Empty for a text without a letter or digit.
    """
    if len(text) <= 2 * _END:
        whole, head, tail = text, text, text
    else:
        head, tail = text[:_END], text[-_END:]
        whole = f"{head} {tail}"
    whole = _readable(whole)
    if not _WORD.search(whole):
        return []
    if len(whole) <= _WHOLE:
        return [whole]
    first = _sentences(head)[:1]
    last = _sentences(tail)[-1:]
    return [whole, *(sentence[:_WHOLE] for sentence in first), *(sentence[-_WHOLE:] for sentence in last)]


def content_words(text: str) -> list[str]:
    """The words of a lower-cased text that carry meaning, in order, each once."""
    words = dict.fromkeys(_WORD.findall(text))
    return [word for word in words if word not in _STOP_WORDS and (len(word) > 1 or not word.isascii())]


def _sentences(text: str) -> list[str]:
    return [sentence for part in _SENTENCE_END.split(_readable(text)) if _WORD.search(sentence := part.strip())]


def _readable(text: str) -> str:
    """Lower case, without the lone surrogates that JSON may smuggle in and a tokenizer refuses."""
    return text.encode(errors="replace").decode().strip().lower()
