"""The general topics of `topics.txt`.

They lend a preference words of its field, and tell when a text is about something that no preference is for.
"""

from dataclasses import dataclass
from functools import cache
from importlib import resources


@dataclass(frozen=True, slots=True)
class Topic:
    """`chatter`: conversation about nothing in particular, such as a greeting; it belongs to no preference."""

    text: str
    chatter: bool


@cache
def all_topics() -> tuple[Topic, ...]:
    lines = resources.files(__package__).joinpath("topics.txt").read_text("utf-8").splitlines()
    return tuple(Topic(line.removeprefix("*"), line.startswith("*")) for line in lines if line and line[0] != "#")
