"""Prompts to try a configuration on: one from the command line, or a file of them that may say what is expected."""

import os
import sys
from collections.abc import Callable, Collection, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec
import rich_click as click

from planoctl.cli.errors import CliError
from planoctl.config.dry_run import Prompt

NONE = "none"
"""What is expected where no preference fits."""


@dataclass(frozen=True, slots=True)
class Case:
    """A prompt. `labelled`: its line says which preference fits; that is `expected`, None for no preference."""

    prompt: Prompt
    labelled: bool = False
    expected: str | None = None

    @property
    def text(self) -> str:
        """The prompt, or the latest of the conversation that is text, in one line."""
        if self.prompt.messages is None:
            return " ".join(self.prompt.prompt.split())
        texts = [message.get("content") for message in self.prompt.messages if message.get("role") == "user"]
        return next((" ".join(text.split()) for text in reversed(texts) if isinstance(text, str)), "")


class _Line(msgspec.Struct):
    """A line of a .jsonl file."""

    prompt: str = ""
    messages: list[dict[str, Any]] | None = None
    expected: str | msgspec.UnsetType | None = msgspec.UNSET


def one_case(prompt: str | None) -> Case:
    """The prompt of the command line; `-`, or none where something is piped in, means standard input."""
    if prompt is None or prompt == "-":
        if prompt is None and sys.stdin.isatty():
            raise click.UsageError('name a PROMPT, e.g. "write a function that adds", or pipe one in')
        text = _standard_input()
    else:
        text = os.fsencode(prompt).decode(errors="replace")
    if not text.strip():
        raise click.UsageError("the prompt is empty")
    return Case(Prompt(text.strip()))


def read_cases(file: Path, preferences: Collection[str]) -> list[Case]:
    """The prompts of a file; `-` is standard input. Raises CliError for a line that is not understood.

    A line is a prompt, or `expected<TAB>prompt`; in a file called *.jsonl it is an object with `prompt` or `messages`,
    and perhaps `expected`.
    """
    text = _standard_input() if str(file) == "-" else file.read_text(encoding="utf-8-sig", errors="replace")
    parse = _from_json if file.suffix == ".jsonl" else _from_text
    cases = list(_cases(text.split("\n"), parse, preferences, str(file)))
    if not cases:
        raise CliError(f"{file} holds no prompts", remedy="write one per line, or expected<TAB>prompt")
    return cases


def _standard_input() -> str:
    return sys.stdin.buffer.read().decode(errors="replace")


def _cases(
    lines: Iterable[str], parse: Callable[[str], Case], preferences: Collection[str], file: str
) -> Iterator[Case]:
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        try:
            case = parse(line)
        except msgspec.DecodeError as error:
            raise CliError(f"{file}:{number}: {error}", remedy='write {"prompt": "…", "expected": "…"}') from None
        if case.expected in (NONE, "") and case.expected not in preferences:
            case = Case(case.prompt, labelled=True)
        if case.expected is not None and case.expected not in preferences:
            known = ", ".join([*preferences, NONE])
            raise CliError(f"{file}:{number}: '{case.expected}' is no preference", remedy=f"expect one of: {known}")
        yield case


def _from_text(line: str) -> Case:
    label, tab, prompt = line.partition("\t")
    return Case(Prompt(prompt.strip()), labelled=True, expected=label.strip()) if tab else Case(Prompt(line.strip()))


def _from_json(line: str) -> Case:
    found = msgspec.json.decode(line, type=_Line)
    if found.messages is None and not found.prompt.strip():
        raise msgspec.ValidationError("neither `prompt` nor `messages`")
    prompt = Prompt(found.prompt, found.messages)
    if found.expected is msgspec.UNSET:
        return Case(prompt)
    return Case(prompt, labelled=True, expected=found.expected)
