"""Without a key, Envoy signs what goes to Amazon Bedrock: botocore, an independent signer, gets the same signature."""

import hashlib
import json
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import httpx
import psutil
import pytest
import yaml

from hermesllm.aws_event_stream import encode_event
from tests.integration.gateway import Gateway, free_port, running_gateway
from tests.integration.planoctl_cli import Cli
from tests.integration.planoctl_cli import ask as ask_cli

botocore_auth = pytest.importorskip("botocore.auth")
from botocore.awsrequest import AWSRequest  # noqa: E402 — only where botocore is
from botocore.credentials import Credentials  # noqa: E402

KEY_ID, SECRET, TOKEN = "AKIDEXAMPLE", "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY", "session-token=="
HOST = "bedrock-runtime.eu-west-1.amazonaws.com"
MODEL = "eu.anthropic.claude-sonnet-4-5-20250929-v1:0"
PATH = "/model/eu.anthropic.claude-sonnet-4-5-20250929-v1%3A0"
ANSWER = {
    "output": {"message": {"role": "assistant", "content": [{"text": "Hello"}]}},
    "stopReason": "end_turn",
    "usage": {"inputTokens": 3, "outputTokens": 1, "totalTokens": 4},
    "metrics": {"latencyMs": 5},
}
STREAM = (
    ("messageStart", {"role": "assistant"}),
    ("contentBlockDelta", {"contentBlockIndex": 0, "delta": {"text": "Hello"}}),
    ("contentBlockStop", {"contentBlockIndex": 0}),
    ("messageStop", {"stopReason": "end_turn"}),
    ("metadata", {"usage": ANSWER["usage"], "metrics": {"latencyMs": 5}}),
)


@dataclass
class Recorded:
    path: str
    headers: dict[str, str]
    body: bytes


@dataclass
class Bedrock:
    """A server that writes down what it gets."""

    port: int = 0
    requests: list[Recorded] = field(default_factory=list)


@pytest.fixture(scope="module")
def bedrock() -> Iterator[Bedrock]:
    record = Bedrock()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers.get("content-length", 0)))
            headers = {name.lower(): value for name, value in self.headers.items()}
            record.requests.append(Recorded(self.path, headers, body))
            if self.path.endswith("-stream"):
                content_type = "application/vnd.amazon.eventstream"
                answer = b"".join(encode_event(name, json.dumps(event).encode()) for name, event in STREAM)
            else:
                content_type, answer = "application/json", json.dumps(ANSWER).encode()
            self.send_response(200)
            self.send_header("content-type", content_type)
            self.send_header("content-length", str(len(answer)))
            self.end_headers()
            self.wfile.write(answer)

        def log_message(self, *_: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    record.port = server.server_address[1]
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield record
    server.shutdown()
    server.server_close()
    thread.join()


@pytest.fixture(scope="module")
def gateway(tmp_path_factory: pytest.TempPathFactory, bedrock: Bedrock) -> Iterator[Gateway]:
    entry = {"base_url": f"http://127.0.0.1:{bedrock.port}", "http_host": HOST}
    document = {
        "model_providers": [
            {"model": f"amazon_bedrock/{MODEL}", **entry},
            {"model": "amazon_bedrock/eu.amazon.nova-lite-v1:0", "access_key": "$BEDROCK_KEY", **entry},
        ]
    }
    with pytest.MonkeyPatch.context() as environment:
        environment.setenv("AWS_ACCESS_KEY_ID", KEY_ID)
        environment.setenv("AWS_SECRET_ACCESS_KEY", SECRET)
        environment.setenv("AWS_SESSION_TOKEN", TOKEN)
        run_dir: Path = tmp_path_factory.mktemp("bedrock")
        with running_gateway(run_dir, document, {"BEDROCK_KEY": "bedrock-api-key"}) as running:
            yield running


def ask(gateway: Gateway, model: str, **members: Any) -> httpx.Response:
    body = {"model": model, "messages": [{"role": "user", "content": "Grüße " * 500}], **members}
    return httpx.post(f"{gateway.url}/v1/chat/completions", json=body, timeout=10)


def signature_of(request: Recorded, signed: list[str], region: str) -> str:
    """The signature that botocore makes of the request as it arrived."""
    headers = {name: request.headers[name] for name in signed}
    made = AWSRequest("POST", f"https://{HOST}{request.path}", data=request.body, headers=headers)
    made.context["timestamp"] = request.headers["x-amz-date"]
    signer = botocore_auth.SigV4Auth(Credentials(KEY_ID, SECRET, TOKEN), "bedrock", region)
    signature: str = signer.signature(signer.string_to_sign(made, signer.canonical_request(made)), made)
    return signature


@pytest.mark.parametrize("stream", [False, True])
def test_the_request_that_arrives_is_signed_as_botocore_signs_it(
    gateway: Gateway, bedrock: Bedrock, stream: bool
) -> None:
    bedrock.requests.clear()
    ask(gateway, MODEL, stream=stream)
    (request,) = bedrock.requests
    assert request.path == PATH + ("/converse-stream" if stream else "/converse")
    assert request.headers["host"] == HOST
    assert json.loads(request.body)["messages"][0]["content"] == [{"text": "Grüße " * 500}]
    scheme, _, rest = request.headers["authorization"].partition(" ")
    parts = dict(part.strip().split("=", 1) for part in rest.split(","))
    date = request.headers["x-amz-date"][:8]
    assert scheme == "AWS4-HMAC-SHA256"
    assert parts["Credential"] == f"{KEY_ID}/{date}/eu-west-1/bedrock/aws4_request"
    signed = parts["SignedHeaders"].split(";")
    assert {"host", "x-amz-date", "x-amz-security-token"} <= set(signed)
    assert request.headers["x-amz-content-sha256"] == hashlib.sha256(request.body).hexdigest()
    assert parts["Signature"] == signature_of(request, signed, "eu-west-1")


def test_a_configured_key_goes_as_a_bearer_token_and_nothing_is_signed(gateway: Gateway, bedrock: Bedrock) -> None:
    bedrock.requests.clear()
    ask(gateway, "eu.amazon.nova-lite-v1:0")
    (request,) = bedrock.requests
    assert request.headers["authorization"] == "Bearer bedrock-api-key"
    assert "x-amz-date" not in request.headers


def test_the_answer_of_a_signed_request_reaches_the_client(gateway: Gateway) -> None:
    answer = ask(gateway, MODEL)
    assert answer.status_code == 200, answer.text
    assert answer.json()["choices"][0]["message"]["content"] == "Hello"


@pytest.mark.envoy
def test_envoy_alone_gets_the_region_and_the_credentials_of_the_env_file(cli: Cli, bedrock: Bedrock) -> None:
    port = free_port()
    path = cli.write_config(port)
    entry = {"model": f"amazon_bedrock/{MODEL}", "base_url": f"http://127.0.0.1:{bedrock.port}"}
    path.write_text(yaml.safe_dump({**yaml.safe_load(path.read_text()), "model_providers": [entry]}))
    values = {"AWS_ACCESS_KEY_ID": "AKIDOFTHEFILE", "AWS_SECRET_ACCESS_KEY": "secret/of+the.file"}
    lines = {**values, "AWS_SESSION_TOKEN": TOKEN, "AWS_REGION": "eu-west-1"}
    (cli.folder / ".env").write_text("".join(f"{name}='{value}'\n" for name, value in lines.items()))
    for name in (*lines, "AWS_DEFAULT_REGION", "AWS_PROFILE"):
        cli.environment.pop(name, None)
    cli.start("validate")
    cli.start("up", HOME=str(cli.folder))
    bedrock.requests.clear()
    assert ask_cli(port, model=MODEL).status_code == 200
    assert "Credential=AKIDOFTHEFILE/" in bedrock.requests[0].headers["authorization"]
    assert "/eu-west-1/bedrock/" in bedrock.requests[0].headers["authorization"]
    assert psutil.Process(cli.pid_of("envoy")).environ().items() >= values.items()
    assert not psutil.Process(cli.pid_of("brightstaff")).environ().keys() & values.keys()
    for file in cli.home.rglob("*"):
        assert not file.is_file() or values["AWS_SECRET_ACCESS_KEY"].encode() not in file.read_bytes(), file
