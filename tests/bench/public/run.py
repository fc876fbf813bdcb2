"""`make bench-public`: this gateway, LiteLLM's proxy and any other gateway, beside a bare Envoy, in the same run.

In every round the gateways take turns, so that a busy moment of the machine hits all of them; figures are medians.
"""

import contextlib
import json
import os
import tempfile
from pathlib import Path
from typing import Any

import click

from tests.bench import report
from tests.bench.cases import Client
from tests.bench.public import charts, markdown
from tests.bench.public.gateways import MODELS, Gateway, Place, bare_envoy, plano, running
from tests.bench.public.litellm_proxy import litellm_proxy
from tests.bench.public.measurements import MEASUREMENTS, Load, Measurement, measure, probe
from tests.bench.public.results import Results
from tests.bench.servers import Target, build_program, start_upstream

_FOLDER = Path(__file__).parents[3] / "docs" / "benchmarks"


@click.command()
@click.option("--rounds", default=3, show_default=True, help="Rounds of each measurement; figures are their medians.")
@click.option("--seconds", default=4.0, show_default=True, help="Measured time of a round (200 streams: twice).")
@click.option(
    "--quick", is_flag=True, help="One round of two seconds: shows that everything works, not how fast it is."
)
@click.option("--only", metavar="TEXT", help="Only the cases whose names contain this.")
@click.option("--workers", default=1, show_default=True, help="Workers of every gateway, threads of every Envoy.")
@click.option("--events", default=50, show_default=True, help="Events of a stream.")
@click.option("--gap-us", default=5000, show_default=True, help="Microseconds between the events of a stream.")
@click.option("--litellm/--no-litellm", default=True, show_default=True, help="Measure LiteLLM's proxy.")
@click.option("--url", help="Measure the gateway that runs here, too (plain HTTP, aimed at --upstream-port).")
@click.option("--name", default="Other", show_default=True, help="What to call it.")
@click.option("--key", default="bench", help="Credential for it.")
@click.option("--header", "headers", multiple=True, metavar="NAME: VALUE", help="Header for it; may be repeated.")
@click.option("--openai-model", default=MODELS["openai"], show_default=True, help="Its model with an OpenAI upstream.")
@click.option("--anthropic-model", default=MODELS["anthropic"], show_default=True, help="... an Anthropic upstream.")
@click.option("--pid", type=int, help="Its first process, for processor time and memory.")
@click.option("--upstream-port", default=0, help="Port of the fake upstream; 0 takes a free one.")
@click.option(
    "--output",
    type=click.Path(file_okay=False, path_type=Path),
    help="Folder for results.json, README.md and the charts [default: docs/benchmarks; with --quick none].",
)
def main(
    rounds: int,
    seconds: float,
    quick: bool,
    only: str | None,
    workers: int,
    events: int,
    gap_us: int,
    litellm: bool,
    url: str | None,
    name: str,
    key: str,
    headers: tuple[str, ...],
    openai_model: str,
    anthropic_model: str,
    pid: int | None,
    upstream_port: int,
    output: Path | None,
) -> None:
    """Compare gateways on five cases, and write what came out."""
    chosen = [each for each in MEASUREMENTS if only is None or only in each.case.name]
    if not chosen:
        raise click.UsageError(f"no case contains {only!r}; there are: {', '.join(m.case.name for m in MEASUREMENTS)}")
    rounds, seconds, warmup = (1, 2.0, 1.0) if quick else (rounds, seconds, 1.5)
    with contextlib.ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="plano-bench-")))
        client = Client(build_program(), folder, seconds, warmup, "bench")
        upstream = stack.enter_context(start_upstream(client.program, port=upstream_port, events=events, gap_us=gap_us))
        place = Place(folder, upstream.port, workers)
        gateways = [stack.enter_context(bare_envoy(place)), stack.enter_context(plano(place))]
        if litellm:
            gateways.append(stack.enter_context(litellm_proxy(place)))
        if url is not None:
            models = {"openai": openai_model, "anthropic": anthropic_model}
            gateways.append(running(name, url, models=models, key=key, headers=headers, pid=pid))
        for gateway in gateways:
            probe(client, chosen, gateway)
        machine = report.machine_facts()
        idle = {gateway.name: gateway.resident_mb() for gateway in gateways}
        measured = _measured(client, chosen, gateways, upstream, rounds)
    machine["load average after"] = f"{os.getloadavg()[0]:.2f}"
    document = {
        "machine": machine,
        "settings": {
            "rounds": rounds,
            "seconds": seconds,
            "workers": workers,
            "events": events,
            "gap_us": gap_us,
            "closed_connections": {each.case.name: each.case.connections for each in chosen},
            "open_rates": {each.case.name: each.rate for each in chosen},
        },
        "gateways": {each.name: {"version": each.version, "idle_mb": idle[each.name]} for each in gateways},
        "measurements": measured,
    }
    results = Results(document)
    click.echo(markdown.summary(results) + "\n" + markdown.aims(results))
    if output is None and not quick:
        output = _FOLDER
    if output is not None:
        _write(output, document, results)


def _measured(
    client: Client, chosen: list[Measurement], gateways: list[Gateway], upstream: Target, rounds: int
) -> list[dict[str, Any]]:
    found: dict[tuple[str, Load, str], list[dict[str, Any]]] = {}
    for measurement in chosen:
        for load in Load:
            for number in range(rounds):
                for gateway in gateways:
                    others = [other for other in gateways if other is not gateway]
                    one = measure(client, measurement, load, gateway, others, upstream.processes)
                    found.setdefault((measurement.case.name, load, gateway.name), []).append(one)
                    click.echo(_line(measurement, load, number, gateway, one), err=True)
    return [
        {"case": case, "load": load, "gateway": gateway, "rounds": rounds}
        for (case, load, gateway), rounds in found.items()
    ]


def _line(measurement: Measurement, load: Load, number: int, gateway: Gateway, one: dict[str, Any]) -> str:
    return (
        f"{measurement.case.name:20} {load:14} round {number + 1}  {gateway.name:12}"
        f" {one[measurement.case.throughput_metric]:>9,.0f}/s  p50 {one['p50_ms']:9.3f} ms  p99 {one['p99_ms']:9.3f} ms"
        f"  errors {one['errors']} {one['first_error']}  others used {one.get('other_cores', 0):.2f} cores"
    )


def _write(folder: Path, document: dict[str, Any], results: Results) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "results.json").write_text(json.dumps(document, indent=1, ensure_ascii=False) + "\n")
    for name, picture in charts.pictures(results).items():
        (folder / name).write_text(picture)
    (folder / "README.md").write_text(markdown.page(results))
    click.echo(f"written: {folder}")
