"""What every service process does first: arguments, log, configuration."""

import argparse
import json
import logging
import sys
from pathlib import Path

from planoctl.config.pipeline import load_rendered
from planoctl.config.runtime import RuntimeConfig

_LEVELS = {"trace": "debug", "critical": "error", "off": "error"}


def service_parser(name: str, description: str) -> argparse.ArgumentParser:
    """The arguments that every service takes."""
    parser = argparse.ArgumentParser(prog=name, description=description)
    parser.add_argument("--config", type=Path, required=True, help="the rendered configuration")
    parser.add_argument("--secrets", type=Path, help="JSON file with the values of its variables")
    parser.add_argument("--log-level", default="info", help="trace, debug, info, warning or error (default: info)")
    return parser


def start_logging(level: str) -> None:
    logging.basicConfig(
        level=_LEVELS.get(level, level).upper(),
        stream=sys.stderr,
        format="%(asctime)s %(levelname)s %(name)s[%(process)d] %(message)s",
    )


def load_service_config(config: Path, secrets: Path | None) -> RuntimeConfig:
    """The configuration with its secrets resolved. Raises ConfigError."""
    return load_rendered(config, json.loads(secrets.read_text(encoding="utf-8")) if secrets else {})
