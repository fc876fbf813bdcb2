"""Writes what the documentation repeats of the program: `python docs/build.py` (or `--check`, which only compares).

docs/commands.md comes from the commands' own help, the tables of docs/configuration.md from the JSON Schema and the
provider catalogue, those of docs/translation.md from the translators themselves, that of docs/metrics.md from the
metrics, docs/benchmarks/ and the comparison in README.md from the figures of the last `make bench-public`.
"""

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click
import yaml
from prometheus_client import Metric
from prometheus_client.metrics import MetricWrapperBase

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))

from brightstaff.metrics import decisions, http  # noqa: E402 — after the path is set
from brightstaff.metrics.gateway import Gateway  # noqa: E402
from brightstaff.metrics.merged import Merged  # noqa: E402
from docs.features.table import features  # noqa: E402 — after the path is set
from hermesllm.providers import PROVIDERS  # noqa: E402
from planoctl.cli import cli as root_command  # noqa: E402
from planoctl.cli.lazy import COMMANDS  # noqa: E402
from planoctl.config.metric_labels import BoundedValues  # noqa: E402
from planoctl.resources import config_folder  # noqa: E402
from tests.bench.public import charts, markdown  # noqa: E402
from tests.bench.public.results import Results  # noqa: E402

_BEGIN, _END = "<!-- generated: {} -->", "<!-- end -->"


def commands() -> str:
    """All commands with their options."""
    context = click.Context(root_command, info_name="planoctl")
    parts = ["# Commands\n\nGenerated from `planoctl --help`; `make docs` renews it.\n"]
    for name, command in _commands(context):
        usage = " ".join(command.collect_usage_pieces(click.Context(command, info_name=name)))
        parts.append(f"## {name}\n\n    planoctl {name} {usage}\n\n{_text(command.help)}\n")
        rows = list(_options(command))
        if rows:
            parts.append("| Option | Meaning |\n|---|---|\n" + "\n".join(rows) + "\n")
    return "\n".join(parts)


def _commands(context: click.Context) -> Iterator[tuple[str, click.Command]]:
    """Every command by name, each group followed by its own."""
    for name in COMMANDS:
        command = root_command.get_command(context, name)
        assert command is not None  # noqa: S101
        yield name, command
        if isinstance(command, click.Group):
            yield from ((f"{name} {each}", command.commands[each]) for each in command.list_commands(context))


def _text(help_text: str | None) -> str:
    lines = (help_text or "").replace("\b", "").strip().splitlines()
    return "\n".join(line.strip() for line in lines)


def _options(command: click.Command) -> Iterator[str]:
    for parameter in command.params:
        if not isinstance(parameter, click.Option) or parameter.hidden:
            continue
        names = ", ".join(f"`{name}`" for name in parameter.opts)
        value = "" if parameter.is_flag else f" {parameter.metavar or parameter.type.name.upper()}"
        yield f"| {names}{value} | {(parameter.help or '').replace('|', '/')} |"


def configuration() -> str:
    """Every key of the YAML file."""
    schema = yaml.safe_load((config_folder() / "plano_config_schema.yaml").read_text(encoding="utf-8"))
    rows = ["| Key | Type | Meaning |", "|---|---|---|"]
    rows += [f"| `{path}` | {kind} | {meaning} |" for path, kind, meaning in _keys(schema, schema, "")]
    return "\n".join(rows)


def _keys(schema: dict[str, Any], node: Any, path: str) -> Iterator[tuple[str, str, str]]:
    node = _resolved(schema, node)
    required = set(node.get("required", ()))
    for name, child in _properties(schema, node).items():
        child = _resolved(schema, child)
        where = f"{path}.{name}" if path else name
        meaning = child.get("description", "")
        if isinstance(meaning, str):
            mark = " (required)" if name in required else ""
            yield where, _kind(child) + mark, meaning.replace("|", "/")
        yield from _inside(schema, child, where)


def _inside(schema: dict[str, Any], child: dict[str, Any], where: str) -> Iterator[tuple[str, str, str]]:
    items = child.get("items") or next(
        (part["then"]["items"] for part in child.get("allOf", ()) if "items" in part.get("then", {})), None
    )
    if items:
        yield from _keys(schema, items, f"{where}[]")
    named = child.get("additionalProperties")
    if isinstance(named, dict):
        yield from _keys(schema, named, f"{where}.NAME")
    yield from _keys(schema, child, where)


def _properties(schema: dict[str, Any], node: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = dict(node.get("properties", {}))
    for part in node.get("allOf", ()):
        part = _resolved(schema, part)
        for branch in (part, part.get("then", {})):
            for name, child in branch.get("properties", {}).items():
                if isinstance(child, dict) and "egress" not in name and "ingress" not in name:
                    found.setdefault(name, child)
    return {name: child for name, child in found.items() if isinstance(child, dict)}


def _resolved(schema: dict[str, Any], node: Any) -> dict[str, Any]:
    if isinstance(node, dict) and "$ref" in node:
        return {**schema["definitions"][node["$ref"].rpartition("/")[2]], **node}
    return node if isinstance(node, dict) else {}


def _kind(child: dict[str, Any]) -> str:
    if "enum" in child and len(child["enum"]) <= 6:
        return " · ".join(f"`{choice}`" for choice in child["enum"])
    kind = child.get("type", "")
    names: list[str] = kind if isinstance(kind, list) else [kind]
    words = {"array": "list", "object": "mapping", "integer": "whole number", "boolean": "true/false"}
    return " or ".join(words.get(name, name) for name in names if name)


def providers() -> str:
    """The provider catalogue."""
    rows = ["| Prefix | Also | Host | Speaks | Key variable |", "|---|---|---|---|---|"]
    for provider in PROVIDERS.values():
        host = provider.host if provider.host and not provider.base_url_required else "`base_url` required"
        speaks = ", ".join(provider.paths)
        variable = f"`{provider.key_variable}`" if provider.key_variable else ""
        aliases = ", ".join(f"`{alias}`" for alias in provider.aliases)
        rows.append(f"| `{provider.id}` | {aliases} | {host} | {speaks} | {variable} |")
    return "\n".join(rows)


def benchmarks() -> dict[Path, str]:
    """The report, its charts, and the README that quotes it."""
    folder, readme = ROOT / "docs" / "benchmarks", ROOT / "README.md"
    results = Results(json.loads((folder / "results.json").read_text(encoding="utf-8")))
    quoted = f"{markdown.summary(results)}\n\n{markdown.conditions(results)}"
    return {
        readme: replaced(readme.read_text(encoding="utf-8"), "benchmark", quoted),
        folder / "README.md": markdown.page(results),
        **{folder / name: picture for name, picture in charts.pictures(results).items()},
    }


def replaced(text: str, name: str, table: str) -> str:
    """`text` with the generated part called `name` written anew."""
    begin = _BEGIN.format(name)
    before, _, rest = text.partition(begin)
    _, _, after = rest.partition(_END)
    return f"{before}{begin}\n\n{table}\n\n{_END}{after}"


def metrics() -> str:
    """Every metric of the one endpoint that is not about the Python process."""
    rows = ["| Metric | Kind | Labels | Meaning |", "|---|---|---|---|"]
    for name, kind, labels, meaning in _metrics():
        shown = ", ".join(f"`{label}`" for label in labels)
        rows.append(f"| `{name}` | {kind} | {shown} | {meaning} |")
    return "\n".join(rows)


def _metrics() -> Iterator[tuple[str, str, tuple[str, ...], str]]:
    own = [
        collector
        for collector in (*vars(decisions).values(), *vars(http).values())
        if isinstance(collector, MetricWrapperBase)
    ]
    merged = Merged(BoundedValues("model", lambda _label: None), lambda _provider, _model, _tokens: None)
    shown = [*merged.collect(), *Gateway(lambda: "", ROOT).collect()]
    for collector in own:
        yield _described(next(iter(collector.describe())), collector._labelnames)  # noqa: SLF001 — nothing public tells
    for family in shown:
        yield _described(family, getattr(family, "_labelnames", ()))


def _described(family: Metric, labels: tuple[str, ...]) -> tuple[str, str, tuple[str, ...], str]:
    name = f"{family.name}_total" if family.type == "counter" else family.name
    return name, family.type, tuple(labels), family.documentation.replace("|", "/")


def documents() -> dict[Path, str]:
    """Each generated document as it should be."""
    docs = ROOT / "docs"
    configured = replaced((docs / "configuration.md").read_text(encoding="utf-8"), "keys", configuration())
    return {
        **benchmarks(),
        docs / "commands.md": commands(),
        docs / "configuration.md": replaced(configured, "providers", providers()),
        docs / "metrics.md": replaced((docs / "metrics.md").read_text(encoding="utf-8"), "metrics", metrics()),
        docs / "translation.md": replaced(
            (docs / "translation.md").read_text(encoding="utf-8"), "features", features()
        ),
    }


def run(arguments: list[str]) -> int:
    stale = [
        (path, text)
        for path, text in documents().items()
        if not path.exists() or path.read_text(encoding="utf-8") != text
    ]
    if "--check" in arguments:
        for path, _ in stale:
            print(f"{path.relative_to(ROOT)} is stale: run `make docs`")  # noqa: T201
        return 1 if stale else 0
    for path, text in stale:
        path.write_text(text, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(run(sys.argv[1:]))
