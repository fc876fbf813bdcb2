"""What OpenTelemetry's GenAI semantic conventions call things, where the gateway calls them otherwise."""

from collections.abc import Mapping
from types import MappingProxyType

from hermesllm.formats import Format

_PROVIDERS: Mapping[str, str] = MappingProxyType(
    {
        "amazon_bedrock": "aws.bedrock",
        "azure_openai": "azure.ai.openai",
        "gemini": "gcp.gemini",
        "vertex": "gcp.vertex_ai",
        "mistral": "mistral_ai",
        "xai": "x_ai",
    }
)
_OPERATIONS: Mapping[str, str] = MappingProxyType(
    {Format.COMPLETIONS: "text_completion", Format.EMBEDDINGS: "embeddings"}
)


def provider_name(provider: str) -> str:
    """`gen_ai.provider.name` of one of our providers."""
    return _PROVIDERS.get(provider, provider)


def operation_name(client_format: str) -> str:
    """`gen_ai.operation.name` of a request in a format."""
    return _OPERATIONS.get(client_format, "chat")
