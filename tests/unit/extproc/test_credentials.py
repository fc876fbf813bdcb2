import pytest

from extproc.credentials import apply_credential, client_credential
from extproc.errors import NoCredential
from hermesllm.formats import Format
from hermesllm.providers import PROVIDERS
from planoctl.config.registry import Candidate
from planoctl.config.runtime import ModelProvider


def applied(
    provider: str, upstream: Format = Format.CHAT, client: dict[str, str] | None = None, **entry: object
) -> tuple[dict[str, str], list[str]]:
    candidate = Candidate(
        ModelProvider(name=f"{provider}/m", provider_interface=provider, model="m", **entry),  # type: ignore[arg-type]
        PROVIDERS[provider],
        "m",
    )
    changes: dict[str, str] = {}
    removed: list[str] = []
    apply_credential(candidate, upstream, client or {}, changes, removed)
    return changes, removed


@pytest.mark.parametrize(
    ("headers", "credential"),
    [
        ({"authorization": "Bearer sk-abc"}, "sk-abc"),
        ({"authorization": "bearer sk-abc"}, "sk-abc"),
        ({"authorization": "sk-abc"}, "sk-abc"),
        ({"x-api-key": "sk-ant-api-key"}, "sk-ant-api-key"),
        ({"authorization": "Bearer openai-key", "x-api-key": "anthropic-key"}, "openai-key"),
        ({}, None),
        ({"authorization": ""}, None),
        ({"authorization": "Bearer "}, None),
        ({"authorization": "   ", "x-api-key": "   "}, None),
    ],
)
def test_the_client_credential_is_found_as_the_specification_lists_it(
    headers: dict[str, str], credential: str | None
) -> None:
    assert client_credential(headers) == credential


@pytest.mark.parametrize(
    ("provider", "upstream", "expected"),
    [
        ("openai", Format.CHAT, {"authorization": "Bearer k"}),
        ("anthropic", Format.ANTHROPIC, {"x-api-key": "k", "anthropic-version": "2023-06-01"}),
        ("azure_openai", Format.CHAT, {"api-key": "k"}),
        ("vercel", Format.ANTHROPIC, {"x-api-key": "k", "anthropic-version": "2023-06-01"}),
        ("gemini", Format.GEMINI, {"x-goog-api-key": "k"}),
        ("gemini", Format.CHAT, {"authorization": "Bearer k"}),
        ("vertex", Format.GEMINI, {"authorization": "Bearer k"}),
    ],
)
def test_the_configured_key_goes_where_the_provider_wants_it(
    provider: str, upstream: Format, expected: dict[str, str]
) -> None:
    assert applied(provider, upstream, access_key=" k ")[0] == expected


def test_what_the_client_sent_as_credentials_never_reaches_a_provider_that_has_its_own_key() -> None:
    mine = {"authorization": "Bearer mine", "x-api-key": "mine", "x-goog-api-key": "mine"}
    changes, removed = applied("openai", client=mine, access_key="k")
    assert changes == {"authorization": "Bearer k"}
    assert set(removed) == set(mine)


def test_a_keyless_custom_endpoint_gets_no_credential_at_all() -> None:
    changes, removed = applied("openai", client={"authorization": "Bearer mine"}, base_url="http://box:8000")
    assert changes == {}
    assert removed == ["authorization"]


@pytest.mark.parametrize("key", [None, "", "   "])
def test_a_missing_key_is_refused_with_the_name_of_the_entry(key: str | None) -> None:
    with pytest.raises(NoCredential, match='No access key configured for selected LLM Provider "openai/m"'):
        applied("openai", access_key=key)


@pytest.mark.parametrize(
    ("provider", "upstream", "client", "expected"),
    [
        ("anthropic", Format.ANTHROPIC, {"authorization": "Bearer c"}, {"x-api-key": "c"}),
        ("openai", Format.CHAT, {"x-api-key": "c"}, {"authorization": "Bearer c"}),
        ("openai", Format.CHAT, {"authorization": "Basic dXNlcg=="}, {"authorization": "Basic dXNlcg=="}),
        ("openai", Format.CHAT, {}, {}),
    ],
)
def test_a_passed_through_credential_takes_the_form_of_the_provider(
    provider: str, upstream: Format, client: dict[str, str], expected: dict[str, str]
) -> None:
    changes, _ = applied(provider, upstream, client, passthrough_auth=True, access_key="ignored")
    changes.pop("anthropic-version", None)
    assert changes == expected


def test_the_clients_own_anthropic_version_is_kept() -> None:
    changes, _ = applied("anthropic", Format.ANTHROPIC, {"anthropic-version": "2024-01-01"}, access_key="k")
    assert "anthropic-version" not in changes
