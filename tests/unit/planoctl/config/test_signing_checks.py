"""Requests that Envoy signs for AWS need a region, from the file, the environment or an AWS profile."""

from pathlib import Path

import pytest

_HEAD = "version: v0.4.0\nlisteners: [{type: model, name: m, port: 12000}]\n"
_BEDROCK = "model_providers: [{model: amazon_bedrock/claude, base_url: '%s'%s}]\n"
_PROXIED = _HEAD + _BEDROCK % ("https://proxy.example", "")


@pytest.mark.parametrize(
    ("url", "more", "environment"),
    [
        ("https://bedrock-runtime.eu-west-1.amazonaws.com", "", {}),
        ("https://proxy.example", ", http_host: bedrock-runtime.eu-west-1.amazonaws.com", {}),
        ("https://proxy.example", "", {"AWS_REGION": "eu-west-1"}),
        ("https://proxy.example", "", {"AWS_DEFAULT_REGION": "eu-west-1"}),
        ("https://proxy.example", ", access_key: $CUSTOM_API_KEY", {"CUSTOM_API_KEY": "k"}),
        ("https://proxy.example", ", passthrough_auth: true", {}),
    ],
)
def test_signing_finds_its_region_or_is_not_needed(load, url: str, more: str, environment: dict[str, str]) -> None:
    assert load(_HEAD + _BEDROCK % (url, more), environment=environment).warnings == ()


def test_signing_without_a_region_is_refused(faults) -> None:
    (fault,) = faults(_PROXIED, environment={"AWS_REGION": " "})
    assert (fault.severity, fault.code, fault.path, fault.line) == (
        "error", "no-region", "model_providers[0].base_url", 3,
    )  # fmt: skip
    assert fault.remedy == "write base_url: https://bedrock-runtime.<region>.amazonaws.com, or set AWS_REGION"


def test_another_machine_may_know_the_region(load) -> None:
    (warning,) = load(_PROXIED, environment={}, elsewhere=True).warnings
    assert (warning.severity, warning.code) == ("warning", "no-region")


@pytest.mark.parametrize(
    ("file", "text", "profile"),
    [
        ("config", "[default]\nregion = eu-west-1\n", None),
        ("config", "[profile work]\nregion=eu-west-1\n", "work"),
        ("credentials", "[work]\nREGION = eu-west-1\n", "work"),
        ("credentials", "[default]\naws_access_key_id = AKID\nregion = eu-west-1\n", "default"),
    ],
)
def test_an_aws_profile_may_name_the_region(load, tmp_path: Path, file: str, text: str, profile: str | None) -> None:
    (tmp_path / ".aws").mkdir()
    (tmp_path / ".aws" / file).write_text(text)
    chosen = {"AWS_PROFILE": profile} if profile else {}
    assert load(_PROXIED, environment={"HOME": str(tmp_path), **chosen}).warnings == ()
    moved = (tmp_path / ".aws" / file).rename(tmp_path / "elsewhere")
    variable = "AWS_CONFIG_FILE" if file == "config" else "AWS_SHARED_CREDENTIALS_FILE"
    assert load(_PROXIED, environment={variable: str(moved), **chosen}).warnings == ()


@pytest.mark.parametrize(
    "text",
    ["[profile work]\nregion = eu-west-1\n", "[default]\nregion =\n", "[default]\nregion\n", "region = x", "[", "\0"],
)
def test_a_profile_that_names_no_region_does_not_help(faults, tmp_path: Path, text: str) -> None:
    (tmp_path / "aws").write_text(text)
    (fault,) = faults(_PROXIED, environment={"AWS_CONFIG_FILE": str(tmp_path / "aws")})
    assert fault.code == "no-region"
