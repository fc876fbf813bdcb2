"""Whose key a request carries to the provider, and in which header. Pure functions."""

from collections.abc import Mapping

from extproc.errors import NoCredential
from hermesllm.formats import Format
from hermesllm.providers import Auth
from planoctl.config.registry import Candidate

ANTHROPIC_VERSION = "2023-06-01"
CLIENT_CREDENTIALS = ("authorization", "x-api-key", "api-key", "x-goog-api-key", "cookie", "proxy-authorization")


def client_credential(headers: Mapping[str, str]) -> str | None:
    """The credential a client sent: `Authorization` (bearer or raw token) wins over `x-api-key`."""
    authorization = headers.get("authorization", "").strip()
    scheme, _, token = authorization.partition(" ")
    if scheme.lower() == "bearer":
        authorization = token.strip()
    return authorization or headers.get("x-api-key", "").strip() or None


def apply_credential(
    candidate: Candidate, upstream: Format, client: Mapping[str, str], changes: dict[str, str], removed: list[str]
) -> None:
    """Add the provider's credential to `changes`; what the client sent never reaches a provider by accident.

    Raises NoCredential where a key is needed and none is configured.
    """
    entry, provider = candidate.entry, candidate.provider
    if upstream is Format.ANTHROPIC and "anthropic-version" not in client:
        changes["anthropic-version"] = ANTHROPIC_VERSION
    removed.extend(name for name in CLIENT_CREDENTIALS if name in client)
    if entry.passthrough_auth:
        _pass_through(candidate, upstream, client, changes)
    elif entry.access_key and entry.access_key.strip():
        name, value = _header(provider.auth_for(upstream), upstream, entry.access_key.strip())
        changes[name] = value
    elif not (entry.base_url or provider.key_optional or provider.signed):
        raise NoCredential(entry.name, provider.id, candidate.model)


def _pass_through(candidate: Candidate, upstream: Format, client: Mapping[str, str], changes: dict[str, str]) -> None:
    credential = client_credential(client)
    if credential is None:
        return
    auth = candidate.provider.auth_for(upstream)
    scheme, space, _ = credential.partition(" ")
    if space and scheme.isalpha() and auth is Auth.BEARER and upstream is not Format.ANTHROPIC:
        changes["authorization"] = credential  # another scheme (`Basic …`) is the client's to choose
        return
    name, value = _header(auth, upstream, credential)
    changes[name] = value


def _header(auth: Auth, upstream: Format, credential: str) -> tuple[str, str]:
    if upstream is Format.ANTHROPIC or auth is Auth.X_API_KEY:
        return "x-api-key", credential
    if auth in (Auth.API_KEY, Auth.GOOGLE_API_KEY):
        return auth.value, credential
    return "authorization", f"Bearer {credential}"
