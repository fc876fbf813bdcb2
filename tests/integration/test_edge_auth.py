"""Who may use a listener: gateway keys and tokens, by the official SDKs, in front of a real Envoy."""

import hashlib
import json
import socket
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import anthropic
import httpx
import openai
import pytest
from joserfc import jwt
from joserfc.jwk import KeySet, RSAKey

from planoctl.mock_provider.server import RunningMock
from tests.integration.conftest import KEY
from tests.integration.gateway import Gateway, free_port, running_gateway

pytestmark = pytest.mark.envoy

TEAM_A, TEAM_B = "gw-team-a-4c1d9e7f20", "gw-team-b-88aa31c05e"
WRONG = "gw-nobody-0000000000"
ISSUER, AUDIENCE = "https://issuer.test", "plano"
SIGNING = RSAKey.generate_key(2048, {"kid": "k1", "use": "sig", "alg": "RS256"})
FOREIGN = RSAKey.generate_key(2048, {"kid": "k1", "use": "sig", "alg": "RS256"})
CHAT = {"model": "mock-gpt", "messages": [{"role": "user", "content": "hi"}]}


def token(key: RSAKey = SIGNING, **claims: Any) -> str:
    now = int(time.time())
    payload = {"iss": ISSUER, "aud": AUDIENCE, "sub": "jane", "iat": now, "exp": now + 600, **claims}
    return jwt.encode({"alg": "RS256", "kid": "k1"}, payload, key)


def models(mock: RunningMock) -> list[dict[str, Any]]:
    return [
        {"model": "openai/mock-gpt", "base_url": mock.url, "access_key": "$MOCK_KEY", "default": True},
        {"model": "anthropic/mock-claude", "base_url": mock.url, "access_key": "$MOCK_KEY"},
        {"model": "openai/own-key", "base_url": mock.url, "passthrough_auth": True},
    ]


@pytest.fixture(scope="module")
def guarded(tmp_path_factory: pytest.TempPathFactory, mock: RunningMock) -> Iterator[Gateway]:
    folder, port = tmp_path_factory.mktemp("guarded"), free_port()
    jwks = folder / "jwks.json"
    jwks.write_text(json.dumps(KeySet([SIGNING]).as_dict(private=False)))
    listener = {
        "type": "model",
        "name": "front door",
        "address": "127.0.0.1",
        "port": port,
        "auth": {
            "keys": [
                {"name": "team-a", "key": "$TEAM_A_KEY"},
                {"name": "team-b", "sha256": hashlib.sha256(TEAM_B.encode()).hexdigest()},
            ],
            "jwt": {"issuer": ISSUER, "audiences": [AUDIENCE], "jwks_file": str(jwks), "identity_claim": "sub"},
        },
    }
    document = {"listeners": [listener], "model_providers": models(mock)}
    access = {"headers": {"x-plano-key": TEAM_A}}
    environment = {"MOCK_KEY": KEY, "TEAM_A_KEY": TEAM_A}
    with running_gateway(folder / "run", document, environment, port=port, access=access) as gateway:
        yield gateway


def post(gateway: Gateway, headers: dict[str, str], path: str = "/v1/chat/completions") -> httpx.Response:
    return httpx.post(gateway.url + path, json={**CHAT, "max_tokens": 9}, headers=headers, timeout=20)


@pytest.mark.parametrize("key", [TEAM_A, TEAM_B])
@pytest.mark.parametrize(
    "headers",
    [
        {"authorization": "Bearer {}"}, {"authorization": "bearer  {}"}, {"authorization": "{}"}, {"x-api-key": "{}"},
        {"api-key": "{}"}, {"x-goog-api-key": "{}"}, {"x-plano-key": "{}"},
        {"x-plano-key": "{}", "authorization": "Bearer " + WRONG},
        {"x-api-key": "{}", "authorization": "Bearer " + WRONG},
    ],
)  # fmt: skip
def test_a_key_is_found_wherever_a_client_puts_it(guarded: Gateway, headers: dict[str, str], key: str) -> None:
    assert post(guarded, {name: value.format(key) for name, value in headers.items()}).status_code == 200


@pytest.mark.parametrize(
    "headers",
    [
        {}, {"authorization": "Bearer " + WRONG}, {"authorization": "Bearer"}, {"authorization": f"Basic {TEAM_A}"},
        {"x-api-key": TEAM_A.upper()}, {"x-api-key": TEAM_A[:-1]}, {"x-plano-key": WRONG, "x-api-key": TEAM_A},
        {"x-plano-key": ""}, {"x-plano-identity": "team-a"}, {"x_plano_key": TEAM_A}, {"x-arch-edge": "none"},
        {"x-arch-listener": "internal"}, {"connection": "x-arch-edge"}, {"x-api-key": "\u00e9"},
        {"x-api-key": hashlib.sha256(TEAM_A.encode()).hexdigest()}, {"cookie": f"key={TEAM_A}"},
    ],
)  # fmt: skip
@pytest.mark.parametrize("path", ["/v1/chat/completions", "/v1/messages", "/v1/nowhere", "/routing/v1/messages"])
def test_without_a_right_key_nothing_is_served(guarded: Gateway, path: str, headers: dict[str, str]) -> None:
    raw = {name: value.encode("latin-1") for name, value in headers.items()}
    response = post(guarded, raw, path)  # type: ignore[arg-type]
    assert response.status_code == 401
    assert response.headers["www-authenticate"].startswith("Bearer")
    assert response.headers["content-type"] == "application/json"
    error = response.json()["error"]
    assert error["code"] == "invalid_api_key"
    assert "front door" in error["message"]
    assert "x-plano-key" in error["message"]
    assert error["type"] == "authentication_error"
    assert ("type" in response.json()) == path.endswith("messages")
    for secret in (WRONG, TEAM_A):
        assert secret not in response.text


@pytest.mark.parametrize(
    "path",
    [
        "/v1/models", "/v1/models/openai%2Fmock-gpt", "/routing/", "/routing", "/readyz/", "/healthz/", "//v1/models",
        "/v1/./models", "/healthz/../v1/models", "/healthz%2f..%2fv1%2fmodels", "/healthz/..%2Fv1/models",
        "/v1/models?x=/healthz", "/healthz;/../v1/models", "/HEALTHZ", "/%68ealthz/../v1/models", "/v1%2fmodels",
    ],
)  # fmt: skip
@pytest.mark.parametrize("method", ["GET", "POST", "OPTIONS", "HEAD"])
def test_no_way_to_write_a_path_leads_past_the_key(guarded: Gateway, path: str, method: str) -> None:
    request = httpx.Request(method, guarded.url)
    request.url = httpx.URL(guarded.url, raw_path=path.encode())
    with httpx.Client(timeout=20) as client:
        assert client.send(request).status_code == 401


def test_health_needs_no_key(guarded: Gateway) -> None:
    for path in ("/healthz", "/readyz"):
        assert httpx.get(guarded.url + path).status_code == 200


def test_the_models_are_listed_for_who_has_a_key(guarded: Gateway) -> None:
    for path in ("/v1/models", "/v1/models/openai%2Fmock-gpt"):
        assert httpx.get(guarded.url + path, headers={"x-api-key": TEAM_B}).status_code == 200
    assert httpx.get(guarded.url + "/v1/models", headers={"authorization": f"Bearer {token()}"}).status_code == 200


def test_the_openai_sdk_gets_in_with_a_key_and_an_authentication_error_without(guarded: Gateway) -> None:
    def client(key: str) -> openai.OpenAI:
        return openai.OpenAI(base_url=f"{guarded.url}/v1", api_key=key, max_retries=0, timeout=20)

    answer = client(TEAM_A).chat.completions.create(model="mock-gpt", messages=[{"role": "user", "content": "hi"}])
    assert answer.choices[0].message.content == "You said: hi"
    assert [model.id for model in client(TEAM_A).models.list()]
    stream = client(TEAM_B).chat.completions.create(
        model="mock-claude", messages=[{"role": "user", "content": "hi"}], stream=True
    )
    assert "".join(chunk.choices[0].delta.content or "" for chunk in stream if chunk.choices) == "You said: hi"
    with pytest.raises(openai.AuthenticationError) as caught:
        client(WRONG).responses.create(model="mock-gpt", input="hi")
    assert caught.value.code == "invalid_api_key"


def test_the_anthropic_sdk_gets_in_with_a_key_and_an_authentication_error_without(guarded: Gateway) -> None:
    def client(**credential: str) -> anthropic.Anthropic:
        return anthropic.Anthropic(base_url=guarded.url, max_retries=0, timeout=20, **credential)

    for credential in ({"api_key": TEAM_A}, {"auth_token": TEAM_B}, {"auth_token": token()}, {"api_key": token()}):
        sdk = client(**credential)
        answer = sdk.messages.create(model="mock-claude", max_tokens=9, messages=[{"role": "user", "content": "hi"}])
        assert answer.content
        assert sdk.messages.count_tokens(model="mock-gpt", messages=[{"role": "user", "content": "hi"}]).input_tokens
        assert list(sdk.models.list())
    for refused in (client(api_key=WRONG).models.list, client(api_key=WRONG).messages.create):
        with pytest.raises(anthropic.AuthenticationError) as caught:
            refused(**({} if "list" in str(refused) else {"model": "m", "max_tokens": 1, "messages": []}))
        assert isinstance(caught.value.body, dict)
        assert caught.value.body["error"]["type"] == "authentication_error"


@pytest.mark.parametrize(
    "text",
    [
        token(FOREIGN), token(iss="https://other.test"), token(aud="another"), token(exp=int(time.time()) - 3600),
        token(nbf=int(time.time()) + 3600), token(sub=None), token(sub=""), token(sub="a\nb"), token()[:-4] + "AAAA",
        "eyJhbGciOiJub25lIn0." + token().split(".")[1] + ".",
    ],
    ids=["foreign", "issuer", "audience", "expired", "early", "no-sub", "empty-sub", "odd-sub", "forged", "none"],
)  # fmt: skip
def test_a_token_that_is_wrong_in_anything_is_refused(guarded: Gateway, text: str) -> None:
    response = post(guarded, {"authorization": f"Bearer {text}"})
    assert response.status_code == 401
    assert text not in response.text


CALLERS = [
    ({"x-api-key": TEAM_A}, "team-a"),
    ({"x-plano-key": TEAM_B}, "team-b"),
    ({"authorization": f"Bearer {token()}"}, "jane"),
    ({"x-plano-key": token(sub="jürgen")}, "jürgen"),
    ({"x-api-key": TEAM_A, "authorization": f"Bearer {token()}"}, "team-a"),
    ({"x-api-key": token(FOREIGN, sub="admin"), "authorization": f"Bearer {token()}"}, "jane"),
    ({"authorization": f"Bearer {token(FOREIGN, sub='admin')}", "x-api-key": token()}, "jane"),
]


def test_the_access_log_names_the_caller(guarded: Gateway) -> None:
    answers = [post(guarded, {**headers, "x-plano-identity": "somebody-else"}) for headers, _ in CALLERS]
    for answer, (_, identity) in zip(answers, CALLERS, strict=True):
        assert answer.status_code == 200
        assert guarded.access_log(answer.headers["x-request-id"], seconds=20)["identity"] == identity


@pytest.mark.parametrize(
    ("headers", "forwarded"),
    [
        ({"x-plano-key": TEAM_A, "authorization": f"Bearer {KEY}"}, KEY),
        ({"x-api-key": TEAM_A, "authorization": f"Bearer {KEY}"}, KEY),
        ({"authorization": f"Bearer {TEAM_A}", "x-api-key": KEY}, KEY),
        ({"authorization": f"Bearer {token()}", "x-api-key": KEY}, KEY),
        ({"authorization": f"Bearer {TEAM_A}"}, None),
        ({"authorization": f"Bearer {token()}"}, None),
        ({"x-api-key": TEAM_A, "authorization": f"Bearer {TEAM_B}"}, None),
    ],
)
def test_a_clients_own_provider_key_passes_beside_the_gateways(
    guarded: Gateway, mock: RunningMock, headers: dict[str, str], forwarded: str | None
) -> None:
    response = httpx.post(
        guarded.url + "/v1/chat/completions", json={**CHAT, "model": "own-key"}, headers=headers, timeout=20
    )
    assert response.status_code == (200 if forwarded else 401)
    seen = json.dumps(mock.requests[-1]["headers"])
    assert (forwarded in seen) if forwarded else ("authorization" not in seen)
    assert TEAM_A not in seen
    assert TEAM_B not in seen


def test_a_body_is_not_waited_for_where_the_key_is_wrong(guarded: Gateway) -> None:
    head = "POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\ncontent-length: 30000000\r\n\r\n{"
    with socket.create_connection(("127.0.0.1", guarded.port), timeout=20) as connection:
        connection.sendall(head.encode())
        assert connection.recv(64).startswith(b"HTTP/1.1 401")


def test_no_key_is_in_any_file_of_the_gateway(guarded: Gateway) -> None:
    planted = token(sub="planted")
    bearers = ({"authorization": f"Bearer {secret}"} for secret in (TEAM_B, planted))
    for headers in ({"x-api-key": TEAM_A}, {"x-api-key": WRONG}, *bearers):
        for path in ("/v1/chat/completions", "/routing/v1/chat/completions", "/v1/nowhere"):
            post(guarded, headers, path)
        httpx.get(guarded.url + "/v1/models", headers=headers)
    files = [path for path in Path(guarded.deployment.run_dir).rglob("*") if path.is_file()]
    assert {"secrets.json", "lds.yaml", "access.log", "plano_config_rendered.yaml"} <= {path.name for path in files}
    for path in files:
        text = path.read_bytes()
        for secret in (TEAM_A, TEAM_B, WRONG, planted):
            assert secret.encode() not in text, path
    assert "TEAM_A_KEY" not in json.loads(guarded.deployment.secrets_path.read_text())
