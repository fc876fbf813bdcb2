"""`make soak`: mixed traffic for long, at about half of the machine's load. Nothing may grow, nothing may fail."""

import asyncio
import contextlib
import dataclasses
import json
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import click
import psutil

from planoctl.instance import Instance
from planoctl.supervise.state import read_state
from tests.bench.cases import CASES, Case, Client
from tests.bench.report import facts_table, machine_facts, table
from tests.bench.servers import (
    ANTHROPIC_MODEL,
    BEDROCK_MODEL,
    CHAIN_MODEL,
    FAILOVER_MODEL,
    INSTANCE,
    OPENAI_MODEL,
    Models,
    build_program,
    start_gateway,
    start_upstream,
    state_home,
)
from tests.soak.samples import Trend, Watch
from tests.soak.visitors import CHAIN_WITH_503, MOCK_MODEL, Tally, send_visitors

_SAMPLE_SECONDS = 5.0
_REST_SECONDS = 10.0
_UNARY_SHARE = 0.06  # of what the machine can do, for each unary case
_STREAMS = 8
_FEWEST_MINUTES = 3.0  # a third of it is warm-up, and Envoy takes most of a minute
_MODELS = {
    "openai": OPENAI_MODEL,
    "anthropic": ANTHROPIC_MODEL,
    "bedrock": BEDROCK_MODEL,
    "chain": CHAIN_MODEL,
    "failover": FAILOVER_MODEL,
}
_FAULT_MARKS = ("Traceback (most recent call last)", "fault while handling")


@dataclasses.dataclass(frozen=True, slots=True)
class Load:
    """A case of the load program, and what it reported at the end."""

    name: str
    requests: int
    errors: int
    first_error: str


@click.command()
@click.option("--minutes", type=click.FloatRange(min=_FEWEST_MINUTES), default=30.0, envvar="SOAK_MINUTES",
              show_default=True, show_envvar=True, help="How long.")  # fmt: skip
@click.option("--workers", default=2, show_default=True, help="Sidecar processes.")
@click.option("--keep", type=click.Path(file_okay=False, path_type=Path), help="Keep logs and samples here.")
@click.option("--report", "report_file", type=click.Path(dir_okay=False, path_type=Path), help="Write Markdown here.")
def main(minutes: float, workers: int, keep: Path | None, report_file: Path | None) -> None:
    """Exit code 1 if a process grew after its warm-up, died or logged a fault, or if an answer was unexpected."""
    with contextlib.ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="plano-soak-")))
        program = build_program()
        upstream = stack.enter_context(start_upstream(program, port=0, events=50, gap_us=5000))
        mock = stack.enter_context(_mock_provider(folder))
        target = start_gateway(folder, upstream.port, workers=workers, concurrency=2, more=_models(mock))
        address = stack.enter_context(target).address
        client = Client(program, folder, minutes * 60, 0, "soak")
        rate = _calibrate(client, address) * _UNARY_SHARE
        click.echo(f"each unary case gets {rate:,.0f} requests/s", err=True)
        instance = Instance.named(INSTANCE, {"PLANO_HOME": str(state_home(folder))})
        watch = Watch(_processes(instance))
        tally, loads, busy = _run(client, address, rate, minutes, watch)
        faults = [*_faults(watch, tally, loads), *_logged(instance)]
        if keep is not None:
            shutil.copytree(instance.paths.log_dir, keep, dirs_exist_ok=True)
            samples = {name: [dataclasses.asdict(each) for each in taken] for name, taken in watch.samples.items()}
            (keep / "samples.json").write_text(json.dumps(samples))
    text = _report(minutes, busy, watch.trends(), loads, tally, faults)
    click.echo(text)
    if report_file is not None:
        report_file.write_text(text + "\n", encoding="utf-8")
    if faults:
        sys.exit(1)


def _models(mock_url: str) -> Models:
    """What the gateway serves besides the models of the benchmark."""
    entry = {"base_url": mock_url, "access_key": "$BENCH_KEY"}
    failing = f"openai/{MOCK_MODEL}@status=503"
    return Models(
        ({"model": f"openai/{MOCK_MODEL}", **entry}, {"model": failing, **entry}),
        {CHAIN_WITH_503: {"target": failing, "fallbacks": [f"openai/{OPENAI_MODEL}"]}},
    )


def _processes(instance: Instance) -> dict[str, psutil.Process]:
    state = read_state(instance.paths.state_path)
    assert state is not None
    children = {child.name: psutil.Process(child.pid) for child in state.children if child.pid is not None}
    return {"supervisor": psutil.Process(state.supervisor), **children}


@contextlib.contextmanager
def _mock_provider(folder: Path) -> Iterator[str]:
    command = [sys.executable, "-m", "planoctl", "mock-provider", "--port", "0"]
    with (folder / "mock.log").open("wb") as log:
        process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=log, text=True)
    try:
        assert process.stdout is not None
        yield process.stdout.readline().split()[-1]
    finally:
        process.terminate()
        process.wait(30)


def _calibrate(client: Client, address: str) -> float:
    """Requests/s of the simplest case when nothing holds the load back."""
    short = dataclasses.replace(client, seconds=3, warmup=1)
    output, _ = short.start(CASES[0], address, OPENAI_MODEL).communicate(timeout=60)
    return float(json.loads(output)["rps"])


def _run(client: Client, address: str, rate: float, minutes: float, watch: Watch) -> tuple[Tally, list[Load], float]:
    """All loads and visitors at once; the share of the machine's processor time that was used is the last."""
    started = [(case, _start(client, case, address, rate)) for case in CASES if case.connections > 1]
    results: list[Tally] = []
    visitors = threading.Thread(target=lambda: results.append(asyncio.run(send_visitors(address, minutes * 60))))
    visitors.start()
    psutil.cpu_percent()
    end = time.monotonic() + minutes * 60
    while time.monotonic() < end:
        watch.sample()
        time.sleep(max(0.0, min(_SAMPLE_SECONDS, end - time.monotonic())))
    busy = psutil.cpu_percent()
    visitors.join()
    loads = []
    for case, process in started:
        output, _ = process.communicate(timeout=120)
        figures = json.loads(output) if process.returncode == 0 else {"requests": 0, "errors": 1, "first_error": "died"}
        loads.append(Load(case.name, figures["requests"], figures["errors"], figures["first_error"]))
    time.sleep(_REST_SECONDS)
    watch.sample_at_rest()
    return results[0], loads, busy


def _start(client: Client, case: Case, address: str, rate: float) -> "subprocess.Popen[str]":
    paced = client if case.stream else dataclasses.replace(client, rate=rate)
    fewer = dataclasses.replace(case, connections=_STREAMS) if case.stream else case
    return paced.start(fewer, address, _MODELS[case.upstream])


def _faults(watch: Watch, tally: Tally, loads: Sequence[Load]) -> list[str]:
    found = [fault for trend in watch.trends() for fault in trend.faults]
    found += [f"{name} died" for name in watch.gone]
    found += [f"{count} × {what}" for what, count in tally.unexpected.items()]
    found += [f"{each.name}: {each.errors} errors: {each.first_error}" for each in loads if each.errors]
    return found


def _logged(instance: Instance) -> list[str]:
    """Restarts, and faults in the logs of the processes."""
    state = read_state(instance.paths.state_path)
    found = [f"{child.name} was restarted" for child in (state.children if state else ()) if child.restarts]
    for log in sorted(instance.paths.log_dir.glob("*.log")):
        if log.name != "access.log":
            text = log.read_text(encoding="utf-8", errors="replace")
            found += [f"{log.name} holds {text.count(mark)} × {mark!r}" for mark in _FAULT_MARKS if mark in text]
    return found


def _report(
    minutes: float, busy: float, trends: Sequence[Trend], loads: Sequence[Load], tally: Tally, faults: Sequence[str]
) -> str:
    """Markdown."""
    memory = [
        [each.name, *(f"{sample.rss / 1e6:.1f}" for sample in (each.first, each.middle, each.last)),
         *(f"{sample.own / 1e6:.1f}" for sample in (each.middle, each.last)),
         f"{each.last.own / each.middle.own - 1:+.1%}",
         *(str(sample.files) for sample in (each.middle, each.last, each.rest))]
        for each in trends
    ]  # fmt: skip
    heads = ["process", "MB at start", "2nd third", "last third", "own MB, 2nd third", "last third", "growth",
             "open files, 2nd third", "last third", "at rest"]  # fmt: skip
    traffic = [[each.name, f"{each.requests:,}", str(each.errors)] for each in loads]
    for name, visits in tally.visits.items():
        unexpected = sum(count for what, count in tally.unexpected.items() if what.startswith(f"{name}:"))
        traffic.append([name, f"{visits:,}", str(unexpected)])
    verdict = "\n".join(f"- {fault}" for fault in faults) or "Nothing grew, nothing failed."
    return "\n\n".join(
        [
            f"{minutes:g} minutes, {busy:.0f} % of the machine's processor time",
            facts_table(machine_facts()),
            table(heads, memory),
            table(["traffic", "requests", "unexpected"], traffic),
            verdict,
        ]
    )


if __name__ == "__main__":
    main()
