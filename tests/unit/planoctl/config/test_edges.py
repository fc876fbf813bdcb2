"""TLS, credentials, caps and CORS of listeners: what is refused, what is warned about, and what is kept of a key."""

import hashlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import trustme

from planoctl.config.findings import Finding
from planoctl.config.pipeline import LoadedConfig, dump_rendered

GATEWAY_KEY = "gw-a-long-enough-random-key"
Faults = Callable[..., tuple[Finding, ...]]
Load = Callable[..., LoadedConfig]


def listener(text: str, rest: str = "") -> str:
    return f"version: v0.4.0\nlisteners: [{{type: model, name: m, port: 12000, {text}}}]\n{rest}"


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("auth: {keys: [{name: a}]}", "gateway-key"),
        ("auth: {keys: [{name: a, key: $TEAM, sha256: '00'}]}", "gateway-key"),
        ("auth: {keys: [{name: a, sha256: abc}]}", "gateway-key"),
        ("auth: {keys: [{name: a, key: $TEAM}, {name: b, key: $TEAM}]}", "gateway-key"),
        ("auth: {keys: [{name: a, key: $UNSET_KEY}]}", "unset-variable"),
        ("auth: {keys: []}", None),
        ("auth: {}", None),
        ("auth: {unknown: 1}", "unknown-key"),
        ("auth: {jwt: {issuer: i}}", "jwks"),
        ("auth: {jwt: {issuer: i, jwks_url: 'https://a/b', jwks_file: x}}", "jwks"),
        ("auth: {jwt: {issuer: i, jwks_url: 'ftp://a/b'}}", "jwks"),
        ("auth: {jwt: {issuer: i, jwks_file: not-there.json}}", "unreadable-file"),
        ("cors: {allow_origins: ['https://a.test/path']}", "cors-origin"),
        ("cors: {allow_origins: ['*'], allow_credentials: true}", "cors-origin"),
        ("cors: {allow_origins: ['*'], allow_headers: ['a b']}", "invalid-header"),
        ("cors: {allow_origins: ['*'], max_age: soon}", "invalid-duration"),
        ("max_request_bytes: 99999999", "out-of-range"),
        ("rate: {requests: 0, unit: second}", None),
        ("rate: {requests: 1, unit: hour}", None),
        ("max_connections: 0", None),
        ("tls: {certificate: a.pem}", "missing-key"),
        ("tls: {certificate: a.pem, private_key: b.pem}", "unreadable-file"),
    ],
)
def test_what_cannot_work_is_refused(faults: Faults, text: str, code: str | None) -> None:
    found = faults(listener(text), environment={"TEAM": GATEWAY_KEY})
    assert code is None or code in {finding.code for finding in found}
    assert all(finding.path.startswith("listeners") for finding in found)


def test_of_a_key_only_its_hash_is_kept(load: Load) -> None:
    loaded = load(listener("auth: {keys: [{name: a, key: $TEAM}]}"), environment={"TEAM": GATEWAY_KEY})
    (key,) = loaded.runtime.listeners[0].auth.keys  # type: ignore[union-attr]
    assert (key.name, key.sha256) == ("a", hashlib.sha256(GATEWAY_KEY.encode()).hexdigest())
    assert loaded.secrets == {}
    assert loaded.hashed == {"TEAM"}
    assert GATEWAY_KEY not in dump_rendered(loaded.document)


def test_a_variable_that_a_provider_needs_too_stays_a_secret(load: Load) -> None:
    providers = "model_providers: [{model: openai/gpt-4o, access_key: $TEAM}]"
    loaded = load(listener("auth: {keys: [{name: a, key: $TEAM}]}", providers), environment={"TEAM": GATEWAY_KEY})
    assert loaded.secrets == {"TEAM": GATEWAY_KEY}
    assert loaded.hashed == frozenset()


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("auth: {keys: [{name: a, key: $SHORT}]}", "short-gateway-key"),
        (f"auth: {{keys: [{{name: a, key: {GATEWAY_KEY}}}]}}", "literal-key"),
        ("auth: {jwt: {issuer: i, jwks_url: 'https://a.test/jwks'}}", "no-audience"),
        ("auth: {jwt: {issuer: i, audiences: [p], jwks_url: 'http://a.test/jwks'}}", "plain-jwks"),
    ],
)
def test_what_is_unwise_is_warned_about(load: Load, text: str, code: str) -> None:
    warnings = load(listener(text), environment={"SHORT": "short"}).warnings
    assert [finding.code for finding in warnings] == [code]
    assert GATEWAY_KEY not in str(warnings[0])


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


def write(folder: Path, authority: trustme.CA) -> dict[str, Any]:
    certificate = authority.issue_cert("localhost")
    certificate.private_key_pem.write_to_path(folder / "key.pem")
    (folder / "cert.pem").write_bytes(certificate.cert_chain_pems[0].bytes())
    authority.cert_pem.write_to_path(folder / "ca.pem")
    return {"certificate": "cert.pem", "private_key": "key.pem", "client_ca": "ca.pem"}


def test_files_are_found_beside_the_configuration(load: Load, tmp_path: Path, authority: trustme.CA) -> None:
    loaded = load(listener(f"tls: {json.dumps(write(tmp_path, authority))}"))
    assert loaded.warnings == ()
    tls = loaded.runtime.listeners[0].tls
    assert tls is not None
    assert tls.certificate == str(tmp_path / "cert.pem")


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"private_key": "other.pem"}, "key-mismatch"),
        ({"private_key": "cert.pem"}, "invalid-private-key"),
        ({"certificate": "key.pem"}, "invalid-certificate"),
        ({"certificate": "expired.pem"}, "expired-certificate"),
        ({"client_ca": "plano_config.yaml"}, "invalid-certificate"),
        ({"certificate": "."}, "unreadable-file"),
        ({"client_ca": None, "require_client_certificate": True}, "no-client-ca"),
    ],
)
def test_files_that_do_not_fit_are_refused(
    faults: Faults, tmp_path: Path, authority: trustme.CA, changes: dict[str, Any], code: str
) -> None:
    import datetime

    tls = {name: value for name, value in {**write(tmp_path, authority), **changes}.items() if value is not None}
    authority.issue_cert("localhost").private_key_pem.write_to_path(tmp_path / "other.pem")
    past = authority.issue_cert("localhost", not_after=datetime.datetime(2020, 1, 1, tzinfo=datetime.UTC))
    (tmp_path / "expired.pem").write_bytes(past.cert_chain_pems[0].bytes())
    assert code in {finding.code for finding in faults(listener(f"tls: {json.dumps(tls)}"))}
