"""What a run came to: a table of pairs, the faults in words, and the same as JSON."""

from collections import defaultdict
from collections.abc import Iterable, Iterator
from typing import Any

from tests.conformance.runner import Result

_FAULTS_SHOWN = 12


def table(results: Iterable[Result]) -> str:
    """One line per pair: cases, variants, cases passed, cases failed."""
    pairs: dict[str, list[Result]] = defaultdict(list)
    for result in results:
        pairs[result.case.pair].append(result)
    rows = [_row(pair, members) for pair, members in sorted(pairs.items())]
    total = _row("all", [result for members in pairs.values() for result in members])
    lines = [("pair", "cases", "variants", "passed", "failed"), *rows, total]
    return "\n".join(f"{line[0]:22}" + "".join(f"{cell:>10}" for cell in line[1:]) for line in lines)


def _row(pair: str, results: list[Result]) -> tuple[str, ...]:
    passed = sum(result.passed for result in results)
    variants = sum(result.variants for result in results)
    return (pair, str(len(results)), str(variants), str(passed), str(len(results) - passed))


def faults(results: Iterable[Result]) -> Iterator[str]:
    """For each failed case what was wrong; variants that fail in the same way are named together."""
    for result in results:
        if result.passed:
            continue
        yield f"FAILED {result.case.name}: {result.case.title}"
        variants: dict[tuple[str, ...], list[str]] = defaultdict(list)
        for variant, found in result.faults.items():
            variants[tuple(found)].append(variant)
        for lines, names in variants.items():
            yield f"  {', '.join(names)}:"
            yield from (f"    {line}" for line in lines[:_FAULTS_SHOWN])
            if len(lines) > _FAULTS_SHOWN:
                yield f"    and {len(lines) - _FAULTS_SHOWN} more"


def as_json(results: Iterable[Result]) -> list[dict[str, Any]]:
    return [
        {
            "case": result.case.name,
            "title": result.case.title,
            "variants": result.variants,
            "passed": result.passed,
            "faults": result.faults,
        }
        for result in results
    ]
