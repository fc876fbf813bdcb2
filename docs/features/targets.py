"""The providers and models that stand for their formats in the tables, and others that differ from them."""

from docs.features.outcome import Target
from hermesllm.formats import Format

_CLAUDE = Target("anthropic", "claude-sonnet-4-5")
_BEDROCK = Target("amazon_bedrock", "us.anthropic.claude-sonnet-4-5-20250929-v1:0")
_GEMINI = "gemini-2.5-flash"

# One target for each provider format, in the order of the columns.
COLUMNS: dict[Format, tuple[Target, ...]] = {
    Format.CHAT: (
        Target("openai", "gpt-5"), _CLAUDE, Target("openai", "gpt-5-codex"), _BEDROCK, Target("vertex", _GEMINI),
    ),
    Format.ANTHROPIC: (
        Target("openai", "gpt-5"), _CLAUDE, Target("openai", "gpt-5-codex"), _BEDROCK, Target("gemini", _GEMINI),
    ),
    Format.RESPONSES: (
        Target("azure_openai", "gpt-5"), _CLAUDE, Target("openai", "gpt-5"), _BEDROCK, Target("gemini", _GEMINI),
    ),
}  # fmt: skip

_OTHER_MODELS = (
    Target("anthropic", "claude-opus-4-7"),
    Target("amazon_bedrock", "amazon.nova-pro-v1:0"),
    Target("amazon_bedrock", "openai.gpt-oss-120b-1:0"),
    Target("vertex", "gemini-3-pro-preview"),
)
# What differs from the column of the same format is told below the table.
OTHERS: dict[Format, tuple[Target, ...]] = {
    Format.CHAT: (
        Target("openai", "gpt-4o"),
        Target("chatgpt", "gpt-5"),
        Target("gemini", _GEMINI),
        Target("groq", "llama-3.3-70b-versatile"),
        Target("deepseek", "deepseek-chat"),
        Target("xai", "grok-4"),
        *_OTHER_MODELS,
    ),
    Format.ANTHROPIC: (
        Target("openai", "gpt-4o"),
        Target("chatgpt", "gpt-5"),
        Target("openrouter", "anthropic/claude-sonnet-4.5"),
        Target("deepseek", "deepseek-chat"),
        Target("groq", "llama-3.3-70b-versatile"),
        *_OTHER_MODELS,
    ),
    Format.RESPONSES: (
        Target("openai", "gpt-4o"),
        Target("chatgpt", "gpt-5"),
        Target("deepseek", "deepseek-chat"),
        Target("groq", "llama-3.3-70b-versatile"),
        *_OTHER_MODELS,
    ),
}
