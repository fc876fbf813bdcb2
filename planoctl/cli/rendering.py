"""What `validate` and `render` share: a configuration file, Envoy's opinion of it, and the files it becomes."""

import json
import os
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import rich_click as click

from planoctl.cli import options
from planoctl.cli.configuration import Configuration
from planoctl.cli.errors import CliError
from planoctl.cli.findings import InvalidConfigError
from planoctl.config.deployment import Deployment
from planoctl.config.findings import ConfigError, Finding
from planoctl.envoy_binary import EnvoyError, EnvoyNotFound, EnvoyRejected, check_version, find_envoy, validate_files
from planoctl.private_files import private_folder, write_private

if TYPE_CHECKING:
    from planoctl.config.pipeline import LoadedConfig


def load_named(file: Path | None, folder: Path, env_file: Path | None, *, strict: bool = False) -> Configuration:
    """The configuration of a file that must exist.

    Raises InvalidConfigError with all findings, and a usage error if no file was named and `folder` has none.
    """
    from planoctl.config.pipeline import find_config, load_config

    env_path = options.existing(env_file, "env file")
    try:
        found = find_config(file.expanduser() if file else None, folder)
        if found is None:
            raise click.UsageError(f"no FILE was named, and {folder} holds no config.yaml or plano_config.yaml")
        return Configuration(load_config(found, environment=os.environ, env_file=env_path, strict=strict), found)
    except ConfigError as error:
        raise InvalidConfigError(error.findings) from error


def check_with_envoy(loaded: "LoadedConfig", envoy_path: str | None) -> tuple[Finding, ...]:
    """Let Envoy judge what is rendered. Without an Envoy there is a warning; a bad `envoy_path` raises CliError."""
    from planoctl.render import render_envoy

    try:
        envoy = find_envoy(envoy_path)
        check_version(envoy)
        with tempfile.TemporaryDirectory(prefix="plano-") as folder:
            deployment = Deployment(run_dir=Path(folder))
            deployment.log_dir.mkdir()
            validate_files(envoy, render_envoy(loaded.runtime, deployment), loaded.signing)
    except EnvoyRejected as error:
        return (Finding("error", "envoy-rejected", f"Envoy refuses the result: {error}", error.remedy),)
    except EnvoyNotFound as error:
        if envoy_path is not None:
            raise CliError(str(error), remedy=error.remedy) from error
        return (Finding("warning", "envoy-missing", f"not checked by Envoy: {error}", error.remedy),)
    except EnvoyError as error:
        raise CliError(str(error), remedy=error.remedy) from error
    return ()


def write_rendered(loaded: "LoadedConfig", deployment: Deployment, *, with_secrets: bool) -> list[Path]:
    """Write what the processes read into the folder of `deployment`; returns the files."""
    from planoctl.config.pipeline import dump_rendered
    from planoctl.render import render_envoy, write_envoy

    private_folder(deployment.run_dir)
    private_folder(deployment.log_dir)
    files = render_envoy(loaded.runtime, deployment)
    write_private(deployment.config_path, dump_rendered(loaded.document))
    write_envoy(files, deployment.envoy_dir)
    written = [deployment.config_path, *(deployment.envoy_dir / name for name in sorted(files))]
    if with_secrets:
        write_private(deployment.secrets_path, json.dumps(loaded.secrets))
        written.append(deployment.secrets_path)
    return written
