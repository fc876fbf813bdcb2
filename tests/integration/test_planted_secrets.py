"""Keys that were planted everywhere are found nowhere: not in logs, files, answers, metrics or the process list."""

import contextlib
import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import httpx
import psutil
import pytest
import yaml

from planoctl.mock_provider.server import RunningMock
from planoctl.port_check import free_port
from planoctl.supervise.control import find_running
from planoctl.supervise.plan import read_plan
from tests.integration.conftest import KEY
from tests.integration.planoctl_cli import Cli

pytestmark = pytest.mark.envoy

PLANTED = {
    "MOCK_KEY": KEY,
    "REFUSED_KEY": "sk-planted-refused-4d1e9c",
    "HEADER_SECRET": "planted-header-8f02ab",
    "AWS_ACCESS_KEY_ID": "AKIAPLANTED7C3B21",
    "AWS_SECRET_ACCESS_KEY": "planted/aws+secret5e66d0",
    "DOTENV_KEY": "sk-planted-dotenv-b3771f",
}
REDIS_PASSWORD = "planted-redis-0c9d4e"
CLIENT_KEYS = ("sk-planted-client-bearer-77aa", "sk-planted-client-header-12fe", "planted-client-query-c0de")
ALL = (*PLANTED.values(), REDIS_PASSWORD, *CLIENT_KEYS)


@contextlib.contextmanager
def telltale() -> Iterator[str]:
    """A provider that refuses every request and quotes all of its headers."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["content-length"]))
            quoted = "; ".join(f"{name}: {value}" for name, value in self.headers.items())
            body = json.dumps({"error": {"message": f"Incorrect API key. You sent {quoted}", "type": "auth"}}).encode()
            self.send_response(401)
            self.send_header("content-type", "application/json")
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()


def document(port: int, good: str, refusing: str) -> dict[str, Any]:
    entries = [
        {"model": "openai/mock-gpt", "base_url": good, "access_key": "$MOCK_KEY", "default": True,
         "headers": {"x-extra": "$HEADER_SECRET"}},
        {"model": "anthropic/mock-claude", "base_url": good, "access_key": "$MOCK_KEY"},
        {"model": "openai/refused", "base_url": refusing, "access_key": "$REFUSED_KEY",
         "headers": {"x-extra": "$HEADER_SECRET"}},
        {"model": "anthropic/refused-claude", "base_url": refusing, "access_key": "$DOTENV_KEY"},
        {"model": "openai/passed", "base_url": refusing, "passthrough_auth": True},
        {"model": "amazon_bedrock/signed", "base_url": refusing},
        {"model": "openai/down", "base_url": f"http://127.0.0.1:{free_port()}", "access_key": "$REFUSED_KEY"},
    ]  # fmt: skip
    return {
        "version": "v0.4.0",
        "listeners": [{"name": "llm", "type": "model", "port": port, "address": "127.0.0.1", "timeout": "3s"}],
        "model_providers": entries,
        "model_aliases": {"chain": {"target": "openai/refused", "fallbacks": ["openai/mock-gpt"]}},
        "routing_preferences": [{"name": "code", "description": "programs", "models": ["openai/mock-gpt"]}],
        "routing": {"session_cache": {"type": "redis", "url": "$REDIS_URL"}},
    }


def traffic(port: int) -> list[httpx.Response]:
    """Good and bad requests of both clients, each with keys of its own."""
    url = f"http://127.0.0.1:{port}"
    headers = {"authorization": f"Bearer {CLIENT_KEYS[0]}", "x-api-key": CLIENT_KEYS[1]}
    answers = [httpx.get(f"{url}/v1/models?key={CLIENT_KEYS[2]}", headers=headers)]
    models = (
        "mock-gpt",
        "mock-claude",
        "openai/refused",
        "refused-claude",
        "passed",
        "signed",
        "down",
        "chain",
        "none",
    )
    for path in ("/v1/chat/completions", "/v1/messages"):
        for model in models:
            for stream in (False, True):
                body = {
                    "model": model,
                    "max_tokens": 9,
                    "stream": stream,
                    "messages": [{"role": "user", "content": "x"}],
                }
                query = {"key": CLIENT_KEYS[2]}
                answers.append(httpx.post(url + path, params=query, json=body, headers=headers, timeout=20))
        for behaviour in ("hang", "reset", "status=500", "malformed"):
            body = {"model": "mock-gpt", "max_tokens": 9, "messages": [{"role": "user", "content": "x"}]}
            answers.append(
                httpx.post(url + path, json=body, headers={**headers, "x-mock-behaviour": behaviour}, timeout=20)
            )
        answers.append(httpx.post(url + path, content=b"{", headers={**headers, "x-model-affinity": "s"}, timeout=20))
    return answers


def found_in(texts: dict[str, str]) -> list[tuple[str, str]]:
    return [(where, secret) for where, text in texts.items() for secret in ALL if secret in text]


def files(folder: Path) -> dict[str, str]:
    return {
        str(path.relative_to(folder)): path.read_bytes().decode("utf-8", "replace")
        for path in folder.rglob("*")
        if path.is_file()
    }


def test_planted_secrets_are_found_nowhere_even_at_the_most_talkative_log_level(cli: Cli, mock: RunningMock) -> None:
    port = free_port()
    redis_url = f"redis://:{REDIS_PASSWORD}@127.0.0.1:{free_port()}/0"
    with telltale() as refusing:
        (cli.folder / "plano_config.yaml").write_text(yaml.safe_dump(document(port, mock.url, refusing)))
        (cli.folder / ".env").write_text(f"DOTENV_KEY={PLANTED['DOTENV_KEY']}\n")
        environment = {name: value for name, value in PLANTED.items() if name != "DOTENV_KEY"}
        shown = {
            "planoctl up": cli.start(
                "up", "--log-level", "trace", **environment, REDIS_URL=redis_url, AWS_REGION="us-east-1"
            )
        }
        answers = traffic(port)
        running = find_running(cli.paths)
        assert running is not None
        plan = read_plan(cli.paths.run_dir / "plan.json")
        admin = next(child.drain_admin for child in plan.children if child.drain_admin)
        brightstaff = next(p.target for c in plan.children if c.name == "brightstaff" for p in c.probes)
        for address in (f"{admin}/config_dump", f"{admin}/stats", f"{admin}/clusters", f"{admin}/server_info"):
            shown[address] = httpx.get(address).text
        shown["metrics"] = httpx.get(brightstaff.replace("/healthz", "/metrics")).text
        for pid in psutil.pids():
            with contextlib.suppress(psutil.Error):
                shown[f"ps {pid}"] = " ".join(psutil.Process(pid).cmdline())
        shown["planoctl status"] = cli("status", "--json").stdout
        shown["planoctl logs"] = cli("logs").stdout
        during = files(cli.home)
        cli.start("down")

    assert {answer.status_code for answer in answers} >= {200, 400, 401, 404, 500, 502, 503, 504}
    told = {f"answer {number}": answer.text + str(answer.headers) for number, answer in enumerate(answers)}
    # A provider that is given the client's own key may quote it to this client.
    assert [(where, secret) for where, secret in found_in(told) if secret not in CLIENT_KEYS] == []
    # What Envoy keeps back until its files are written is in them after it has ended.
    assert [(name, text) for name, text in found_in(during) if name != "run/secrets.json"] == []
    assert found_in(files(cli.home)) == []
    assert found_in(shown) == []
    assert "run/logs/access.log" in files(cli.home)
    assert "[debug]" in files(cli.home)["run/logs/envoy.log"]
