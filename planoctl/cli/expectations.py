"""How decisions compare with what was expected of them."""

from collections import Counter
from collections.abc import Iterable, Sequence

from planoctl.cli.prompts import NONE, Case
from planoctl.config.dry_run import Answer

Result = tuple[Case, Answer]


def met(case: Case, answer: Answer) -> bool:
    """Whether the decision is the expected one; a failure never is."""
    return answer.outcome != "failed" and answer.route == case.expected


def met_and_labelled(results: Iterable[Result]) -> tuple[int, int]:
    """How many expectations are met, and how many there are."""
    outcomes = [met(case, answer) for case, answer in results if case.labelled]
    return sum(outcomes), len(outcomes)


def accuracy(results: Sequence[Result]) -> float:
    """The expectations that are met, in percent; 100 if there are none."""
    right, labelled = met_and_labelled(results)
    return 100 * right / labelled if labelled else 100.0


def mistakes(results: Iterable[Result]) -> list[tuple[str, str, int]]:
    """What was expected, what was decided instead, and how often; the most frequent first."""
    counts = Counter(
        (case.expected or NONE, decided(answer)) for case, answer in results if case.labelled and not met(case, answer)
    )
    return [(expected, instead, count) for (expected, instead), count in counts.most_common()]


def decided(answer: Answer) -> str:
    return "failed" if answer.outcome == "failed" else answer.route or NONE
