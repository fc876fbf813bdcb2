"""Shows what the pipeline found wrong with a configuration."""

from collections.abc import Iterable, Sequence
from typing import IO, Any

from planoctl.cli.console import BRAND, console
from planoctl.cli.errors import CliError
from planoctl.config.findings import Finding

_COLOURS = {"error": "bold red", "warning": "yellow"}


class InvalidConfigError(CliError):
    """A configuration with errors; shown as one block per finding."""

    def __init__(self, findings: Sequence[Finding]) -> None:
        errors = sum(finding.severity == "error" for finding in findings)
        super().__init__(f"Validation failed: {errors} error{'' if errors == 1 else 's'}")
        self.findings = tuple(findings)

    def show(self, file: IO[Any] | None = None) -> None:
        print_findings(self.findings)
        super().show(file)


def print_findings(findings: Iterable[Finding]) -> None:
    """One block per finding on stderr: place, message, remedy."""
    out = console(stderr=True)
    for finding in findings:
        out.print(finding.severity, style=_COLOURS[finding.severity], end="")
        out.print(f"  {'  '.join(part for part in (place(finding), finding.path) if part)}", style="bold")
        out.print(finding.message)
        if finding.remedy:
            out.print(f"→ {finding.remedy}", style=BRAND)
        out.print()


def place(finding: Finding) -> str:
    """`file:line:column`, as far as known."""
    return ":".join(str(part) for part in (finding.file, finding.line, finding.column) if part is not None)
