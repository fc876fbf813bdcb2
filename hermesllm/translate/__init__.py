"""The translation matrix: one module per pair of client format and provider format."""

from collections.abc import Callable

from hermesllm.errors import Untranslatable
from hermesllm.formats import Format
from hermesllm.translate.anthropic_to_anthropic import AnthropicToAnthropic
from hermesllm.translate.anthropic_to_chat import AnthropicToChat
from hermesllm.translate.anthropic_to_converse import AnthropicToConverse
from hermesllm.translate.anthropic_to_gemini import AnthropicToGemini
from hermesllm.translate.anthropic_to_responses import AnthropicToResponses
from hermesllm.translate.base import Context, StreamTranslator, Translator
from hermesllm.translate.chat_to_anthropic import ChatToAnthropic
from hermesllm.translate.chat_to_chat import ChatToChat
from hermesllm.translate.chat_to_converse import ChatToConverse
from hermesllm.translate.chat_to_gemini import ChatToGemini
from hermesllm.translate.chat_to_responses import ChatToResponses
from hermesllm.translate.completions_through_chat import completions_through
from hermesllm.translate.completions_to_chat import CompletionsToChat
from hermesllm.translate.model_only import model_only
from hermesllm.translate.responses_through_chat import responses_to_converse, responses_to_gemini
from hermesllm.translate.responses_to_anthropic import ResponsesToAnthropic
from hermesllm.translate.responses_to_chat import ResponsesToChat
from hermesllm.translate.responses_to_responses import ResponsesToResponses
from hermesllm.translate.whole_stream import stream_from_response

__all__ = ["Context", "StreamTranslator", "Translator", "stream_from_response", "translator"]

_CELLS: dict[tuple[Format, Format], Callable[[Context], Translator]] = {
    (Format.CHAT, Format.CHAT): ChatToChat,
    (Format.CHAT, Format.ANTHROPIC): ChatToAnthropic,
    (Format.ANTHROPIC, Format.CHAT): AnthropicToChat,
    (Format.ANTHROPIC, Format.ANTHROPIC): AnthropicToAnthropic,
    (Format.CHAT, Format.CONVERSE): ChatToConverse,
    (Format.ANTHROPIC, Format.CONVERSE): AnthropicToConverse,
    (Format.CHAT, Format.GEMINI): ChatToGemini,
    (Format.ANTHROPIC, Format.GEMINI): AnthropicToGemini,
    (Format.RESPONSES, Format.RESPONSES): ResponsesToResponses,
    (Format.RESPONSES, Format.CHAT): ResponsesToChat,
    (Format.RESPONSES, Format.ANTHROPIC): ResponsesToAnthropic,
    (Format.RESPONSES, Format.CONVERSE): responses_to_converse,
    (Format.RESPONSES, Format.GEMINI): responses_to_gemini,
    (Format.CHAT, Format.RESPONSES): ChatToResponses,
    (Format.ANTHROPIC, Format.RESPONSES): AnthropicToResponses,
    (Format.COMPLETIONS, Format.CHAT): CompletionsToChat,
    (Format.COMPLETIONS, Format.ANTHROPIC): completions_through(ChatToAnthropic),
    (Format.COMPLETIONS, Format.RESPONSES): completions_through(ChatToResponses),
    (Format.COMPLETIONS, Format.CONVERSE): completions_through(ChatToConverse),
    (Format.COMPLETIONS, Format.GEMINI): completions_through(ChatToGemini),
    **{(spoken, spoken): model_only(spoken) for spoken in (Format.COMPLETIONS, Format.EMBEDDINGS, Format.COUNT_TOKENS)},
}


def translator(client: Format, upstream: Format, context: Context) -> Translator:
    """A translator for one exchange. Raises Untranslatable for a pair that has no cell."""
    cell = _CELLS.get((client, upstream))
    if cell is None:
        raise Untranslatable(
            f"A {client} request cannot be sent to a provider that speaks {upstream}.",
            provider=context.provider.id,
            model=context.model,
        )
    return cell(context)
