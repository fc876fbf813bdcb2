"""What speaks for each preference in a conversation, and for none of them; and the decision that follows."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from brightstaff.embedded.space import Index, Space, Weights
from brightstaff.embedded.text import content_words, segments
from brightstaff.embedded.topics import Topic, all_topics
from brightstaff.routing.types import Turn

# A last turn of few words, such as "now in German", is read together with the one before it:
# (words up to which, share of the earlier turn's evidence).
_CONTEXT = ((3, 0.4), (7, 0.2))


@dataclass(frozen=True, slots=True)
class Evidence:
    """`direct`: likeness to name or description of each preference. `topical`: to the topics of each preference.
    `elsewhere`: to the nearest topic of no preference. `chatter`: to greetings, thanks and the like."""

    direct: tuple[float, ...]
    topical: tuple[float, ...]
    elsewhere: float
    chatter: float


@dataclass(frozen=True, slots=True)
class PreparedPreference:
    """`topics`: (place in the list of topics, 0…1 how much that topic belongs to the preference)."""

    index: Index
    topics: tuple[tuple[int, float], ...]


class Comparer:
    """Compares conversations with preferences in one space. Safe to use from several threads."""

    def __init__(self, space: Space, topics: Sequence[Topic] | None = None) -> None:
        self.space = space
        self._known = all_topics() if topics is None else topics
        self._topics = space.index([topic.text for topic in self._known])

    def prepare(self, name: str, description: str) -> PreparedPreference:
        index = self.space.index([name, description])
        nearest = map(max, *(self._topics.similarities(text) for text in (name, description)))
        low, high = self.space.unrelated, self.space.related
        shares = (
            (place, min(1.0, (similarity - low) / (high - low)))
            for place, (topic, similarity) in enumerate(zip(self._known, nearest, strict=True))
            if similarity > low and not topic.chatter
        )
        return PreparedPreference(index, tuple(shares))

    def evidence(self, preferences: Sequence[PreparedPreference], conversation: Sequence[Turn]) -> Evidence | None:
        """None where the user said nothing."""
        asked = [parts for turn in conversation if turn.role == "user" and (parts := segments(turn.text))]
        if not asked:
            return None
        latest = self._of_text(preferences, asked[-1])
        share = _context_share(asked[-1])
        if len(asked) == 1 or not share:
            return latest
        earlier = self._of_text(preferences, asked[-2])
        return Evidence(
            tuple(new + share * old for new, old in zip(latest.direct, earlier.direct, strict=True)),
            tuple(new + share * old for new, old in zip(latest.topical, earlier.topical, strict=True)),
            latest.elsewhere,
            latest.chatter,
        )

    def _of_text(self, preferences: Sequence[PreparedPreference], parts: Sequence[str]) -> Evidence:
        each = [self._of_segment(preferences, part) for part in parts]
        return Evidence(
            tuple(map(max, zip(*(one.direct for one in each), strict=True))),
            tuple(map(max, zip(*(one.topical for one in each), strict=True))),
            sum(one.elsewhere for one in each) / len(each),
            sum(one.chatter for one in each) / len(each),
        )

    def _of_segment(self, preferences: Sequence[PreparedPreference], segment: str) -> Evidence:
        topics = self._topics.similarities(segment)
        claimed = [0.0] * len(topics)
        for preference in preferences:
            for place, share in preference.topics:
                claimed[place] = max(claimed[place], share)
        free = [(topic, max(0.0, s) * (1 - c)) for topic, s, c in zip(self._known, topics, claimed, strict=True)]
        return Evidence(
            tuple(max(0.0, *preference.index.similarities(segment)) for preference in preferences),
            tuple(max((topics[at] * share for at, share in one.topics), default=0.0) for one in preferences),
            max(value for topic, value in free if not topic.chatter),
            max(value for topic, value in free if topic.chatter),
        )


def probabilities(evidence: Evidence, weights: Weights) -> list[float]:
    """Of each preference, in order, and last that none of them fits. Zero for one that nothing speaks for."""
    logits = [
        weights.direct * direct + weights.topical * topical if direct or topical else -math.inf
        for direct, topical in zip(evidence.direct, evidence.topical, strict=True)
    ]
    logits.append(weights.bias + weights.elsewhere * evidence.elsewhere + weights.chatter * evidence.chatter)
    highest = max(logits)
    powers = [math.exp(logit - highest) for logit in logits]
    return [power / sum(powers) for power in powers]


def _context_share(parts: Sequence[str]) -> float:
    words = len({word for part in parts for word in content_words(part)})
    return next((share for most, share in _CONTEXT if words <= most), 0.0)
