"""What every service process does first: arguments, log, configuration."""

import argparse
import logging
import sys
from pathlib import Path

from planoctl.config.watch import ServiceFiles

_LEVELS = {"trace": "debug", "critical": "error", "off": "error"}


def service_parser(name: str, description: str) -> argparse.ArgumentParser:
    """The arguments that every service takes."""
    parser = argparse.ArgumentParser(prog=name, description=description)
    parser.add_argument("--config", type=Path, required=True, help="the rendered configuration")
    parser.add_argument("--secrets", type=Path, help="JSON file with the values of its variables")
    parser.add_argument("--applied", type=Path, help="file in which to say which configuration is in force")
    parser.add_argument("--log-level", default="info", help="trace, debug, info, warning or error (default: info)")
    return parser


def start_logging(level: str) -> None:
    logging.basicConfig(
        level=_LEVELS.get(level, level).upper(),
        stream=sys.stderr,
        format="%(asctime)s %(levelname)s %(name)s[%(process)d] %(message)s",
    )
    logging.getLogger("httpx").setLevel(logging.WARNING)  # it writes whole URLs, and there may be a key in one


def service_files(arguments: argparse.Namespace) -> ServiceFiles:
    """The files that the arguments name."""
    return ServiceFiles(arguments.config, arguments.secrets)
