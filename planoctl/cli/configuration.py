"""From what the user asked for to a checked configuration: a file, the zero-config default, or the demo's."""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING

import yaml

from planoctl.cli.findings import InvalidConfigError
from planoctl.config.environment import merged_environment
from planoctl.config.findings import ConfigError
from planoctl.instance import Instance
from planoctl.private_files import private_folder, write_private
from planoctl.supervise.plan import StartRequest

if TYPE_CHECKING:
    from planoctl.config.findings import Finding
    from planoctl.config.pipeline import LoadedConfig

_DEMO_KEY = "PLANO_DEMO_KEY"


@dataclass(frozen=True, slots=True)
class Configuration:
    """A checked configuration and the file it comes from. `summary` describes a synthesised one."""

    loaded: "LoadedConfig"
    file: Path
    summary: str | None = None

    @property
    def warnings(self) -> "tuple[Finding, ...]":
        """What loading found, and what of it this version does not do."""
        from planoctl.config.inactive import inactive

        return (*self.loaded.warnings, *inactive(self.loaded.runtime))


def read_configuration(
    request: StartRequest, instance: Instance, known: Mapping[str, str] = MappingProxyType({})
) -> Configuration:
    """The configuration that `request` means; raises CliError, with all findings if it is invalid.

    `known`: values of variables that neither the environment nor an env file has.
    """
    from planoctl.config.pipeline import find_config

    try:
        file = find_config(Path(request.config) if request.config else None, Path(request.folder))
        if file is None:
            return _zero_config(request, instance, known)
        return Configuration(_load(file, request, os.environ, known=known), file)
    except ConfigError as error:
        raise InvalidConfigError(error.findings) from error


def demo_configuration(request: StartRequest, instance: Instance, provider_port: int) -> Configuration:
    """A configuration whose providers are a mock on `provider_port`, written beside the instance's state."""
    file = private_folder(instance.folder) / "demo_config.yaml"
    write_private(file, yaml.safe_dump(_demo_document(request.listener_port, provider_port), sort_keys=False))
    try:
        return Configuration(_load(file, request, {**os.environ, _DEMO_KEY: "demo"}), file)
    except ConfigError as error:
        raise InvalidConfigError(error.findings) from error


def _load(
    file: Path,
    request: StartRequest,
    environment: Mapping[str, str],
    env_file: Path | None = None,
    known: Mapping[str, str] = MappingProxyType({}),
) -> "LoadedConfig":
    from planoctl.config.pipeline import load_config

    chosen = Path(request.env_file) if request.env_file else env_file
    if (collector := _collector(request)) is not None:
        environment = {**environment, "OTEL_TRACING_GRPC_ENDPOINT": collector}
    return load_config(file, environment=environment, env_file=chosen, known=known, collector=collector)


def _collector(request: StartRequest) -> str | None:
    """The URL of the collector on this host that spans shall go to, if that was asked for."""
    return None if request.tracing_port is None else f"http://127.0.0.1:{request.tracing_port}"


def _zero_config(request: StartRequest, instance: Instance, known: Mapping[str, str]) -> Configuration:
    """The default document for the provider keys in the environment, or in a `.env` of the folder."""
    from planoctl.config.zero_config import synthesise

    beside = Path(request.folder) / ".env"
    env_file = Path(request.env_file) if request.env_file else beside if beside.is_file() else None
    environment = {**known, **merged_environment(os.environ, env_file)}
    document, summary = synthesise(environment, listener_port=request.listener_port)
    if (collector := _collector(request)) is not None:
        document["tracing"]["opentracing_grpc_endpoint"] = collector
    private_folder(instance.folder)
    write_private(instance.default_config_path, yaml.safe_dump(document, sort_keys=False))
    return Configuration(
        _load(instance.default_config_path, request, environment, env_file), instance.default_config_path, summary
    )


def _demo_document(listener_port: int, provider_port: int) -> dict[str, object]:
    url = f"http://127.0.0.1:{provider_port}"
    return {
        "version": "v0.4.0",
        "listeners": [{"name": "llm", "type": "model", "address": "127.0.0.1", "port": listener_port}],
        "model_providers": [
            {"model": "openai/mock-gpt", "base_url": url, "access_key": f"${_DEMO_KEY}", "default": True},
            {"model": "anthropic/mock-claude", "base_url": url, "access_key": f"${_DEMO_KEY}"},
        ],
    }
