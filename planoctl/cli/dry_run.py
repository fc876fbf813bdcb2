"""Runs `brightstaff.dry_run` on a configuration, in a process of its own, and reads its answers."""

import json
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from planoctl.cli.console import warn
from planoctl.cli.errors import CliError
from planoctl.config.dry_run import NEEDS_GATEWAY, Answer, Prompt
from planoctl.config.pipeline import dump_rendered
from planoctl.private_files import write_private

if TYPE_CHECKING:
    from planoctl.config.pipeline import LoadedConfig


def dry_run(loaded: "LoadedConfig", prompts: Sequence[Prompt]) -> list[Answer]:
    """One answer per prompt. The files that the process reads, keys among them, exist while it runs only."""
    with tempfile.TemporaryDirectory(prefix="plano-") as folder:
        config, secrets = Path(folder, "config.yaml"), Path(folder, "secrets.json")
        write_private(config, dump_rendered(loaded.document))
        write_private(secrets, json.dumps(loaded.secrets))
        done = subprocess.run(
            (sys.executable, "-P", "-m", "brightstaff.dry_run", "--config", str(config), "--secrets", str(secrets)),
            input=msgspec.json.Encoder().encode_lines(prompts),
            capture_output=True,
            check=False,
        )
    said = done.stderr.decode(errors="replace").strip()
    if done.returncode == NEEDS_GATEWAY:
        raise CliError(said, remedy="start the gateway, and POST requests to /routing/v1/chat/completions instead")
    if done.returncode:
        message = f"the dry run ended with exit code {done.returncode}"
        raise CliError(message, details=said.splitlines(), remedy="planoctl validate checks the configuration")
    if said:
        warn(said)
    return msgspec.json.Decoder(Answer).decode_lines(done.stdout)
