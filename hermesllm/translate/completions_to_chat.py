"""The cell "legacy Completions client, Chat Completions provider": one prompt becomes one user message."""

from typing import Any

from hermesllm.error_bodies import error_event, error_in
from hermesllm.errors import ErrorReport, InvalidUpstreamResponse, Untranslatable
from hermesllm.formats import Format
from hermesllm.reading import invalid, object_or_empty, objects_in, optional_object, required_text, text_or_empty
from hermesllm.sse import Event
from hermesllm.translate.base import Context, StreamTranslator
from hermesllm.translate.event_stream import EventStream, encode
from hermesllm.translate.fixups import fix_chat_request
from hermesllm.usage import Usage, read_usage

_DONE = b"data: [DONE]\n\n"
_KEPT = frozenset(
    {
        "model", "max_tokens", "temperature", "top_p", "n", "stream", "stream_options", "stop", "presence_penalty",
        "frequency_penalty", "logit_bias", "user", "seed", "service_tier",
    }
)  # fmt: skip
_READ = frozenset({"prompt", "logprobs", "echo", "suffix", "best_of"})
_REASONS = {"tool_calls": "stop", "function_call": "stop"}


class CompletionsToChat:
    def __init__(self, context: Context) -> None:
        self._context = context
        self._echo = ""
        self._include_usage = False

    def request(self, body: dict[str, Any]) -> dict[str, Any]:
        prompt = _prompt(body.get("prompt"))
        if body.get("suffix"):
            raise Untranslatable("suffix: a chat model cannot fill in the middle.", param="suffix")
        self._echo = prompt if body.get("echo") is True else ""
        self._include_usage = optional_object(body.get("stream_options"), "stream_options").get("include_usage") is True
        request = {name: value for name, value in body.items() if name in _KEPT and value is not None}
        request |= {"model": self._context.model, "messages": [{"role": "user", "content": prompt}]}
        logprobs = body.get("logprobs")
        if isinstance(logprobs, int) and not isinstance(logprobs, bool):
            request |= {"logprobs": True, "top_logprobs": logprobs}
        if body.get("best_of") not in (None, 1, body.get("n")):
            self._context.drop("best_of")
        for name in body:
            if name not in _KEPT and name not in _READ:
                self._context.drop(name)
        fix_chat_request(request, self._context)
        return request

    def response(self, body: Any) -> dict[str, Any]:
        if not isinstance(body, dict) or not isinstance(body.get("choices"), list):
            raise InvalidUpstreamResponse("The provider's answer has no choices.")
        choices = [self._choice(choice, "message", position) for position, choice in enumerate(_choices(body))]
        return {**_head(body, self._context), "choices": choices, "usage": body.get("usage")}

    def _choice(self, choice: dict[str, Any], part: str, position: int, *, echo: bool = True) -> dict[str, Any]:
        said = object_or_empty(choice.get(part))
        text = text_or_empty(said.get("content")) or text_or_empty(said.get("refusal"))
        reason = choice.get("finish_reason")
        return {
            "text": (self._echo if echo else "") + text,
            "index": _index(choice, position),
            "logprobs": _logprobs(choice.get("logprobs")),
            "finish_reason": _REASONS.get(reason, reason) if isinstance(reason, str) else None,
        }

    def response_as_stream(self, body: Any) -> bytes:
        answer = self.response(body)
        usage = answer.pop("usage", None)
        events = [b"data: " + encode(answer) + b"\n\n"]
        if self._include_usage and usage is not None:
            events.append(b"data: " + encode({**answer, "choices": [], "usage": usage}) + b"\n\n")
        return b"".join([*events, _DONE])

    def stream(self) -> StreamTranslator:
        return _Stream(self, self._context)


class _Writer:
    """Collects the bytes of one completion stream."""

    def __init__(self) -> None:
        self._out: list[bytes] = []

    def take(self) -> bytes:
        written = b"".join(self._out)
        self._out.clear()
        return written

    def write(self, data: bytes) -> None:
        self._out.append(data)

    def fail(self, report: ErrorReport) -> None:
        self._out.append(error_event(Format.COMPLETIONS, report))


class _Stream(EventStream):
    def __init__(self, cell: CompletionsToChat, context: Context) -> None:
        self._writer = _Writer()
        super().__init__(Format.CHAT, context, self._writer)
        self._cell = cell
        self._echoed: set[int] = set()
        self._finished = False

    def _event(self, event: Event) -> None:
        if event.data == b"[DONE]":
            self._end()
            return
        document = self._json(event.data)
        if document.get("error") is not None:
            report = error_in(Format.CHAT, document)
            if report is not None:
                self._report(report)
                return
        usage: Usage | None = read_usage(Format.CHAT, document)
        self.usage = usage or self.usage
        choices = []
        for position, choice in enumerate(_choices(document)):
            index = _index(choice, position)
            first = index not in self._echoed
            self._echoed.add(index)
            choices.append(self._cell._choice(choice, "delta", position, echo=first))  # noqa: SLF001 — one cell
            self._finished = self._finished or choice.get("finish_reason") is not None
        out = {**_head(document, self._context), "choices": choices}
        if document.get("usage") is not None:
            out["usage"] = document["usage"]
        self._writer.write(b"data: " + encode(out) + b"\n\n")

    def _end(self) -> None:
        if not self._finished:
            self._cut()
            return
        self._writer.write(_DONE)
        self._closed = True


def _prompt(prompt: Any) -> str:
    if isinstance(prompt, list):
        if len(prompt) == 1 and isinstance(prompt[0], str):
            return prompt[0]
        if prompt and all(isinstance(item, str) for item in prompt):
            raise Untranslatable("prompt: several prompts at once cannot be sent to a chat model.", param="prompt")
        raise Untranslatable("prompt: token ids cannot be sent to a chat model; send text.", param="prompt")
    if prompt is None:
        raise invalid("prompt", "expected a string")
    return required_text(prompt, "prompt")


def _choices(document: dict[str, Any]) -> list[dict[str, Any]]:
    return list(objects_in(document.get("choices")))


def _index(choice: dict[str, Any], position: int) -> int:
    index = choice.get("index")
    return index if isinstance(index, int) else position


def _head(document: dict[str, Any], context: Context) -> dict[str, Any]:
    head = {
        "id": document.get("id"),
        "object": "text_completion",
        "created": document.get("created"),
        "model": document.get("model") or context.model,
    }
    if document.get("system_fingerprint") is not None:
        head["system_fingerprint"] = document["system_fingerprint"]
    return head


def _logprobs(logprobs: Any) -> dict[str, Any] | None:
    """Chat's log probabilities in the older shape."""
    entries = list(objects_in(object_or_empty(logprobs).get("content")))
    if not entries:
        return None
    tokens = [text_or_empty(entry.get("token")) for entry in entries]
    offsets = [sum(map(len, tokens[:position])) for position in range(len(tokens))]
    return {
        "tokens": tokens,
        "token_logprobs": [entry.get("logprob") for entry in entries],
        "top_logprobs": [
            {text_or_empty(top.get("token")): top.get("logprob") for top in objects_in(entry.get("top_logprobs"))}
            for entry in entries
        ],
        "text_offset": offsets,
    }
