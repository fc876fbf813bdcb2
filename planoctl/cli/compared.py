"""The two sides that `planoctl diff` compares: files whose keys need not be set, and what a running instance serves."""

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from planoctl.cli.errors import NotRunningError
from planoctl.cli.findings import InvalidConfigError
from planoctl.config.environment import merged_environment, references
from planoctl.config.findings import ConfigError
from planoctl.instance import Instance

if TYPE_CHECKING:
    from planoctl.config.runtime import RuntimeConfig


@dataclass(frozen=True, slots=True)
class Side:
    """A configuration, where it is from, and the values of those of its variables that are known."""

    source: str
    runtime: "RuntimeConfig" = field(repr=False)
    secrets: Mapping[str, str] = field(default_factory=dict, repr=False)


def load_old(file: Path, env_file: Path | None) -> Side:
    return _load(file.expanduser().absolute(), str(file), env_file)


def load_new(file: Path | None, folder: Path, env_file: Path | None) -> Side:
    """A named file, or that of the folder. Raises InvalidConfigError, and a usage error if there is none."""
    if file is not None:
        return _load(file.expanduser().absolute(), str(file), env_file)
    import rich_click as click

    from planoctl.config.pipeline import find_config

    found = find_config(None, folder)
    if found is None:
        raise click.UsageError(f"no FILE was named, and {folder} holds no config.yaml or plano_config.yaml")
    return _load(found, found.name, env_file)


def load_running(instance: Instance) -> Side:
    """What the processes of a running instance read. Raises NotRunningError."""
    from planoctl.config.source import parse, read_file
    from planoctl.config.typed import typed
    from planoctl.supervise.control import find_running

    paths = instance.paths
    if find_running(paths) is None:
        raise NotRunningError(
            f"Plano is not running (instance {instance.name}), so there is nothing to compare with",
            remedy="name two configurations: planoctl diff OLD NEW",
        )
    try:
        document: Any = parse(read_file(paths.config_path), str(paths.config_path)).document
        runtime = typed(document, file=str(paths.config_path))
    except ConfigError as error:
        raise InvalidConfigError(error.findings) from error
    return Side(f"running instance {instance.name}", runtime, _running_secrets(paths.secrets_path))


def _running_secrets(path: Path) -> dict[str, str]:
    try:
        found: dict[str, str] = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return found


def _load(path: Path, name: str, env_file: Path | None) -> Side:
    """A variable without a value stands for itself: whoever reviews a change need not have the keys."""
    from planoctl.config.pipeline import load_document
    from planoctl.config.source import parse, read_file

    beside = env_file or path.parent / ".env"
    try:
        source = parse(read_file(path), name)
        environment = merged_environment(os.environ, beside if beside.is_file() else None)
        unset = {name: f"${{{name}}}" for name in _references(source.document) if not environment.get(name, "").strip()}
        loaded = load_document(source.document, environment={**environment, **unset}, file=name)
    except ConfigError as error:
        raise InvalidConfigError(error.findings) from error
    return Side(name, loaded.runtime, {key: value for key, value in loaded.secrets.items() if key not in unset})


def _references(node: Any) -> set[str]:
    if isinstance(node, dict):
        return {name for item in node.values() for name in _references(item)}
    if isinstance(node, list):
        return {name for item in node for name in _references(item)}
    return set(references(node)) if isinstance(node, str) else set()
