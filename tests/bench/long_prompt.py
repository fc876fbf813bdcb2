"""A conversation of a given length: what an agent sends after it has read many files."""

import random
from functools import cache

_TURN_TOKENS = 500
_TEXT = (
    "the of and to in is you that it he was for on are as with his they at be this have from or one had by word but not"
    " what all were we when your can said there use an each which she do how their if will up other about out many then"
    " them these so some her would make like him into time has look two more write go see number no way could people my"
    " than first water been call who oil its now find long down day did get come made may part over new sound take only"
    " little work know place year live me back give most very after thing our just name good sentence man think say"
    " great where help through much before line right too mean old any same tell boy follow came want show also around"
)


@cache
def conversation(tokens: int) -> list[dict[str, str]]:
    """Chat messages of about `tokens` tokens (every word is one), the last of them the user's."""
    order, words = random.Random(1), _TEXT.split()
    turns = max(1, tokens // _TURN_TOKENS) // 2 * 2 + 1
    roles = ("user", "assistant")
    return [
        {"role": roles[turn % 2], "content": " ".join(order.choices(words, k=tokens // turns))} for turn in range(turns)
    ]
