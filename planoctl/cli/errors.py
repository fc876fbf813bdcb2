"""What a user sees when something does not work. Every error names a remedy; a traceback is for `--verbose` only."""

from collections.abc import Sequence
from typing import IO, Any

import rich_click as click

from planoctl.cli.console import BRAND, say

VERBOSE = "planoctl.verbose"
"""Key of `Context.meta`: whether the user asked for tracebacks."""


class CliError(click.ClickException):
    """An error for the user. `details` are printed as they are, below the message."""

    exit_code = 1

    def __init__(self, message: str, *, remedy: str | None = None, details: Sequence[str] = ()) -> None:
        super().__init__(message)
        self.remedy = remedy
        self.details = tuple(details)

    def show(self, file: IO[Any] | None = None) -> None:  # noqa: ARG002 — click's signature; errors go to stderr
        say(f"✗ {self.message}", style="bold red", stderr=True)
        for line in self.details:
            say(line, stderr=True)
        if self.remedy:
            say(f"→ {self.remedy}", style=BRAND, stderr=True)


class NotRunningError(CliError):
    """The command needs a running instance."""

    exit_code = 3
