"""How planoctl talks: one look, on a terminal or in a pipe, with or without colour."""

import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.console import Console

BRAND = "#969FF4"
MAX_WIDTH = 100
TAGLINE = "The AI gateway on stock Envoy."
LOGO = r"""
 ____  _
|  _ \| | __ _ _ __   ___
| |_) | |/ _` | '_ \ / _ \
|  __/| | (_| | | | | (_) |
|_|   |_|\__,_|_| |_|\___/
"""


def console(*, stderr: bool = False) -> "Console":
    """A console on the current stdout or stderr. Text is printed as it is: brackets are no markup, lines stay whole."""
    from rich.console import Console

    return Console(stderr=stderr, highlight=False, markup=False, emoji=False, soft_wrap=True)


def say(text: str = "", *, style: str | None = None, stderr: bool = False) -> None:
    """Print one line."""
    console(stderr=stderr).print(text, style=style)


def header() -> None:
    """The line that long commands begin with."""
    from planoctl import __version__

    say(f"Plano CLI v{__version__}", style=f"bold {BRAND}")


def success(text: str) -> None:
    say(f"✓ {text}", style="green")


def step(text: str) -> None:
    """Progress that is of interest while one waits; only for a terminal."""
    if sys.stdout.isatty():
        say(f"  {text}", style="dim")


def warn(text: str) -> None:
    say(f"⚠ {text}", style="yellow", stderr=True)
