"""The command `planoctl`. Each command is in a module of its own that is imported when the command runs."""

import rich_click as click

from planoctl import __version__
from planoctl.cli.console import BRAND, LOGO, MAX_WIDTH, TAGLINE
from planoctl.cli.lazy import LazyGroup

_LOOK = click.RichHelpConfiguration(
    text_markup="rich",
    show_arguments=True,
    group_arguments_options=True,
    max_width=MAX_WIDTH,
    style_option=f"bold {BRAND}",
    style_argument=f"bold {BRAND}",
    style_command=f"bold {BRAND}",
    style_usage_command=f"bold {BRAND}",
    style_options_panel_border="dim",
    style_commands_panel_border="dim",
    errors_suggestion="Try running the '--help' flag for more information.",
)


@click.group(cls=LazyGroup, invoke_without_command=True, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, message="plano version %(version)s")
@click.rich_config(help_config=_LOOK)
@click.pass_context
def cli(context: click.Context) -> None:
    """The AI gateway on stock Envoy: one YAML file, every LLM provider, OpenAI and Anthropic clients unchanged."""
    if context.invoked_subcommand is None:
        from planoctl.cli.console import say

        say(LOGO, style=BRAND)
        say(TAGLINE)
        click.echo(context.get_help())


def main() -> None:
    """The console script."""
    cli(prog_name="planoctl")
