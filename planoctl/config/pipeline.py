"""From YAML to a configuration that can run: the entry points of CLI and services.

read → substitute variables → schema → migrate → normalise → cross-reference checks → RuntimeConfig
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import MappingProxyType
from typing import Any

import yaml

from planoctl.config.checks import check
from planoctl.config.edge_checks import check_edges
from planoctl.config.edge_files import check_edge_files
from planoctl.config.edge_normalise import normalise_edges
from planoctl.config.environment import EnvFile, Substitution, read_env_file, resolve_secrets
from planoctl.config.findings import ConfigError, Finding, Report, config_error
from planoctl.config.local_collector import collect_here
from planoctl.config.migrate import CURRENT_VERSION, migrate
from planoctl.config.normalise import normalise
from planoctl.config.runtime import RuntimeConfig
from planoctl.config.schema import validate
from planoctl.config.signing import signing_values
from planoctl.config.signing_checks import check_signing
from planoctl.config.source import Source, parse, plain, read_file
from planoctl.config.typed import typed

_FILE_NAMES = ("config.yaml", "plano_config.yaml")
_DUMPER: Any = getattr(yaml, "CSafeDumper", yaml.SafeDumper)


@dataclass(frozen=True, slots=True)
class LoadedConfig:
    """A configuration that can run.

    `document` is the rendered document and `runtime` its typed form; in both, secrets are references such as
    `$OPENAI_API_KEY`. `secrets` maps the variables that they refer to, to their values. `hashed` are the
    variables of which only a hash is needed from here on. `signing` are those that Envoy needs in its environment.
    """

    document: dict[str, Any] = field(repr=False)
    runtime: RuntimeConfig = field(repr=False)
    warnings: tuple[Finding, ...] = ()
    secrets: dict[str, str] = field(default_factory=dict, repr=False)
    hashed: frozenset[str] = frozenset()
    signing: dict[str, str] = field(default_factory=dict, repr=False)


def find_config(explicit: Path | None, folder: Path) -> Path | None:
    """The configuration to use, or None if the folder has none.

    Raises ConfigError for an explicit file that is not there.
    """
    if explicit is not None:
        path = explicit.absolute()
        if not path.is_file():
            remedy = "check the path" if not path.exists() else "name a file"
            raise config_error("no-such-file", f"failed to read {path}: no such file", remedy, file=str(path))
        return path
    return next((path for name in _FILE_NAMES if (path := folder.absolute() / name).is_file()), None)


def load_config(
    path: Path,
    *,
    environment: Mapping[str, str],
    env_file: Path | None = None,
    strict: bool = False,
    known: Mapping[str, str] = MappingProxyType({}),
    collector: str | None = None,
    elsewhere: bool = False,
) -> LoadedConfig:
    """Load a YAML file.

    Variables come from `environment`, then from `env_file`, by default the `.env` beside the configuration, then from
    `known`. `strict` makes every warning an error. Spans go to `collector`, a URL, instead of where the file says.
    `elsewhere`: it is for another machine, where the certificates are that it names. Raises ConfigError with all
    findings.
    """
    chosen = env_file or env_file_beside(path)
    source = parse(read_file(path), str(path))
    extra = read_env_file(chosen) if chosen else EnvFile({})
    values = {**known, **extra.entries, **environment}
    return _load(
        source, values, str(path), strict=strict, warnings=extra.warnings, collector=collector, elsewhere=elsewhere
    )


def env_file_beside(config: Path) -> Path | None:
    """The `.env` in the folder of a configuration, if there is one."""
    beside = config.parent / ".env"
    return beside if _is_file(beside) else None


def load_document(
    document: dict[str, Any], *, environment: Mapping[str, str], file: str | None = None, strict: bool = False
) -> LoadedConfig:
    """Load a document that has been parsed, or made, already; as `load_config` otherwise."""
    return _load(Source(plain(document), {}), environment, file, strict=strict)


def dump_rendered(document: dict[str, Any]) -> str:
    """The document as YAML with sorted keys, without anchors and aliases."""
    text: str = yaml.dump(document, Dumper=_PlainDumper)
    return text


def load_rendered(path: Path, secrets: Mapping[str, str]) -> RuntimeConfig:
    """What a service starts with: a rendered file in its typed form, with secrets resolved.

    Raises ConfigError if the file cannot be used, or if `secrets` has no value for a reference in it.
    """
    source = parse(read_file(path), str(path))
    report = source.report(str(path))
    if not isinstance(source.document, dict):
        raise config_error("not-a-mapping", f"failed to parse {path}: not a mapping", file=str(path))
    document = resolve_secrets(source.document, secrets, report)
    if report.failed:
        raise ConfigError(report.findings)
    return typed(document, file=str(path))


def _is_file(path: Path) -> bool:
    try:
        return path.is_file()
    except (OSError, ValueError):
        return False


def _load(
    source: Source,
    environment: Mapping[str, str],
    file: str | None,
    *,
    strict: bool,
    warnings: tuple[Finding, ...] = (),
    collector: str | None = None,
    elsewhere: bool = False,
) -> LoadedConfig:
    report = source.report(file)
    substitution = Substitution(environment, report)
    document = substitution.apply(source.document) if isinstance(source.document, dict) else source.document
    usable = validate(document, report, excused=frozenset(substitution.failed))
    rendered: dict[str, Any] = {}
    hashed: frozenset[str] = frozenset()
    if isinstance(usable, dict):
        usable.setdefault("version", CURRENT_VERSION)
        migrated = migrate(usable, report)
        if collector is not None:
            collect_here(migrated, collector, report)
        rendered = normalise(migrated, environment, report)
        hashed = normalise_edges(rendered, environment, Path(file).parent if file else Path(), report)
        check(migrated, rendered, environment, report)
        check_edges(rendered, report)
        check_signing(rendered, environment, report, elsewhere=elsewhere)
        if not elsewhere:
            check_edge_files(rendered, report)
    findings = (*warnings, *report.findings)
    if strict:
        findings = tuple(replace(finding, severity="error") for finding in findings)
    if any(finding.severity == "error" for finding in findings):
        raise ConfigError(findings)
    needed = Substitution(environment, Report())
    needed.apply(rendered)
    hashed -= needed.secrets.keys()
    written = {name: value for name, value in substitution.secrets.items() if name not in hashed}
    secrets = written | needed.secrets
    runtime = typed(rendered, file=file)
    return LoadedConfig(rendered, runtime, findings, secrets, hashed, signing_values(runtime, environment))


class _PlainDumper(_DUMPER):  # type: ignore[misc]
    def ignore_aliases(self, data: Any) -> bool:  # noqa: ARG002 — the signature is PyYAML's
        return True
