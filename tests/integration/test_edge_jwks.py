"""Tokens whose key set comes from the issuer over the network, at a model listener and at an agent listener."""

import json
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import httpx
import pytest
from joserfc.jwk import KeySet

from planoctl.mock_provider.server import RunningMock
from tests.integration.conftest import KEY
from tests.integration.gateway import free_port, running_gateway
from tests.integration.test_edge_auth import AUDIENCE, CHAT, FOREIGN, ISSUER, SIGNING, token

pytestmark = pytest.mark.envoy


@pytest.fixture
def issuer() -> Iterator[str]:
    """The address of a key set."""
    document = json.dumps(KeySet([SIGNING]).as_dict(private=False)).encode()

    class Keys(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header("content-length", str(len(document)))
            self.end_headers()
            self.wfile.write(document)

        def log_message(self, *_arguments: Any) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Keys) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}/keys.json"
        server.shutdown()


def ask(url: str, bearer: str) -> httpx.Response:
    headers = {"authorization": f"Bearer {bearer}"}
    return httpx.post(f"{url}/v1/chat/completions", json=CHAT, headers=headers, timeout=20)


def test_a_key_set_is_fetched_and_missing_is_no_fault_of_the_client(
    tmp_path: Path, mock: RunningMock, issuer: str
) -> None:
    def listener(name: str, kind: str, jwks_url: str) -> dict[str, Any]:
        auth = {"jwt": {"issuer": ISSUER, "audiences": [AUDIENCE], "jwks_url": jwks_url, "identity_claim": "team.name"}}
        return {"type": kind, "name": name, "address": "127.0.0.1", "port": free_port(), "auth": auth}

    right = token(team={"name": "blue"})
    agents = listener("agents", "agent", f"http://127.0.0.1:{free_port()}/keys.json")
    agents["agents"] = [{"id": "a", "description": "d"}]
    document = {
        "listeners": [first := listener("models", "model", issuer), agents],
        "agents": [{"id": "a", "url": "http://127.0.0.1:9"}],
        "model_providers": [{"model": "openai/mock-gpt", "base_url": mock.url, "access_key": "$MOCK_KEY"}],
    }
    access = {"headers": {"authorization": f"Bearer {right}"}}
    with running_gateway(tmp_path / "run", document, {"MOCK_KEY": KEY}, port=first["port"], access=access) as gateway:
        answer = ask(gateway.url, right)
        assert answer.status_code == 200
        assert ask(gateway.url, token()).status_code == 401
        assert "team.name" in ask(gateway.url, token()).json()["error"]["message"]
        assert ask(gateway.url, token(FOREIGN, team={"name": "blue"})).status_code == 401
        assert gateway.access_log(answer.headers["x-request-id"], seconds=20)["identity"] == "blue"
        desk = f"http://127.0.0.1:{agents['port']}"
        deadline = time.monotonic() + 20
        while (answer := ask(desk, right)).status_code != 503 and time.monotonic() < deadline:
            time.sleep(0.1)
        assert (answer.status_code, answer.json()["error"]["code"]) == (503, "jwks_unavailable")
        assert httpx.post(f"{desk}/v1/chat/completions", json=CHAT).status_code == 401
        assert httpx.get(f"{desk}/healthz").status_code == 200
