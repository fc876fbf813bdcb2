"""The cells "legacy Completions client" to providers that speak neither Completions nor Chat: a Chat cell between."""

from collections.abc import Callable

from hermesllm.translate.base import Context, Translator
from hermesllm.translate.completions_to_chat import CompletionsToChat
from hermesllm.translate.hub import Hub


def completions_through(upstream: Callable[[Context], Translator]) -> Callable[[Context], Hub]:
    """The cell that goes on with `upstream`, a Chat cell."""
    return lambda context: Hub(CompletionsToChat(context), upstream(context))
