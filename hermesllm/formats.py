"""The wire formats of LLM APIs and the client endpoints that speak them."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType


class Format(StrEnum):
    """A wire format: the shape of a request, of its JSON answer, of its stream and of its errors."""

    CHAT = "chat"  # OpenAI Chat Completions
    ANTHROPIC = "anthropic"  # Anthropic Messages
    RESPONSES = "responses"  # OpenAI Responses
    CONVERSE = "converse"  # Amazon Bedrock Converse and ConverseStream
    GEMINI = "gemini"  # Google Gemini generateContent and streamGenerateContent
    COMPLETIONS = "completions"  # OpenAI's legacy text completions
    EMBEDDINGS = "embeddings"  # OpenAI Embeddings
    COUNT_TOKENS = "count_tokens"  # Anthropic's token counting


# The content types, without parameters, in which a provider streams an answer of each format.
_SSE = ("text/event-stream",)
STREAM_CONTENT_TYPES: Mapping[Format, tuple[str, ...]] = MappingProxyType(
    {**dict.fromkeys(Format, _SSE), Format.CONVERSE: ("application/vnd.amazon.eventstream",)}
)


@dataclass(frozen=True, slots=True)
class ClientEndpoint:
    """A path that clients may call, and the format they speak there."""

    path: str
    format: Format


CLIENT_ENDPOINTS: tuple[ClientEndpoint, ...] = (
    ClientEndpoint("/v1/chat/completions", Format.CHAT),
    ClientEndpoint("/v1/messages", Format.ANTHROPIC),
    ClientEndpoint("/v1/responses", Format.RESPONSES),
    ClientEndpoint("/v1/completions", Format.COMPLETIONS),
    ClientEndpoint("/v1/embeddings", Format.EMBEDDINGS),
    ClientEndpoint("/v1/messages/count_tokens", Format.COUNT_TOKENS),
)

_BY_PATH = {endpoint.path: endpoint for endpoint in CLIENT_ENDPOINTS}


def client_endpoint(path: str) -> ClientEndpoint | None:
    """The endpoint of a request path; a query string and one trailing slash do not matter."""
    bare = path.partition("?")[0]
    return _BY_PATH.get(bare) or _BY_PATH.get(bare.rstrip("/"))
