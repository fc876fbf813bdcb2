"""The command."""

import socket
import subprocess
import sys

import httpx
from click.testing import CliRunner

from planoctl.mock_provider.cli import mock_provider

COMMAND = "from planoctl.mock_provider.cli import mock_provider; mock_provider()"


def test_prints_its_address_and_serves(tmp_path):
    arguments = ["--port", "0", "--key", "secret", "--record", str(tmp_path / "log.jsonl")]
    process = subprocess.Popen([sys.executable, "-c", COMMAND, *arguments], stdout=subprocess.PIPE, text=True)
    try:
        line = process.stdout.readline()
        assert line.startswith("mock provider listening on http://127.0.0.1:")
        url = line.split()[-1]
        assert httpx.get(f"{url}/v1/models").status_code == 401
        assert httpx.get(f"{url}/v1/models", headers={"x-api-key": "secret"}).status_code == 200
    finally:
        process.terminate()
        assert process.wait(10) is not None
        process.stdout.close()
    assert len((tmp_path / "log.jsonl").read_text().splitlines()) == 2


def test_taken_port_is_an_error_with_a_remedy():
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        result = CliRunner().invoke(mock_provider, ["--port", port])
    assert result.exit_code == 1
    assert f"cannot listen on 127.0.0.1:{port}" in result.output
    assert "--port" in result.output


def test_certificate_needs_its_key(tmp_path):
    result = CliRunner().invoke(mock_provider, ["--tls-cert", str(tmp_path / "cert.pem")])
    assert result.exit_code == 2
    assert "--tls-cert and --tls-key go together" in result.output


def test_help_lists_the_behaviours():
    assert "retry-after=SECONDS" in CliRunner().invoke(mock_provider, ["--help"]).output
