"""The translation matrix: one module per pair of client format and provider format."""

from collections.abc import Callable

from hermesllm.errors import Untranslatable
from hermesllm.formats import Format
from hermesllm.translate.anthropic_to_anthropic import AnthropicToAnthropic
from hermesllm.translate.anthropic_to_chat import AnthropicToChat
from hermesllm.translate.base import Context, StreamTranslator, Translator
from hermesllm.translate.chat_to_anthropic import ChatToAnthropic
from hermesllm.translate.chat_to_chat import ChatToChat
from hermesllm.translate.whole_stream import stream_from_response

__all__ = ["Context", "StreamTranslator", "Translator", "stream_from_response", "translator"]

_CELLS: dict[tuple[Format, Format], Callable[[Context], Translator]] = {
    (Format.CHAT, Format.CHAT): ChatToChat,
    (Format.CHAT, Format.ANTHROPIC): ChatToAnthropic,
    (Format.ANTHROPIC, Format.CHAT): AnthropicToChat,
    (Format.ANTHROPIC, Format.ANTHROPIC): AnthropicToAnthropic,
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
