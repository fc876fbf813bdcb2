"""Accuracy, time and memory of the embedded router on labelled conversations: `python -m tests.bench.embedded_router`.

`--fit` prints the weights that suit the calibration part best, for `Space.weights`; the held-out part is not looked at.
"""

import argparse
import json
import math
import os
import re
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import astuple, dataclass
from pathlib import Path

import psutil

from brightstaff.embedded import EmbeddedRouter
from brightstaff.embedded.evidence import Comparer, Evidence, probabilities
from brightstaff.embedded.lexical import WordSpace
from brightstaff.embedded.space import Space, Weights
from brightstaff.embedded.topics import all_topics
from brightstaff.embedded.vectors import VectorSpace
from brightstaff.routing.types import Turn
from planoctl.config.runtime import RoutingPreference

DATA = Path(__file__).resolve().parents[1] / "data" / "routing"
SPACES: dict[str, Callable[[], Space]] = {"vectors": VectorSpace.load, "words": WordSpace}
_CLAIMED = 0.2  # share from which a topic is one of a preference's field
Answer = Callable[[Sequence[RoutingPreference], Sequence[Turn]], str | None]


@dataclass(frozen=True)
class Example:
    """`expected` is None where no preference of the set fits."""

    set: str
    part: str
    kind: str
    expected: str | None
    conversation: tuple[Turn, ...]


@dataclass(frozen=True)
class Figures:
    """Shares of 1, NaN where nothing was to be shared.

    `matched`: right among those that a preference fits; precision and recall are of "none".
    """

    count: int
    accuracy: float
    matched: float
    none_precision: float
    none_recall: float

    def __str__(self) -> str:
        shares = (self.accuracy, self.matched, self.none_precision, self.none_recall)
        return f"{self.count} | " + " | ".join("–" if math.isnan(share) else f"{100 * share:.0f} %" for share in shares)


def preference_sets() -> dict[str, list[RoutingPreference]]:
    sets = json.loads((DATA / "preferences.json").read_text("utf-8"))
    return {name: [RoutingPreference(**entry, models=("m",)) for entry in entries] for name, entries in sets.items()}


def examples() -> list[Example]:
    lines = (json.loads(line) for line in (DATA / "labelled.jsonl").read_text("utf-8").splitlines())
    return [
        Example(
            line["set"],
            line["split"],
            line["kind"],
            line["expected"],
            tuple(Turn(**turn) for turn in line["conversation"]),
        )
        for line in lines
    ]


def most_shared_words(preferences: Sequence[RoutingPreference], conversation: Sequence[Turn]) -> str | None:
    """The baseline: the preference whose name and description share most words with the last user turn."""
    asked = _long_words(next(turn.text for turn in reversed(conversation) if turn.role == "user"))
    shared = {one.name: len(asked & _long_words(f"{one.name} {one.description}")) for one in preferences}
    best = max(shared, key=shared.__getitem__)
    return best if shared[best] else None


def _long_words(text: str) -> set[str]:
    return {word for word in re.findall(r"\w+", text.lower()) if len(word) > 3}


def measure(answer: Answer, among: Sequence[Example]) -> Figures:
    sets = preference_sets()
    pairs = [(example.expected, answer(sets[example.set], example.conversation)) for example in among]
    matched = [said == expected for expected, said in pairs if expected is not None]
    said_none = [expected is None for expected, said in pairs if said is None]
    is_none = [said is None for expected, said in pairs if expected is None]
    return Figures(
        len(pairs),
        _share([said == expected for expected, said in pairs]),
        _share(matched),
        _share(said_none),
        _share(is_none),
    )


def _share(hits: Sequence[bool]) -> float:
    return sum(hits) / len(hits) if hits else math.nan


def fitted(space: Space, among: Sequence[Example], *, steps: int = 1500, rate: float = 0.05) -> Weights:
    """Maximum likelihood with a light pull to zero, by Adam.

    Each example counts twice: as it is, and as if no topic were known of the fields of its preferences, so that the
    weights also suit preferences of a field that `topics.txt` lacks.
    """
    cases = [case for withhold in (False, True) for case in _cases(space, among, withhold=withhold) if _winnable(*case)]
    weights = list(astuple(Weights(5.0, 5.0, 1.0, 3.0, 3.0)))
    momentum, scale = [0.0] * 5, [0.0] * 5
    for step in range(1, steps + 1):
        slopes = [0.001 * weight for weight in weights]
        for found, right in cases:
            errors = probabilities(found, Weights(*weights))
            errors[right] -= 1
            none = errors.pop()
            parts = (
                sum(error * value for error, value in zip(errors, found.direct, strict=True)),
                sum(error * value for error, value in zip(errors, found.topical, strict=True)),
                none,
                none * found.elsewhere,
                none * found.chatter,
            )
            slopes = [slope + part / len(cases) for slope, part in zip(slopes, parts, strict=True)]
        for at, slope in enumerate(slopes):
            momentum[at] = 0.9 * momentum[at] + 0.1 * slope
            scale[at] = 0.999 * scale[at] + 0.001 * slope * slope
            size = math.sqrt(scale[at] / (1 - 0.999**step)) + 1e-8
            weights[at] -= rate * momentum[at] / (1 - 0.9**step) / size
    return Weights(*(round(weight, 1) for weight in weights))


def _winnable(found: Evidence, right: int) -> bool:
    """Whether any weights can give the right answer."""
    return right == len(found.direct) or found.direct[right] > 0 or found.topical[right] > 0


def _cases(space: Space, among: Sequence[Example], *, withhold: bool) -> Iterator[tuple[Evidence, int]]:
    """The evidence of each example, and the place of the right answer (that of "none" is behind the last name)."""
    full = Comparer(space)
    for name, preferences in preference_sets().items():
        prepared = [full.prepare(one.name, one.description) for one in preferences]
        claimed = {place for one in prepared for place, share in one.topics if share > _CLAIMED}
        topics = [topic for place, topic in enumerate(all_topics()) if not (withhold and place in claimed)]
        comparer = Comparer(space, topics)
        prepared = [comparer.prepare(one.name, one.description) for one in preferences]
        names = [preference.name for preference in preferences]
        for example in among:
            if example.set != name:
                continue
            found = comparer.evidence(prepared, example.conversation)
            assert found is not None
            yield found, len(names) if example.expected is None else names.index(example.expected)


def latencies(router: EmbeddedRouter, repeats: int) -> list[float]:
    """Milliseconds of each decision, preferences already known."""
    sets, times = preference_sets(), []
    for _ in range(repeats):
        for example in examples():
            start = time.perf_counter()
            router.decide(sets[example.set], example.conversation)
            times.append((time.perf_counter() - start) * 1000)
    return times


def start_up(name: str) -> None:
    """Prints what loading a space and one decision cost; run in a process of its own."""
    memory, start = psutil.Process().memory_info().rss, time.perf_counter()
    router = EmbeddedRouter(SPACES[name]())
    loaded = time.perf_counter() - start
    preferences = next(iter(preference_sets().values()))
    router.decide(preferences, [Turn("user", "Write a function that sorts a list")])
    grown = psutil.Process().memory_info().rss - memory
    huge = [Turn("user", "Fix this bug. " + "0123456 line of a log\n" * 50_000)]
    begin = time.perf_counter()
    router.decide(preferences, huge)
    spent = (time.perf_counter() - begin) * 1000
    print(f"load {loaded * 1000:.0f} ms, resident memory +{grown / 2**20:.0f} MiB, 1.1 MB prompt {spent:.1f} ms")


def report() -> None:
    labelled = examples()
    held_out = [example for example in labelled if example.part == "held-out"]
    answers: dict[str, Answer] = {"keywords": most_shared_words}
    routers = {name: EmbeddedRouter(make()) for name, make in SPACES.items()}
    for name, router in routers.items():
        answers[name] = lambda preferences, turns, router=router: router.decide(preferences, turns).route
    print("| | part | count | accuracy | matched | none: precision | none: recall |\n|---|---|---|---|---|---|---|")
    for name, answer in answers.items():
        calibration = [example for example in labelled if example.part == "calibration"]
        print(f"| {name} | calibration | {measure(answer, calibration)} |")
        print(f"| {name} | held-out | {measure(answer, held_out)} |")
        for group in dict.fromkeys(example.set for example in held_out):
            print(f"| {name} | held-out, {group} | {measure(answer, [e for e in held_out if e.set == group])} |")
        for kind in dict.fromkeys(example.kind for example in held_out):
            print(f"| {name} | held-out, {kind} | {measure(answer, [e for e in held_out if e.kind == kind])} |")
    for name, router in routers.items():
        times = sorted(latencies(router, 5))
        print(f"{name}: p50 {statistics.median(times):.2f} ms, p99 {times[int(len(times) * 0.99)]:.2f} ms")
        command = [sys.executable, "-m", "tests.bench.embedded_router", "--start-up", name]
        print("   ", subprocess.run(command, check=True, capture_output=True, text=True, env=os.environ).stdout.strip())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--fit", action="store_true")
    parser.add_argument("--start-up", choices=SPACES)
    options = parser.parse_args()
    if options.fit:
        calibration = [example for example in examples() if example.part == "calibration"]
        for name, make in SPACES.items():
            print(name, fitted(make(), calibration))
    elif options.start_up:
        start_up(options.start_up)
    else:
        report()


if __name__ == "__main__":
    main()
