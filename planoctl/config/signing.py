"""What Envoy reads to sign requests for AWS: its environment, and the files of AWS profiles."""

import configparser
from collections.abc import Iterator, Mapping
from pathlib import Path

REGION_VARIABLES = ("AWS_REGION", "AWS_DEFAULT_REGION")


def region_is_known(environment: Mapping[str, str]) -> bool:
    """Whether an Envoy with this environment finds a region: in a variable, or in the profile of its files."""
    if any(environment.get(name, "").strip() for name in REGION_VARIABLES):
        return True
    return any(_section_names_region(path, section) for path, section in _profile_sections(environment))


def _profile_sections(environment: Mapping[str, str]) -> Iterator[tuple[Path, str]]:
    """Where a profile may name its region: file and section."""
    profile = environment.get("AWS_PROFILE") or "default"
    home = environment.get("HOME")
    for variable, name, section in (
        ("AWS_SHARED_CREDENTIALS_FILE", "credentials", profile),
        ("AWS_CONFIG_FILE", "config", profile if profile == "default" else f"profile {profile}"),
    ):
        if chosen := environment.get(variable):
            yield Path(chosen), section
        elif home:
            yield Path(home) / ".aws" / name, section


def _section_names_region(path: Path, section: str) -> bool:
    parser = configparser.RawConfigParser(default_section="", strict=False, allow_no_value=True)
    try:
        parser.read_string(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, configparser.Error):
        return False
    return bool((parser.get(section, "region", fallback="") or "").strip())
