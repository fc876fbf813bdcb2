"""A command group that knows its commands by name and imports them only when they are used."""

import contextlib
import sys
import traceback
from collections.abc import Iterator
from importlib import import_module
from typing import Any, NamedTuple

import rich_click as click
from rich_click.rich_panel import RichCommandPanel

from planoctl.cli.errors import VERBOSE, CliError


class Entry(NamedTuple):
    """Where a command is (`module:attribute`), its group in the help, and its summary: the first line of its help."""

    target: str
    panel: str
    summary: str


COMMANDS = {
    "up": Entry("planoctl.cli.up:up", "Gateway", "Start the gateway, or replace the running one."),
    "down": Entry("planoctl.cli.down:down", "Gateway", "Stop the gateway; open requests may finish."),
    "restart": Entry("planoctl.cli.restart:restart", "Gateway", "Start again as last time, with the file read anew."),
    "reload": Entry("planoctl.cli.reload:reload", "Gateway", "Take up the changed configuration; no request notices."),
    "status": Entry("planoctl.cli.status:status", "Gateway", "Show processes, listeners and health."),
    "logs": Entry("planoctl.cli.logs:logs", "Gateway", "Show what the processes wrote."),
    "drain": Entry("planoctl.cli.drain:drain", "Gateway", "Let an Envoy finish its requests before it is stopped."),
    "validate": Entry("planoctl.cli.validate:validate", "Configuration", "Check a configuration without starting it."),
    "render": Entry("planoctl.cli.render:render", "Configuration", "Write the files to run the gateway elsewhere."),
    "diff": Entry("planoctl.cli.diff:diff", "Configuration", "Show what another configuration would change."),
    "route": Entry("planoctl.cli.route:route", "Configuration", "Show which models a prompt would go to, and why."),
    "obs": Entry(
        "planoctl.cli.obs:obs", "Observability", "Watch requests, models, tokens, cost, latency and errors live."
    ),
    "trace": Entry("planoctl.cli.trace:trace", "Observability", "Collect traces on this host, and show them."),
    "agent": Entry(
        "planoctl.cli.agent:agent", "Containers", "Render a configuration, and roll out its changes to what runs."
    ),
    "demo": Entry("planoctl.cli.demo:demo", "Try it", "Start a gateway with a fake provider and ask it something."),
    "mock-provider": Entry(
        "planoctl.mock_provider.cli:mock_provider",
        "Try it",
        "Run a fake LLM provider that speaks the APIs of OpenAI, Anthropic, Amazon Bedrock and Google.",
    ),
}


class LazyGroup(click.RichGroup):
    """The group `planoctl`. Also the edge where a CliError becomes text and an exit code."""

    _listing = False

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        panels = dict.fromkeys(entry.panel for entry in COMMANDS.values())
        self.panels = [
            *self.panels,
            *(
                RichCommandPanel(panel, commands=[name for name, entry in COMMANDS.items() if entry.panel == panel])
                for panel in panels
            ),
        ]

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 — click's signature
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002
        """The command, imported; while the help is printed only its name and summary."""
        name = cmd_name.replace("_", "-")
        entry = COMMANDS.get(name)
        if entry is None:
            return None
        if self._listing:
            return click.RichCommand(name=name, help=entry.summary)
        module, _, attribute = entry.target.partition(":")
        command: click.Command = getattr(import_module(module), attribute)
        return command

    def format_options(self, ctx: click.RichContext, formatter: click.RichHelpFormatter) -> None:  # type: ignore[override]
        with self._only_summaries():
            super().format_options(ctx, formatter)

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except CliError as error:
            _show(error, ctx)
            ctx.exit(error.exit_code)
        except BrokenPipeError:
            raise
        except OSError as error:
            place = error.filename or "the system"
            _show(CliError(f"{place}: {error.strerror or error}", remedy="check the file and its permissions"), ctx)
            ctx.exit(1)

    @contextlib.contextmanager
    def _only_summaries(self) -> Iterator[None]:
        self._listing = True
        try:
            yield
        finally:
            self._listing = False


def _show(error: CliError, ctx: click.Context) -> None:
    error.show()
    if ctx.meta.get(VERBOSE):
        traceback.print_exc(file=sys.stderr)
