"""JSON answers of the cell "Responses client, Chat Completions provider"."""

from typing import Any

from hermesllm.error_bodies import no_answer
from hermesllm.formats import Format
from hermesllm.reading import count_or_none, object_or_empty, objects_in, text_or_empty
from hermesllm.translate.base import Context
from hermesllm.translate.chat_message import reasoning_of, signed_thinking, split_content
from hermesllm.translate.event_stream import encode
from hermesllm.translate.responses_object import (
    Asked,
    Ids,
    call_item,
    file_annotations,
    finished,
    message_item,
    output_logprobs,
    response_object,
    summary_item,
    text_part,
    thinking_item,
    url_annotations,
)
from hermesllm.translate.responses_to_chat_input import signature_of_item
from hermesllm.translate.stop_reasons import CHAT_TO_RESPONSES
from hermesllm.usage import Usage


def to_response(body: Any, asked: Asked, context: Context) -> dict[str, Any]:
    """The Responses object of a Chat completion. Raises InvalidUpstreamResponse."""
    body = object_or_empty(body)
    choice = next(objects_in(body.get("choices")), None)
    if choice is None:
        raise no_answer(Format.CHAT, body)
    ids = Ids(text_or_empty(body.get("id")))
    incomplete = CHAT_TO_RESPONSES.get(text_or_empty(choice.get("finish_reason")))
    model = text_or_empty(body.get("model")) or context.model
    created = count_or_none(body.get("created"))
    usage = object_or_empty(body.get("usage") or choice.get("usage"))  # Moonshot puts it into the choice
    response = response_object(ids.response, model, asked, created=created)
    if isinstance(body.get("service_tier"), str):
        response["service_tier"] = body["service_tier"]
    items = _items(choice, ids, asked, "incomplete" if incomplete else "completed")
    return finished(response, items, Usage.from_chat(usage), incomplete)


def _items(choice: dict[str, Any], ids: Ids, asked: Asked, status: str) -> list[dict[str, Any]]:
    message = object_or_empty(choice.get("message"))
    thought, text = split_content(message.get("content"))
    thought = reasoning_of(message) + thought
    items: list[dict[str, Any]] = []
    for block in signed_thinking(message):
        items.append(thinking_item(ids.of("rs", len(items)), block))
    if thought and not any(item["summary"] for item in items):
        items.insert(0, summary_item(ids.of("rs", len(items)), thought))
    content = _content(choice, message, text)
    if content:
        signature = signature_of_item(message)
        item = message_item(ids.of("msg", len(items)), content, status)
        items.append({**item, "extra_content": signature} if signature else item)
    calls = list(objects_in(message.get("tool_calls")))
    if isinstance(message.get("function_call"), dict):
        calls.append({"function": message["function_call"]})
    for call in calls:
        function = object_or_empty(call.get("function"))
        name, arguments = text_or_empty(function.get("name")), arguments_text(function.get("arguments"))
        item = call_item(ids, len(items), asked, text_or_empty(call.get("id")), name, arguments)
        extra = signature_of_item(call)
        items.append({**item, "extra_content": extra} if extra else item)
    return items


def _content(choice: dict[str, Any], message: dict[str, Any], text: str) -> list[dict[str, Any]]:
    content: list[dict[str, Any]] = []
    if text:
        annotations = url_annotations(message.get("annotations")) + file_annotations(message.get("citations"))
        content.append(text_part(text, annotations, output_logprobs(choice.get("logprobs"))))
    audio = object_or_empty(message.get("audio"))
    if audio:
        heard = {name: text_or_empty(audio.get(name)) for name in ("data", "transcript")}
        content.append({"type": "output_audio", **heard})
    refusal = text_or_empty(message.get("refusal"))
    if refusal:
        content.append({"type": "refusal", "refusal": refusal})
    return content


def arguments_text(value: Any) -> str:
    """Arguments are a string by contract; Ollama and others send the object itself."""
    if isinstance(value, dict):
        return encode(value).decode()
    return text_or_empty(value)
