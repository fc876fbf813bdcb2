from pathlib import Path
from typing import Any

import httpx
import pytest

from brightstaff.app import create_app
from brightstaff.state import State
from planoctl.config.runtime import ModelAlias, ModelProvider, RuntimeConfig

CONFIG = RuntimeConfig(
    version="v0.4.0",
    model_providers=(
        ModelProvider(name="openai/gpt-4o", provider_interface="openai", model="gpt-4o", access_key="sk-secret"),
        ModelProvider(name="mine", provider_interface="anthropic", model="claude-x", default=True),
        ModelProvider(name="xiaomi/*", provider_interface="xiaomi", model="*", wildcard_prefix="xiaomi"),
        ModelProvider(name="arch-function", provider_interface="plano", model="Arch-Function", internal=True),
    ),
    model_aliases={"fast": ModelAlias(target="gpt-4o")},
)
ANTHROPIC = {"anthropic-version": "2023-06-01"}


async def request(method: str, path: str, **options: Any) -> httpx.Response:
    app = create_app(State(CONFIG, Path("/nowhere")))
    async with (
        app.router.lifespan_context(app),
        httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://brightstaff") as client,
    ):
        return await client.request(method, path, **options)


async def test_the_model_list_has_openais_shape_and_no_internal_entries() -> None:
    answer = (await request("GET", "/v1/models")).json()
    assert answer["object"] == "list"
    assert answer["data"][:2] == [
        {"id": "openai/gpt-4o", "object": "model", "created": 0, "owned_by": "OpenAI"},
        {"id": "mine", "object": "model", "created": 0, "owned_by": "Anthropic"},
    ]
    names = [model["id"] for model in answer["data"]]
    assert len(names) > 3
    assert "arch-function" not in names


async def test_the_model_list_has_anthropics_shape_for_its_clients_and_pages() -> None:
    first = (await request("GET", "/v1/models?limit=2", headers=ANTHROPIC)).json()
    assert [model["id"] for model in first["data"]] == ["openai/gpt-4o", "mine"]
    assert (first["has_more"], first["first_id"], first["last_id"]) == (True, "openai/gpt-4o", "mine")
    assert set(first["data"][0]) == {"type", "id", "display_name", "created_at"}
    rest = (await request("GET", "/v1/models?limit=1000&after_id=mine", headers=ANTHROPIC)).json()
    assert rest["has_more"] is False
    assert all(model["id"].startswith("xiaomi/") for model in rest["data"])
    back = (await request("GET", "/v1/models?before_id=mine", headers=ANTHROPIC)).json()
    assert [model["id"] for model in back["data"]] == ["openai/gpt-4o"]


@pytest.mark.parametrize("name", ["openai/gpt-4o", "mine", "fast", "xiaomi/never-heard-of"])
async def test_one_model_is_shown_by_any_name_it_answers_to(name: str) -> None:
    response = await request("GET", f"/v1/models/{name}")
    assert response.status_code == 200
    assert response.json()["id"] == name


@pytest.mark.parametrize("name", ["gpt-9", "arch-function", "openai/gpt-9"])
async def test_an_unknown_model_is_a_404_in_the_clients_shape(name: str) -> None:
    openai = await request("GET", f"/v1/models/{name}", headers={"x-request-id": "r-1"})
    anthropic = await request("GET", f"/v1/models/{name}", headers=ANTHROPIC)
    assert (openai.status_code, anthropic.status_code) == (404, 404)
    assert openai.json()["error"]["code"] == "model_not_found"
    assert openai.json()["error"]["request_id"] == "r-1"
    assert anthropic.json()["type"] == "error"


async def test_health_and_readiness() -> None:
    assert (await request("GET", "/healthz")).json() == {"status": "ok"}
    assert (await request("GET", "/readyz")).status_code == 200


@pytest.mark.parametrize(("method", "path", "status"), [("GET", "/nowhere", 404), ("POST", "/v1/models", 405)])
async def test_what_is_not_served_is_refused_as_json(method: str, path: str, status: int) -> None:
    response = await request(method, path)
    assert response.status_code == status
    assert response.json()["error"]["message"].startswith(f"{method} {path} is not served here")


async def test_browsers_may_read_the_model_list() -> None:
    preflight = await request("OPTIONS", "/v1/models")
    assert preflight.status_code == 204
    assert preflight.headers["access-control-allow-origin"] == "*"
    assert (await request("GET", "/v1/models")).headers["access-control-allow-origin"] == "*"
