"""`python -m tests.faults`: tries every case, prints the table and, with --write, puts it into docs/faults.md."""

import argparse
import sys
import tempfile
from pathlib import Path

from tests.faults.case import Result, tried
from tests.faults.document import write_measured
from tests.faults.site import site
from tests.faults.table import SECTIONS


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", default="", help="try the cases whose text has this in it")
    parser.add_argument("--write", action="store_true", help="put the table into docs/faults.md")
    arguments = parser.parse_args()
    tables: dict[str, list[Result]] = {}
    failures = 0
    with tempfile.TemporaryDirectory(prefix="plano-faults-") as folder, site(Path(folder)) as place:
        for section, cases in SECTIONS.items():
            print(f"{section}", flush=True)
            results = tables.setdefault(section, [])
            for case in cases:
                if arguments.only.lower() not in case.fault.lower():
                    continue
                try:
                    results.append(tried(case, place))
                except AssertionError as fault:
                    failures += 1
                    print(f"FAILED  {case.fault}: {fault}", flush=True)
                else:
                    print(f"  {_line(results[-1])}", flush=True)
    print(f"{sum(map(len, tables.values()))} passed, {failures} failed")
    if arguments.write and not failures:
        _write(tables)
    return 1 if failures else 0


def _line(result: Result) -> str:
    if result.skipped:
        return f"| {result.case.fault} | {result.words} | – | – |"
    return f"| {result.case.fault} | {result.words} | {_seconds(result.seconds)} | {_seconds(result.next_seconds)} |"


def _seconds(value: float) -> str:
    if not value:
        return "–"
    return f"{value * 1000:.0f} ms" if value < 1 else f"{value:.1f} s"


def _write(tables: dict[str, list[Result]]) -> None:
    head = ["| What happens | What the client sees | After | Next |", "|---|---|---|---|"]
    table = "\n\n".join(
        "\n".join([f"### {section}\n", *head, *map(_line, results)]) for section, results in tables.items()
    )
    write_measured("faults", table)


if __name__ == "__main__":
    sys.exit(main())
