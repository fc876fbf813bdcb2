"""What the model families on Amazon Bedrock take beyond what Converse has for all of them, read off the model id.

Ids come as `anthropic.claude-…`, with a region (`us.anthropic.claude-…`), and inside ARNs. An ARN of an application
inference profile tells nothing: such a model gets the reading that loses nothing.
"""

import re
from dataclasses import dataclass
from functools import lru_cache

from hermesllm.claude_models import claude_model

_VENDORS = re.compile(
    r"(?:^|[./:])(ai21|amazon|anthropic|cohere|deepseek|google|meta|minimax|mistral|moonshot|moonshotai|nvidia|openai"
    r"|qwen|writer|zai)\."
)
_TOP_K = {"anthropic": ("top_k",), "amazon": ("inferenceConfig", "topK"), "mistral": ("top_k",), "cohere": ("k",)}


@dataclass(frozen=True, slots=True, kw_only=True)
class BedrockModel:
    """`top_k` is the path of that parameter in `additionalModelRequestFields`; empty where the family has none."""

    claude: bool  # also where the id does not tell
    known: bool
    caches: bool  # cache points
    cache_ttl: bool  # cache points that live for an hour
    json_schema_output: bool  # `outputConfig.textFormat`
    strict_tools: bool
    efforts: frozenset[str]  # of `outputConfig.effort`
    nova_reasoning: bool  # `reasoningConfig`
    effort_field: bool  # `reasoning_effort`, as OpenAI's open models take it
    replays_reasoning: bool  # takes `reasoningContent` of earlier turns
    top_k: tuple[str, ...]


@lru_cache(maxsize=256)
def bedrock_model(name: str) -> BedrockModel:
    name = name.lower()
    match = _VENDORS.search(name)
    vendor = match[1] if match else "anthropic" if "claude" in name else ""
    claude, nova = vendor == "anthropic", vendor == "amazon" and "nova" in name
    generation = claude_model(name)
    recent = claude and generation.json_schema_output
    return BedrockModel(
        claude=claude or not vendor,
        known=bool(vendor),
        caches=claude or nova or not vendor,
        cache_ttl=recent or not vendor,
        json_schema_output=recent,
        strict_tools=recent or not vendor,
        efforts=generation.efforts if claude else frozenset(),
        nova_reasoning=nova and "nova-2" in name,
        effort_field=vendor == "openai",
        replays_reasoning=claude or (nova and "nova-2" in name) or not vendor,
        top_k=_TOP_K.get(vendor, ("top_k",) if not vendor else ()),
    )
