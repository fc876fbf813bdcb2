"""The catalogue of LLM providers: one record each, read by schema, CLI, sidecar and brightstaff.

Adding an OpenAI-compatible provider is adding one record. Nothing else in the project lists providers.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from functools import lru_cache
from types import MappingProxyType
from urllib.parse import quote

from hermesllm.formats import Format


class Auth(StrEnum):
    """How a credential travels to a provider."""

    BEARER = "bearer"  # Authorization: Bearer <key>
    X_API_KEY = "x-api-key"  # x-api-key: <key>, as Anthropic wants it
    API_KEY = "api-key"  # api-key: <key>, as Azure wants it
    GOOGLE_API_KEY = "x-goog-api-key"  # x-goog-api-key: <key>, for Gemini's native API


@dataclass(frozen=True, slots=True)
class Endpoint:
    """Where a provider speaks one format: the end of the path, for streams too where that differs.

    `{model}` stands for the percent-encoded model id. `prefix` replaces the provider's own where this format has
    another, and `auth` its way of sending credentials.
    """

    path: str
    stream_path: str | None = None
    prefix: str | None = None
    query: str = ""
    auth: Auth | None = None


_CHAT_PATH = Endpoint("/chat/completions")
_CHAT: Mapping[Format, Endpoint] = MappingProxyType(
    {Format.CHAT: _CHAT_PATH, Format.EMBEDDINGS: Endpoint("/embeddings")}
)
_COMPLETIONS: Mapping[Format, Endpoint] = MappingProxyType({Format.COMPLETIONS: Endpoint("/completions")})
_RESPONSES: Mapping[Format, Endpoint] = MappingProxyType({Format.RESPONSES: Endpoint("/responses")})
_OPENAI: Mapping[Format, Endpoint] = MappingProxyType({**_CHAT, **_RESPONSES})
_MESSAGES: Mapping[Format, Endpoint] = MappingProxyType(
    {Format.ANTHROPIC: Endpoint("/messages"), Format.COUNT_TOKENS: Endpoint("/messages/count_tokens")}
)
_GEMINI: Mapping[Format, Endpoint] = MappingProxyType(
    {
        Format.GEMINI: Endpoint(
            "/models/{model}:generateContent",
            "/models/{model}:streamGenerateContent?alt=sse",
            prefix="/v1beta",
            auth=Auth.GOOGLE_API_KEY,
        )
    }
)
_VERTEX: Mapping[Format, Endpoint] = MappingProxyType(
    {Format.GEMINI: Endpoint("/models/{model}:generateContent", "/models/{model}:streamGenerateContent?alt=sse")}
)
_CONVERSE: Mapping[Format, Endpoint] = MappingProxyType(
    {Format.CONVERSE: Endpoint("/model/{model}/converse", "/model/{model}/converse-stream", prefix="")}
)


@lru_cache(maxsize=256)
def _quoted(model: str) -> str:
    return quote(model, safe="")


@dataclass(frozen=True, slots=True, kw_only=True)
class Provider:
    """What the gateway has to know of a provider.

    `paths` maps each format the provider speaks to its endpoint, most faithful format first. `prefix` is the part of
    the path in front of it; a configured `base_url` path replaces it. `prefix_forms` are other spellings of the
    provider's own prefix that users write in `base_url` and that mean the same.
    """

    id: str
    display: str
    host: str | None = None
    prefix: str = "/v1"
    prefix_forms: tuple[str, ...] = ()
    paths: Mapping[Format, Endpoint] = field(default_factory=lambda: _CHAT)
    auth: Auth = Auth.BEARER
    aliases: tuple[str, ...] = ()
    catalogue: str | None = None
    key_variable: str | None = None
    zero_config: bool = False
    base_url_required: bool = False
    key_optional: bool = False
    signed: bool = False  # without a key, Envoy signs requests with the AWS credentials it finds
    keeps_max_tokens: bool = True  # knows `max_tokens`; False: only `max_completion_tokens` is right
    developer_role: bool = False  # knows the `developer` role; False: it is sent as `system`
    reasoning_content: bool = False  # wants `reasoning_content` of earlier turns sent back
    reasoning_details: bool = False  # takes signed thinking of earlier turns as `reasoning_details`
    claude_cache_control: bool = False  # hands `cache_control` of Chat content parts on to Claude models
    top_k: bool = False  # knows `top_k` in Chat requests
    stop_limit: int = 4  # stop sequences it accepts at most
    call_signature: str = ""  # stand-in for the signature it wants back with tool calls of earlier turns
    tool_call_ids: str = ""  # pattern that tool call ids must match, where the provider is strict
    drops: frozenset[str] = frozenset()  # request members the provider refuses
    responses_only: str = ""  # pattern of the models it offers in the Responses format and in no other

    def speaks(self, wanted: Format) -> bool:
        return wanted in self.paths

    def upstream_format(self, client: Format, model: str) -> Format:
        """The format to speak for a client: the client's own where the model has it, else the most faithful."""
        if self.responses_only and re.match(self.responses_only, model):
            return Format.RESPONSES
        return client if client in self.paths else next(iter(self.paths))

    def auth_for(self, upstream: Format) -> Auth:
        """How a credential travels to this provider's endpoint for a format."""
        return self.paths[upstream].auth or self.auth

    def path(self, upstream: Format, model: str, base_path: str | None = None, *, stream: bool = False) -> str:
        """The request path for `upstream` at this provider; `base_path` is the path of a configured `base_url`."""
        endpoint = self.paths[upstream]
        own = self.prefix if endpoint.prefix is None else endpoint.prefix
        given = "/" + base_path.strip("/") if base_path and base_path.strip("/") else None
        prefix = own if given is None or given in (self.prefix, *self.prefix_forms) else given
        suffix = endpoint.stream_path if stream and endpoint.stream_path else endpoint.path
        return f"{prefix.rstrip('/')}{suffix.replace('{model}', _quoted(model))}{endpoint.query}"


_OPENAI_RESPONSES_ONLY = (
    r"gpt-5[^/]*-(codex|pro)\b|codex-mini\b|o[13]-pro\b|computer-use-preview\b|[^/]+-deep-research\b"
)
_AZURE_VERSION = "?api-version=2025-01-01-preview"

_PROVIDERS: tuple[Provider, ...] = (
    Provider(
        id="openai",
        display="OpenAI",
        host="api.openai.com",
        paths={**_OPENAI, **_COMPLETIONS},
        catalogue="openai",
        key_variable="OPENAI_API_KEY",
        zero_config=True,
        keeps_max_tokens=False,
        developer_role=True,
        responses_only=_OPENAI_RESPONSES_ONLY,
    ),
    Provider(
        id="anthropic",
        display="Anthropic",
        host="api.anthropic.com",
        paths=_MESSAGES,
        auth=Auth.X_API_KEY,
        aliases=("claude",),
        catalogue="anthropic",
        key_variable="ANTHROPIC_API_KEY",
        zero_config=True,
    ),
    Provider(
        id="gemini",
        display="Gemini",
        host="generativelanguage.googleapis.com",
        prefix="/v1beta/openai",
        prefix_forms=("/v1beta",),
        paths={**_GEMINI, **_CHAT},
        aliases=("google",),
        catalogue="google",
        key_variable="GEMINI_API_KEY",
        zero_config=True,
        drops=frozenset({"store", "metadata", "service_tier", "logit_bias"}),
        stop_limit=5,
        call_signature="skip_thought_signature_validator",
    ),
    Provider(
        # base_url: https://LOCATION-aiplatform.googleapis.com/v1/projects/PROJECT/locations/LOCATION/publishers/google
        id="vertex",
        display="vertex",
        paths=_VERTEX,
        aliases=("vertex_ai", "google_vertex"),
        catalogue="google",
        key_variable="VERTEX_ACCESS_TOKEN",
        base_url_required=True,
        drops=frozenset({"serviceTier"}),  # a header chooses it there
        stop_limit=5,
        call_signature="skip_thought_signature_validator",
    ),
    Provider(
        id="groq",
        display="Groq",
        host="api.groq.com",
        prefix="/openai/v1",
        prefix_forms=("/openai",),
        catalogue="groq",
        key_variable="GROQ_API_KEY",
        zero_config=True,
        drops=frozenset({"store", "metadata"}),
    ),
    Provider(
        id="deepseek",
        display="Deepseek",
        host="api.deepseek.com",
        catalogue="deepseek",
        key_variable="DEEPSEEK_API_KEY",
        zero_config=True,
        reasoning_content=True,
        drops=frozenset({"store", "metadata", "service_tier"}),
    ),
    Provider(
        id="mistral",
        display="Mistral",
        host="api.mistral.ai",
        catalogue="mistralai",
        key_variable="MISTRAL_API_KEY",
        zero_config=True,
        drops=frozenset({"stream_options"}),
        tool_call_ids="[a-zA-Z0-9]{9}",
    ),
    Provider(
        id="digitalocean",
        display="digitalocean",
        host="inference.do-ai.run",
        aliases=("do", "do_ai"),
        catalogue="digitalocean",
        key_variable="DO_API_KEY",
        zero_config=True,
        claude_cache_control=True,
    ),
    Provider(
        id="vercel",
        display="vercel",
        host="ai-gateway.vercel.sh",
        paths={**_OPENAI, **_MESSAGES},
        key_variable="AI_GATEWAY_API_KEY",
        zero_config=True,
    ),
    Provider(
        id="openrouter",
        display="openrouter",
        host="openrouter.ai",
        prefix="/api/v1",
        key_variable="OPENROUTER_API_KEY",
        zero_config=True,
        reasoning_details=True,
        claude_cache_control=True,
        top_k=True,
    ),
    Provider(
        id="edenai",
        display="edenai",
        host="api.edenai.run",
        prefix="/v3",
        key_variable="EDENAI_API_KEY",
        zero_config=True,
        claude_cache_control=True,
    ),
    Provider(
        id="xai",
        display="xai",
        host="api.x.ai",
        paths=_OPENAI,
        catalogue="x-ai",
        key_variable="XAI_API_KEY",
        drops=frozenset({"web_search_options"}),
    ),
    Provider(
        id="together_ai",
        display="together_ai",
        host="api.together.xyz",
        paths={**_CHAT, **_COMPLETIONS},
        aliases=("together",),
        catalogue="together",
        key_variable="TOGETHER_API_KEY",
        top_k=True,
    ),
    Provider(
        id="moonshotai",
        display="moonshotai",
        host="api.moonshot.ai",
        catalogue="moonshotai",
        key_variable="MOONSHOT_API_KEY",
        reasoning_content=True,
    ),
    Provider(
        id="zhipu",
        display="zhipu",
        host="open.bigmodel.cn",
        prefix="/api/paas/v4",
        catalogue="z-ai",
        key_variable="ZHIPU_API_KEY",
        reasoning_content=True,
    ),
    Provider(id="xiaomi", display="xiaomi", host="api.xiaomimimo.com", catalogue="xiaomi", key_variable="MIMO_API_KEY"),
    Provider(
        id="perplexity", display="perplexity", host="api.perplexity.ai", prefix="", key_variable="PERPLEXITY_API_KEY"
    ),
    Provider(
        id="minimax", display="minimax", host="api.minimax.io", catalogue="minimax", key_variable="MINIMAX_API_KEY"
    ),
    Provider(id="meta", display="meta", host="api.meta.ai", catalogue="meta", key_variable="META_MODELS_API_KEY"),
    Provider(
        id="chatgpt",
        display="chatgpt",
        host="chatgpt.com",
        prefix="/backend-api/codex",
        paths=_RESPONSES,
        catalogue="chatgpt",
        key_variable="CHATGPT_ACCESS_TOKEN",
    ),
    Provider(
        id="azure_openai",
        display="azure_openai",
        prefix="/openai/deployments",
        paths={
            Format.CHAT: Endpoint("/{model}/chat/completions", query=_AZURE_VERSION),
            Format.EMBEDDINGS: Endpoint("/{model}/embeddings", query=_AZURE_VERSION),
            Format.COMPLETIONS: Endpoint("/{model}/completions", query=_AZURE_VERSION),
        },
        auth=Auth.API_KEY,
        catalogue="openai",
        key_variable="AZURE_OPENAI_API_KEY",
        base_url_required=True,
        keeps_max_tokens=False,
        developer_role=True,
    ),
    Provider(
        id="ollama",
        display="ollama",
        base_url_required=True,
        key_optional=True,
        paths={**_CHAT, **_COMPLETIONS},
    ),
    Provider(
        id="qwen",
        display="qwen",
        prefix="/compatible-mode/v1",
        catalogue="qwen",
        key_variable="DASHSCOPE_API_KEY",
        base_url_required=True,
    ),
    Provider(
        id="amazon_bedrock",
        display="amazon_bedrock",
        aliases=("amazon",),
        catalogue="amazon",
        base_url_required=True,
        signed=True,
        paths=_CONVERSE,
    ),
    Provider(id="astraflow", display="astraflow", base_url_required=True, key_variable="ASTRAFLOW_API_KEY"),
    Provider(id="astraflow_cn", display="astraflow_cn", base_url_required=True, key_variable="ASTRAFLOW_API_KEY"),
    Provider(id="plano", display="Plano", host="archfc.katanemo.dev", base_url_required=True, key_optional=True),
)

PROVIDERS: Mapping[str, Provider] = MappingProxyType({provider.id: provider for provider in _PROVIDERS})

_BY_NAME = {name: provider for provider in _PROVIDERS for name in (provider.id, *provider.aliases)}


def find_provider(name: str) -> Provider | None:
    """The provider of an id or alias, in any letter case."""
    return _BY_NAME.get(name.lower())
