"""What Envoy reads to sign requests for AWS: its environment, and the files of AWS profiles."""

import configparser
from collections.abc import Iterator, Mapping
from pathlib import Path

from planoctl.config.clusters import is_signed
from planoctl.config.runtime import RuntimeConfig

REGION_VARIABLES = ("AWS_REGION", "AWS_DEFAULT_REGION")
SIGNING_VARIABLES = (
    *REGION_VARIABLES, "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AWS_PROFILE",
    "AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE", "AWS_ROLE_ARN", "AWS_ROLE_SESSION_NAME",
    "AWS_WEB_IDENTITY_TOKEN_FILE",
)  # fmt: skip


def signing_values(config: RuntimeConfig, environment: Mapping[str, str]) -> dict[str, str]:
    """The variables by which Envoy signs, if it signs for any provider."""
    return {name: environment[name] for name in SIGNING_VARIABLES if name in environment} if signs(config) else {}


def signs(config: RuntimeConfig) -> bool:
    """Whether Envoy signs the requests of any provider."""
    return any(
        is_signed(entry.provider_interface, entry.access_key, entry.passthrough_auth)
        for entry in config.model_providers
    )


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
