"""From measured rounds to figures, tables and the facts about the machine."""

import os
import platform
import statistics
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import Any

import psutil

from planoctl.envoy_binary import envoy_version, find_envoy
from tests.bench.cases import Case

Figures = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Result:
    """The rounds of one case, through the gateway and through the bare Envoy (empty when there was none)."""

    case: Case
    gateway: Sequence[Figures]
    bare: Sequence[Figures]

    @property
    def figures(self) -> Figures:
        """Medians of the gateway, and what the targets compare: ratio and added latency."""
        figures = medians(self.gateway)
        if self.bare:
            bare = medians(self.bare)
            metric = self.case.throughput_metric
            figures["ratio"] = figures[metric] / bare[metric] if bare[metric] else 0.0
            figures["added_p50_ms"] = figures["p50_ms"] - bare["p50_ms"]
        return figures

    @property
    def missed(self) -> list[str]:
        """The targets that were not met, of those that could be judged."""
        figures = self.figures
        return [str(goal) for goal in self.case.targets if goal.metric in figures and not goal.met(figures)]

    @property
    def errors(self) -> int:
        return sum(figures["errors"] for figures in [*self.gateway, *self.bare])

    def as_json(self) -> Figures:
        return {
            "case": self.case.name,
            "gateway": list(self.gateway),
            "bare": list(self.bare),
            "median": self.figures,
            "missed": self.missed,
        }


def medians(rounds: Sequence[Mapping[str, Any]]) -> Figures:
    """The median of each number over the rounds; errors are summed."""
    numbers = [name for name, value in rounds[0].items() if not isinstance(value, str)]
    middle: Figures = {name: statistics.median(figures[name] for figures in rounds) for name in numbers}
    return middle | {"errors": sum(figures["errors"] for figures in rounds)}


def result_table(results: Sequence[Result], subject: str, other: str) -> str:
    """Throughput and latency of each case beside those of `other`. `others`: cores that other programs used."""
    rows = [_result_row(result) for result in results]
    heads = ["case", subject, other, "ratio", "p50 ms", "p99 ms", f"{other} p50", "added p50"]
    return table([*heads, "TTFT p50", "errors", "others", "target"], rows)


def cost_table(results: Sequence[Result], other: str) -> str:
    """Processor time of each group of processes, per request or, for streams, per event."""
    names = {name for result in results for name in result.figures if name.endswith("_cores")}
    groups = sorted(names - {"other_cores"})
    rows = []
    for result in results:
        rate = result.figures[result.case.throughput_metric]
        bare = medians(result.bare).get("envoy_cores") if result.bare else None
        bare_rate = medians(result.bare)[result.case.throughput_metric] if result.bare else 0
        costs = [_cost(result.figures.get(group), rate) for group in groups]
        rows.append([result.case.name, "event" if result.case.stream else "request", *costs, _cost(bare, bare_rate)])
    heads = [group.removesuffix("_cores") for group in groups]
    return table(["case", "µs of CPU per", *heads, f"{other}: Envoy"], rows)


def memory_table(before: Mapping[str, list[float]], after: Mapping[str, list[float]]) -> str:
    """Resident memory of each process in MB."""
    rows = [[name, _list(before[name]), _list(after[name])] for name in before]
    return table(["resident MB", "before", "after"], rows)


def resident_mb(processes: Mapping[str, Sequence[psutil.Process]]) -> dict[str, list[float]]:
    """Resident memory of each process, by group."""
    return {name: [process.memory_info().rss / 1e6 for process in group] for name, group in processes.items()}


def machine_facts() -> dict[str, str]:
    """What the figures depend on."""
    return {
        "cpu": _cpu_model(),
        "cores": str(len(os.sched_getaffinity(0))),
        "load average before": f"{os.getloadavg()[0]:.2f}",
        "kernel": platform.release(),
        "python": platform.python_version(),
        "envoy": envoy_version(find_envoy()),
        "grpcio": metadata.version("grpcio"),
        "planoctl": metadata.version("planoctl"),
        "commit": _commit(),
    }


def facts_table(facts: Mapping[str, str]) -> str:
    return table(["machine", ""], [[name, value] for name, value in facts.items()])


def _result_row(result: Result) -> list[str]:
    figures, metric = result.figures, result.case.throughput_metric
    unit = "events/s" if result.case.stream else "req/s"
    bare = medians(result.bare) if result.bare else {}
    goals = "; ".join(
        f"{goal} {_verdict(goal.metric in figures, str(goal) in result.missed)}" for goal in result.case.targets
    )
    return [
        result.case.name,
        f"{figures[metric]:,.0f} {unit}",
        f"{bare[metric]:,.0f}" if bare else "–",
        f"{figures['ratio']:.3f}" if bare else "–",
        f"{figures['p50_ms']:.3f}",
        f"{figures['p99_ms']:.3f}",
        f"{bare['p50_ms']:.3f}" if bare else "–",
        f"{figures['added_p50_ms']:.3f}" if bare else "–",
        f"{figures['ttft50_ms']:.3f}",
        str(result.errors),
        f"{figures['other_cores']:.2f}",
        goals,
    ]


def _verdict(judged: bool, missed: bool) -> str:
    return "(not judged)" if not judged else "✗" if missed else "✓"


def _cost(cores: float | None, rate: float) -> str:
    return f"{cores / rate * 1e6:.0f}" if cores is not None and rate else "–"


def _list(values: Sequence[float]) -> str:
    return ", ".join(f"{value:.1f}" for value in values)


def table(heads: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    widths = [max(len(row[column]) for row in [heads, *rows]) for column in range(len(heads))]
    lines = [heads, ["-" * width for width in widths], *rows]
    return "\n".join(
        "| " + " | ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)) + " |" for line in lines
    )


def _cpu_model() -> str:
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()


def _commit() -> str:
    answer = subprocess.run(
        ["git", "rev-parse", "--short", "HEAD"],
        cwd=Path(__file__).parent,
        capture_output=True,
        text=True,
        check=False,
    )
    return answer.stdout.strip() if answer.returncode == 0 else "none"
