"""Manifests as YAML text."""

from collections.abc import Iterable
from typing import Any

import yaml


def to_yaml(documents: Iterable[dict[str, Any]], heading: Iterable[str] = ()) -> str:
    """One stream of documents, keys in their order, texts of several lines as blocks; `heading` as comments above."""
    comments = "".join(f"# {line}\n" for line in heading)
    text: str = yaml.dump_all(documents, Dumper=_Dumper, sort_keys=False, width=1000, allow_unicode=True)
    return comments + text


class _Dumper(yaml.SafeDumper):
    def ignore_aliases(self, data: Any) -> bool:  # noqa: ARG002 — the signature is PyYAML's
        return True

    def increase_indent(self, flow: bool = False, indentless: bool = False) -> None:  # noqa: ARG002
        super().increase_indent(flow, indentless=False)


def _text(dumper: yaml.SafeDumper, text: str) -> yaml.ScalarNode:
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style="|" if "\n" in text else None)


_Dumper.add_representer(str, _text)
