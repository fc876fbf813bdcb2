"""`make bench`: the gateway beside a bare Envoy, on the same machine, in the same run.

Rounds alternate (gateway, bare, gateway, bare …), so that a busy moment of the machine hits both; figures are medians.
"""

import contextlib
import dataclasses
import functools
import json
import os
import sys
import tempfile
from pathlib import Path
from urllib.parse import urlsplit

import click

sys.path.insert(0, str(Path(__file__).parents[2]))

from tests.bench import report, translate
from tests.bench.cases import CASES, TRACED_RATIO, Case, Client
from tests.bench.servers import (
    ANTHROPIC_MODEL,
    BEDROCK_MODEL,
    CHAIN_MODEL,
    FAILOVER_MODEL,
    OPENAI_MODEL,
    Target,
    build_program,
    start_bare_envoy,
    start_collector,
    start_gateway,
    start_upstream,
)

BARE_MODEL = "bench"
_CORES = os.cpu_count() or 1


@click.command()
@click.option("--rounds", default=3, show_default=True, help="Rounds of each case.")
@click.option("--seconds", default=4.0, show_default=True, help="Measured time of a round, after a second of warm-up.")
@click.option("--quick", is_flag=True, help="One short round: shows that everything works, not how fast it is.")
@click.option("--only", metavar="TEXT", help="Only the cases whose names contain this.")
@click.option("--rate", default=0.0, help="Open loop for unary cases: this many requests/s.")
@click.option("--workers", default=_CORES, show_default="cores", help="Sidecar processes.")
@click.option("--concurrency", default=_CORES, show_default="cores", help="Threads of each Envoy.")
@click.option("--events", default=50, show_default=True, help="Events of a stream.")
@click.option("--gap-us", default=5000, show_default=True, help="Microseconds between the events of a stream.")
@click.option("--url", help="Measure a gateway that is already running here; bare Envoy runs beside it all the same.")
@click.option("--upstream-port", default=0, help="Port of the fake upstream, for a gateway that is aimed at it.")
@click.option("--openai-model", default=OPENAI_MODEL, show_default=True, help="Model with an OpenAI upstream.")
@click.option("--anthropic-model", default=ANTHROPIC_MODEL, show_default=True, help="Model with an Anthropic upstream.")
@click.option("--bedrock-model", default=BEDROCK_MODEL, show_default=True, help="Model with a Bedrock upstream.")
@click.option("--key", default="bench", help="Credential that the client sends.")
@click.option("--tracing", metavar="PERCENT", type=int, help="Instead: this share of requests traced, beside none.")
@click.option("--bare-only", is_flag=True, help="Only the bare Envoy: what this machine can do.")
@click.option("--json", "json_file", type=click.Path(dir_okay=False, path_type=Path), help="Write all figures here.")
@click.option("--check", is_flag=True, help="Exit with 1 when a target is missed.")
def main(
    rounds: int,
    seconds: float,
    quick: bool,
    only: str | None,
    rate: float,
    workers: int,
    concurrency: int,
    events: int,
    gap_us: int,
    url: str | None,
    upstream_port: int,
    openai_model: str,
    anthropic_model: str,
    bedrock_model: str,
    key: str,
    tracing: int | None,
    bare_only: bool,
    json_file: Path | None,
    check: bool,
) -> None:
    """Measure the gateway and, beside it, the same traffic through a bare Envoy."""
    cases = [case for case in CASES if only is None or only in case.name]
    translates = url is None and tracing is None and not bare_only  # then it is this code that is measured
    pairs = [pair for pair in translate.PAIRS if translates and (only is None or only in pair.name)]
    if not cases and not pairs:
        names = ", ".join([*(case.name for case in CASES), *(pair.name for pair in translate.PAIRS)])
        raise click.UsageError(f"no case contains {only!r}; there are: {names}")
    rounds, seconds, warmup = (1, 1.0, 0.5) if quick else (rounds, seconds, 1.0)
    models = {"openai": openai_model, "anthropic": anthropic_model, "bedrock": bedrock_model}
    models |= {"chain": CHAIN_MODEL, "failover": FAILOVER_MODEL}
    if url is not None:  # another gateway knows nothing of this one's aliases
        cases = [case for case in cases if case.upstream not in ("chain", "failover")]
    facts = report.machine_facts()
    click.echo(report.facts_table(facts) + "\n")
    translation = translate.measure_all(pairs)
    if translation:
        click.echo(translate.figures_table(translation))
    if not cases:
        _write(json_file, {"machine": facts, "translation": translate.as_json(translation)})
        _exit([], translation, check=check)
        return
    with contextlib.ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="plano-bench-")))
        client = Client(build_program(), folder, seconds, warmup, key, rate)
        upstream = stack.enter_context(start_upstream(client.program, port=upstream_port, events=events, gap_us=gap_us))
        start = functools.partial(start_gateway, upstream_port=upstream.port, workers=workers, concurrency=concurrency)
        if tracing is None:
            bare = stack.enter_context(start_bare_envoy(folder, upstream.port, concurrency=concurrency))
        else:
            (folder / "untraced").mkdir()
            bare = stack.enter_context(start(folder / "untraced"))
        if tracing is not None:
            collector = stack.enter_context(start_collector())
            section = {"random_sampling": tracing, "opentracing_grpc_endpoint": f"http://127.0.0.1:{collector}"}
            gateway = stack.enter_context(start(folder, tracing=section))
            cases = [dataclasses.replace(case, targets=(TRACED_RATIO,)) for case in cases]
        elif bare_only:
            gateway, models = bare, dict.fromkeys(models, BARE_MODEL)
            cases = [dataclasses.replace(case, targets=()) for case in cases]
        elif url is not None:
            gateway = Target(urlsplit(url).netloc)
        else:
            gateway = stack.enter_context(start(folder))
        before = report.resident_mb(gateway.processes)
        targets = [bare] if bare_only else [gateway, bare]
        other = "bare Envoy" if tracing is None else "untraced"
        results = [_measure(case, client, targets, upstream, models, rounds, other) for case in cases]
        after = report.resident_mb(gateway.processes)
    subject = "bare Envoy alone" if bare_only else "gateway" if tracing is None else f"{tracing} % traced"
    click.echo("\n" + report.result_table(results, subject, other) + "\n")
    if gateway.processes:
        click.echo(report.cost_table(results, other) + "\n")
        click.echo(report.memory_table(before, after))
    document = {"machine": facts, "memory": {"before": before, "after": after}}
    document["cases"] = [result.as_json() for result in results]
    _write(json_file, document | {"translation": translate.as_json(translation)})
    _exit(results, translation, check=check)


def _write(path: Path | None, document: dict[str, object]) -> None:
    if path is not None:
        path.write_text(json.dumps(document, indent=2, ensure_ascii=False) + "\n")


def _measure(
    case: Case, client: Client, targets: list[Target], upstream: Target, models: dict[str, str], rounds: int, other: str
) -> report.Result:
    """All rounds of one case, the targets taking turns. The first target is the one in question."""
    measured: list[list[report.Figures]] = [[] for _ in targets]
    for number in range(rounds):
        for target, figures in zip(targets, measured, strict=True):
            processes = {**target.processes, **upstream.processes}
            one = client.measure(case, target.address, models[case.upstream], processes)
            figures.append(one)
            name = "gateway" if target is targets[0] and len(targets) > 1 else other
            click.echo(
                f"{case.name:34} round {number + 1} {name:10} {one[case.throughput_metric]:>10,.0f}/s"
                f"  p50 {one['p50_ms']:8.3f} ms  errors {one['errors']} {one['first_error']}"
                f"  others used {one['other_cores']:.2f} cores",
                err=True,
            )
    return report.Result(case, measured[0], measured[1] if len(measured) > 1 else [])


def _exit(results: list[report.Result], translation: list[translate.Figures], *, check: bool) -> None:
    failed = [result.case.name for result in results if result.errors]
    missed = [f"{result.case.name}: {goal}" for result in results for goal in result.missed]
    missed += [f"{each.pair}: {goal}" for each in translation for goal in each.missed]
    if failed:
        raise click.ClickException(f"there were errors in: {', '.join(failed)}")
    if check and missed:
        raise click.ClickException("targets missed: " + "; ".join(missed))


if __name__ == "__main__":
    main()
