"""How `planoctl diff` shows what differs: by section for people, as one JSON object for machines."""

import dataclasses
import json
from collections.abc import Iterable, Sequence
from itertools import groupby
from typing import Any

from rich.text import Text

from planoctl.cli.console import BRAND, console, say
from planoctl.config.compare import Change, Setting, noun, summary
from planoctl.config.compare_settings import HIDDEN
from planoctl.config.effects import Effect, EffectKind

_MARKS = {"added": ("+", "green"), "removed": ("-", "red"), "changed": ("~", "yellow"), "renamed": ("»", "yellow"),
          "moved": ("↕", "yellow")}  # fmt: skip
_LONGEST = 60  # characters of a value; a prompt has many
_EFFECTS: dict[EffectKind, tuple[str, str]] = {
    "address": ("new listener address: {}", "yellow"),
    "closed": ("listener address given up: {}; requests that are open may finish", "yellow"),
    "reopened": ("listener under another name: {}; it is opened anew", "yellow"),
    "restart": ("needs a restart: {}", "bold red"),
    "live": ("{} taken up without dropping a request", "green"),
}


def print_changes(changes: Sequence[Change], effects: Sequence[Effect]) -> None:
    """All changes by section, the summary, and what they mean for a gateway that runs."""
    out = console()
    for section, group in groupby(changes, key=lambda change: change.section):
        out.print(noun(section, 2), style=f"bold {BRAND}")
        for change in group:
            for line in _lines(change):
                out.print(line)
        out.print()
    out.print(summary(changes), style="bold")
    for effect in effects:
        text, style = _EFFECTS[effect.kind]
        subject = effect.subject or ("everything" if len(effects) == 1 else "the rest is")
        subject = "everything is" if subject == "everything" else subject
        say(f"  {text.format(subject)}", style=style)


def as_json(changes: Sequence[Change], effects: Iterable[Effect]) -> str:
    """The same for machines."""
    document = {
        "different": bool(changes),
        "summary": summary(changes),
        "changes": [dataclasses.asdict(change) for change in changes],
        "effects": [dataclasses.asdict(effect) for effect in effects],
    }
    return json.dumps(document, indent=2, ensure_ascii=False)


def _lines(change: Change) -> Iterable[Text]:
    mark, style = _MARKS[change.kind]
    head = Text.assemble((f"  {mark} ", style))
    if change.section in {"settings", "default_model", "short_names"} or change.kind == "moved":
        (setting,) = change.settings
        named = change.name or setting.path
        yield head + Text.assemble((f"{named}  ", "bold" if change.name else ""), _values(setting))
        return
    head.append(f"{change.was} → {change.name}" if change.was is not None else change.name, "bold")
    if change.kind == "added" and change.settings:
        head.append("  " + ", ".join(f"{each.path}: {_value(each.new)}" for each in change.settings), "dim")
        yield head
        return
    if change.section == "secrets":
        head.append("  another value")
    yield head
    for setting in change.settings:
        yield Text.assemble((f"      {setting.path}  ", "dim"), _values(setting))


def _values(setting: Setting) -> Text:
    old, new = _value(setting.old), _value(setting.new)
    if setting.secret and (old == new or HIDDEN in {old, new}):
        word = "added" if setting.old is None else "removed" if setting.new is None else "changed"
        return Text(word, "yellow")
    if isinstance(setting.old, list) and isinstance(setting.new, list) and setting.path != "order":
        same = len(setting.old) == len(setting.new) and all(each in setting.new for each in setting.old)
        note = "  (order only)" if same else ""
        return Text.assemble((old, "red"), " → ", (new, "green"), (note, "dim"))
    return Text.assemble((old, "red"), " → ", (new, "green"))


def _value(value: Any) -> str:
    if value is None:
        return "–"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, list):
        return ", ".join(_value(item) for item in value) or "none"
    text = " ".join(str(value).split())
    return text if len(text) <= _LONGEST else f"{text[: _LONGEST - 1]}…"
