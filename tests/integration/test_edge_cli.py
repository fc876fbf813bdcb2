"""`planoctl up` with a listener that wants TLS, client certificates and keys."""

from pathlib import Path

import pytest
import trustme
import yaml

from planoctl.port_check import free_port
from tests.integration.planoctl_cli import Cli

pytestmark = pytest.mark.envoy
KEY = "gw-team-a-4c1d9e7f20"


def test_a_guarded_tls_listener_starts_and_is_ready(tmp_path: Path) -> None:
    cli, authority = Cli(tmp_path), trustme.CA()
    certificate = authority.issue_cert("127.0.0.1")
    certificate.private_key_and_cert_chain_pem.write_to_path(cli.folder / "tls.pem")
    authority.cert_pem.write_to_path(cli.folder / "ca.pem")
    port = free_port()
    listener = {
        "name": "llm", "type": "model", "port": port, "address": "127.0.0.1", "max_connections": 2,
        "tls": {"certificate": "tls.pem", "private_key": "tls.pem", "client_ca": "ca.pem"},
        "auth": {"keys": [{"name": "a", "key": "$TEAM_A_KEY"}]},
    }  # fmt: skip
    model = {"model": "openai/gpt", "base_url": "http://127.0.0.1:9", "access_key": "$OPENAI_API_KEY"}
    document = {"version": "v0.4.0", "listeners": [listener], "model_providers": [model]}
    (cli.folder / "plano_config.yaml").write_text(yaml.safe_dump(document))
    try:
        shown = cli.start("up", TEAM_A_KEY=KEY, OPENAI_API_KEY="sk-do-not-show-1234567890")
        assert f"https://127.0.0.1:{port}" in shown
        assert f"https://127.0.0.1:{port}" in cli.start("status")
        for path in cli.home.rglob("*"):
            assert not path.is_file() or KEY.encode() not in path.read_bytes(), path
    finally:
        cli("down")
