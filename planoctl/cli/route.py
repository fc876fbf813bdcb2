"""`planoctl route`."""

from pathlib import Path
from typing import TYPE_CHECKING

import rich_click as click

from planoctl.cli import options
from planoctl.cli.errors import CliError

if TYPE_CHECKING:
    from planoctl.config.runtime import RuntimeConfig

_ANY_MODEL = "openai/gpt-4o-mini"
_EXAMPLE = (
    "",
    "  routing_preferences:",
    "    - name: code generation",
    "      description: writing new functions, scripts, queries and other code",
    "      models: [{model}]",
    "",
)


@click.command()
@click.argument("prompt", required=False, help="What a user would write; `-`, or nothing in a pipe: standard input.")
@click.option("--config", "-c", "config_file", type=options.type_file, help="The configuration, in YAML.")
@options.path
@options.env_file
@click.option(
    "--file",
    "-f",
    "cases_file",
    type=click.Path(exists=True, dir_okay=False, allow_dash=True, path_type=Path),
    help="Many prompts, one per line: `prompt`, `expected<TAB>prompt`, or objects in a .jsonl file.",
)
@click.option(
    "--fail-under",
    type=click.FloatRange(0, 100),
    metavar="PERCENT",
    help="With --file: exit code 1 if fewer of the expectations are met.",
)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object per prompt.")
@options.verbose
@click.pass_context
def route(
    context: click.Context,
    prompt: str | None,
    config_file: Path | None,
    folder: Path,
    env_file: Path | None,
    cases_file: Path | None,
    fail_under: float | None,
    as_json: bool,
) -> None:
    """Show which models a prompt would go to, and why.

    No gateway has to run, and no model is called but the routing model, if the configuration has one.

    To tune the descriptions of preferences, write typical prompts into a file, each after the name of the preference
    that fits and a tab (`none` if none does), and run this with --file: it counts what is decided as expected and lists
    what is mistaken for what. In a .jsonl file the keys are `prompt`, or `messages` for a conversation, and `expected`.

    Exit code 0 if there is a decision, also if no preference fits; 1 if the routing model could not decide or
    --fail-under is missed; 2 if the command was called wrongly.
    """
    from planoctl.cli.decisions import print_case, print_cases, print_json, undecided
    from planoctl.cli.dry_run import dry_run
    from planoctl.cli.expectations import accuracy
    from planoctl.cli.prompts import one_case, read_cases
    from planoctl.cli.rendering import load_named

    if cases_file is not None and prompt is not None:
        raise click.UsageError("PROMPT and --file exclude each other")
    if fail_under is not None and cases_file is None:
        raise click.UsageError("--fail-under needs --file")
    loaded = load_named(config_file, folder, env_file).loaded
    _require_preferences(loaded.runtime)
    names = [preference.name for preference in loaded.runtime.routing_preferences]
    cases = [one_case(prompt)] if cases_file is None else read_cases(cases_file, names)
    if fail_under is not None and not any(case.labelled for case in cases):
        raise click.UsageError(f"--fail-under needs expectations: write expected<TAB>prompt into {cases_file}")
    answers = dry_run(loaded, [case.prompt for case in cases])
    results = list(zip(cases, answers, strict=True))
    if as_json:
        print_json(results)
    elif cases_file is not None:
        print_cases(results)
    elif answers[0].outcome == "failed":
        raise undecided(answers[0], loaded.runtime)
    else:
        print_case(answers[0])
    failed = any(answer.outcome == "failed" for answer in answers)
    context.exit(1 if failed or accuracy(results) < (fail_under or 0) else 0)


def _require_preferences(config: "RuntimeConfig") -> None:
    if config.routing_preferences:
        return
    model = next((entry.name for entry in config.model_providers if not (entry.internal or entry.wildcard)), _ANY_MODEL)
    raise CliError(
        "the configuration has no routing_preferences, so requests go to the model that they name",
        details=[line.format(model=model) for line in _EXAMPLE],
        remedy="add at least one, such as the one above",
    )
