from pathlib import Path

import pytest

from planoctl.envoy_binary import (
    EnvoyNotFound,
    EnvoyRejected,
    EnvoyTooOld,
    check_version,
    envoy_version,
    find_envoy,
    validate_bootstrap,
    validate_files,
)

ADMIN = "admin: {address: {socket_address: {address: 127.0.0.1, port_value: 0}}}\n"


@pytest.fixture(autouse=True)
def _no_variables(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("ENVOY_PATH", raising=False)
    monkeypatch.delenv("PLANO_ENVOY_PATH", raising=False)


def script(path: Path, text: str) -> Path:
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(0o755)
    return path


def test_the_wheel_s_binary_is_used_itself_not_its_python_launcher() -> None:
    binary = find_envoy()
    assert binary.parent.name == "_bin"
    assert binary.read_bytes()[:4] in {b"\x7fELF", b"\xcf\xfa\xed\xfe"}


def test_an_explicit_path_wins_over_variables_and_variables_over_the_wheel(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second, third = (script(tmp_path / name, "") for name in ("first", "second", "third"))
    monkeypatch.setenv("ENVOY_PATH", str(third))
    assert find_envoy() == third
    monkeypatch.setenv("PLANO_ENVOY_PATH", str(second))
    assert find_envoy() == second
    assert find_envoy(str(first)) == first


def test_a_named_file_that_is_missing_or_not_executable_is_an_error_that_names_its_source(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(EnvoyNotFound, match="--envoy-path names /no/such/envoy, which is not an executable file"):
        find_envoy("/no/such/envoy")
    plain = tmp_path / "plain"
    plain.touch(mode=0o644)
    monkeypatch.setenv("ENVOY_PATH", str(plain))
    with pytest.raises(EnvoyNotFound, match=r"\$ENVOY_PATH names") as raised:
        find_envoy()
    assert raised.value.remedy == "correct or leave out $ENVOY_PATH"


def test_the_installed_version_is_new_enough() -> None:
    major, minor, _ = check_version(find_envoy()).split(".")
    assert (int(major), int(minor)) >= (1, 40)


def test_an_old_envoy_is_refused(tmp_path: Path) -> None:
    old = script(tmp_path / "envoy", "echo 'envoy  version: abc/1.37.0-dev/Clean/RELEASE/BoringSSL'")
    assert envoy_version(old) == "1.37.0"
    with pytest.raises(EnvoyTooOld, match=r"is Envoy 1\.37\.0; 1\.40 or newer is needed"):
        check_version(old)


@pytest.mark.parametrize("text", ["echo hello", "exit 1"])
def test_something_that_is_no_envoy_is_refused(text: str, tmp_path: Path) -> None:
    with pytest.raises(EnvoyNotFound, match="does not look like an Envoy"):
        envoy_version(script(tmp_path / "envoy", text))


def test_a_file_that_cannot_run_is_refused(tmp_path: Path) -> None:
    broken = tmp_path / "envoy"
    broken.write_bytes(b"\x7fELFgarbage")
    broken.chmod(0o755)
    with pytest.raises(EnvoyNotFound, match="does not run"):
        envoy_version(broken)


def test_a_good_bootstrap_passes(tmp_path: Path) -> None:
    path = tmp_path / "envoy.yaml"
    path.write_text(ADMIN)
    validate_bootstrap(find_envoy(), path)


def test_a_bad_bootstrap_is_refused_with_envoy_s_own_reason(tmp_path: Path) -> None:
    path = tmp_path / "envoy.yaml"
    path.write_text(f"{ADMIN}static_resources: {{clusters: [{{name: a, bogus: 1}}]}}\n")
    with pytest.raises(EnvoyRejected) as raised:
        validate_bootstrap(find_envoy(), path)
    message = str(raised.value)
    assert "no such field: 'bogus'" in message
    assert "[critical]" not in message
    assert len(message.splitlines()) <= 6


def test_a_long_reason_is_shortened_to_its_ends(tmp_path: Path) -> None:
    envoy = script(
        tmp_path / "envoy",
        "echo '[2026-01-01 00:00:00.000][1][critical][main] [source/a.cc:1] it is bad' >&2\n"
        "i=0; while [ $i -lt 50 ]; do echo \"line $i\" >&2; i=$((i+1)); done; echo 'the reason' >&2; exit 1",
    )
    with pytest.raises(EnvoyRejected) as raised:
        validate_bootstrap(envoy, tmp_path)
    lines = str(raised.value).splitlines()
    assert (lines[0], lines[1], lines[-1], len(lines)) == ("it is bad", "…", "the reason", 6)


def test_everything_that_was_rendered_is_judged() -> None:
    validate_files(find_envoy(), {"envoy.yaml": "not looked at", "envoy.static.yaml": ADMIN})
    with pytest.raises(EnvoyRejected):
        validate_files(find_envoy(), {"envoy.yaml": ADMIN, "envoy.static.yaml": f"{ADMIN}bogus: 1\n"})
