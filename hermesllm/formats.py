"""The wire formats of LLM APIs and the client endpoints that speak them."""

from dataclasses import dataclass
from enum import StrEnum


class Format(StrEnum):
    """A wire format: the shape of a request, of its JSON answer, of its stream and of its errors."""

    CHAT = "chat"  # OpenAI Chat Completions
    ANTHROPIC = "anthropic"  # Anthropic Messages


@dataclass(frozen=True, slots=True)
class ClientEndpoint:
    """A path that clients may call, and the format they speak there."""

    path: str
    format: Format


CLIENT_ENDPOINTS: tuple[ClientEndpoint, ...] = (
    ClientEndpoint("/v1/chat/completions", Format.CHAT),
    ClientEndpoint("/v1/messages", Format.ANTHROPIC),
)

_BY_PATH = {endpoint.path: endpoint for endpoint in CLIENT_ENDPOINTS}


def client_endpoint(path: str) -> ClientEndpoint | None:
    """The endpoint of a request path; a query string and one trailing slash do not matter."""
    bare = path.partition("?")[0]
    return _BY_PATH.get(bare) or _BY_PATH.get(bare.rstrip("/"))
