"""How `planoctl route` shows decisions: one in full, many as a table."""

from collections.abc import Iterable, Sequence
from statistics import median
from typing import TYPE_CHECKING, Literal

import msgspec
import rich_click as click
from rich.table import Table
from rich.text import Text

from planoctl.cli.console import BRAND, console, say
from planoctl.cli.errors import CliError
from planoctl.cli.expectations import Result, accuracy, decided, met, met_and_labelled, mistakes
from planoctl.cli.prompts import NONE, Case
from planoctl.config.dry_run import Answer, Step

if TYPE_CHECKING:
    from planoctl.config.runtime import RuntimeConfig

_BAR = 24
_NAME = 28
_EIGHTHS = " ▏▎▍▌▋▊▉"
_PIPE_WIDTH = 160
_ORDERS = {
    "price": "cheapest first",
    "latency": "fastest first",
    "unmeasured": "as declared; a running gateway measures which is fastest",
    "declared": "as declared",
}
_REMEDIES = {
    "connect": "start the routing model or correct its base_url; without overrides.llm_routing_model the embedded "
    "router decides",
    "timeout": "raise overrides.routing_timeout_ms, or use a faster routing model",
    "status": "check access_key, base_url and name of the routing model",
    "parse": "check that the routing model was made for this, and overrides.routing_prompt",
}


def print_case(answer: Answer) -> None:
    """One decision: the outcome, the scores, the models in the order they would be tried."""
    _heading("decision", answer.route or "no preference fits", style=f"bold {BRAND}")
    _heading("router", f"{_router(answer)}  ·  {_milliseconds(answer.milliseconds)}")
    _heading("models", _ORDERS[answer.order] if answer.route else _without_route(answer))
    if answer.scores:
        say()
        _print(_scores(answer))
    if answer.models:
        say()
        _print(_models(answer))


def print_cases(results: Sequence[Result]) -> None:
    """One row per prompt, then the summary, and the mistakes if it is known what was expected."""
    right, labelled = met_and_labelled(results)
    _print(_overview(results, expectations=bool(labelled)))
    say()
    answers = [answer for _, answer in results]
    times = [answer.milliseconds for answer in answers]
    count = f"{len(results)} prompt{'' if len(results) == 1 else 's'}"
    took = f"{_milliseconds(median(times))} each, {_milliseconds(max(times))} at most"
    say(f"{count}  ·  {_router(answers[0])}  ·  {took}")
    for reason in dict.fromkeys(answer.reason for answer in answers if answer.outcome == "failed"):
        say(f"✗ {reason}", style="red")
    if not labelled:
        return
    say(f"{right} of {labelled} as expected ({accuracy(results):.0f} %)", style="bold")
    if wrong := mistakes(results):
        say()
        table = _table("EXPECTED", "DECIDED", "PROMPTS>")
        for expected, instead, times_wrong in wrong:
            table.add_row(expected, instead, str(times_wrong))
        _print(table)


def print_json(results: Iterable[Result]) -> None:
    """One object per line."""
    for case, answer in results:
        label = {"expected": case.expected, "as_expected": met(case, answer)} if case.labelled else {}
        line = {"prompt": case.text, **msgspec.to_builtins(answer), **label}
        click.echo(msgspec.json.encode(line).decode())


def undecided(answer: Answer, config: "RuntimeConfig") -> CliError:
    """The error for a decision that failed."""
    if config.routing.on_error == "fail":
        then = "the client would get an error (routing.on_error: fail)"
    else:
        default = f", else to {answer.models[0].model}" if answer.models else ""
        then = f"the request would go to the model that it names{default}"
    return CliError(
        f"no decision: {answer.reason}",
        details=[f"  asked   {_router(answer)}", f"  then    {then}"],
        remedy=_REMEDIES.get(answer.reason_code, "planoctl route --json shows all that is known"),
    )


def _heading(name: str, text: str, *, style: str = "") -> None:
    console().print(Text.assemble((f"{name:<10}", "dim"), (text, style)))


def _router(answer: Answer) -> str:
    if answer.router != "embedded":
        return f"{answer.router} at {answer.method}"
    return (
        "embedded router" if answer.method == "vectors" else "embedded router, words only (planoctl[router] does more)"
    )


def _without_route(answer: Answer) -> str:
    if not answer.models:
        return "the one that the request names: there is no default"
    return "the one that the request names, else the default"


def _milliseconds(value: float) -> str:
    return f"{value:.1f} ms" if value < 10 else f"{value:.0f} ms"


def _none_score(answer: Answer) -> float:
    return max(0.0, 1 - sum(answer.scores.values()))


def _scores(answer: Answer) -> Table:
    table = _table("PREFERENCE", "SCORE", "")
    scores: list[tuple[str | None, float]] = [*answer.scores.items(), (None, _none_score(answer))]
    for name, score in sorted(scores, key=lambda entry: -entry[1]):
        style = BRAND if name == answer.route else "dim"
        table.add_row(
            Text(name or "none of them", style="bold" if name == answer.route else "italic" if name is None else ""),
            Text(_bar(score), style=style),
            f"{score:.2f}",
        )
    return table


def _bar(share: float) -> str:
    eighths = round(share * _BAR * 8)
    return ("█" * (eighths // 8) + _EIGHTHS[eighths % 8]).ljust(_BAR)


def _models(answer: Answer) -> Table:
    table = _table("#>", "MODEL", "WHY", "$/MTOK IN>", "OUT>")
    for number, step in enumerate(answer.models, 1):
        table.add_row(str(number), step.model, _why(step, answer), _price(step.input_price), _price(step.output_price))
    return table


def _why(step: Step, answer: Answer) -> str:
    if step.source != "preference":
        return "default model" if step.source == "default" else "fallback"
    return "price unknown, so last" if answer.order == "price" and step.input_price is None else ""


def _price(price: float | None) -> str:
    return "–" if price is None else f"{price:.2f}"


def _overview(results: Sequence[Result], *, expectations: bool) -> Table:
    """What was expected stands where something else was decided; without expectations, the first model."""
    scored = any(answer.scores for _, answer in results)
    beside = "EXPECTED" if expectations else "MODEL"
    table = _table("", "DECIDED", *(["SCORE>"] if scored else []), beside, "PROMPT")
    table.expand = True
    *others, prompt = table.columns
    for column in others:
        column.max_width = _NAME
    prompt.ratio = 1
    for case, answer in results:
        model = answer.models[0].model if answer.models else ""
        expected = (case.expected or NONE) if case.labelled and not met(case, answer) else ""
        score = [_score(answer)] if scored else []
        table.add_row(_mark(case, answer), decided(answer), *score, expected if expectations else model, case.text)
    return table


def _mark(case: Case, answer: Answer) -> Text:
    """Of what went wrong, and of what is known to be right."""
    if answer.outcome == "failed" or (case.labelled and not met(case, answer)):
        return Text("✗", style="red")
    return Text("✓", style="green") if case.labelled else Text(" ")


def _score(answer: Answer) -> str:
    if not answer.scores:
        return "–"
    return f"{answer.scores.get(answer.route, 0.0) if answer.route else _none_score(answer):.2f}"


def _table(*titles: str) -> Table:
    """`>` at the end of a title: the column is one of numbers."""
    table = Table(box=None, header_style=f"bold {BRAND}", pad_edge=False)
    for title in titles:
        justify: Literal["left", "right"] = "right" if title.endswith(">") else "left"
        table.add_column(title.removesuffix(">"), no_wrap=True, overflow="ellipsis", justify=justify)
    return table


def _print(table: Table) -> None:
    out = console()
    out.print(table, soft_wrap=False, width=None if out.is_terminal else max(out.width, _PIPE_WIDTH))
