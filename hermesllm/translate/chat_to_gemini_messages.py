"""The conversation of the cell "Chat Completions client, Gemini provider": contents and system instruction."""

from collections.abc import Callable
from typing import Any, ClassVar

from hermesllm.errors import Untranslatable
from hermesllm.gemini_models import gemini_model
from hermesllm.reading import (
    invalid,
    objects_in,
    optional_list,
    optional_text,
    required_object,
    required_text,
)
from hermesllm.translate.base import Context
from hermesllm.translate.chat_conversation import messages
from hermesllm.translate.gemini_request import (
    Contents,
    Part,
    arguments_of,
    function_response,
    inline_data,
    media_at,
    media_type_of,
)
from hermesllm.translate.gemini_signatures import signature_in_extra_content, signed, thought_part

# What an SDK's response message holds when it is sent back as history; it has no say in the next answer.
_OF_RESPONSES = frozenset({"annotations", "audio", "citations", "grounding_metadata", "parsed", "safety_ratings"})
_OF_PROMPTS = frozenset({"role", "content", *_OF_RESPONSES})
_OF_RESULTS = frozenset({"tool_call_id", "is_error", "name", *_OF_PROMPTS})
_MEMBERS = {
    "system": _OF_PROMPTS,
    "developer": _OF_PROMPTS,
    "user": _OF_PROMPTS,
    "assistant": frozenset(
        {"tool_calls", "function_call", "refusal", "thinking_blocks", "extra_content", "images", *_OF_PROMPTS}
    ),
    "tool": _OF_RESULTS,
    "function": _OF_RESULTS,
}
_RESOLUTIONS = {"low": "MEDIA_RESOLUTION_LOW", "medium": "MEDIA_RESOLUTION_MEDIUM", "high": "MEDIA_RESOLUTION_HIGH"}


def read_conversation(body: dict[str, Any], context: Context) -> dict[str, Any]:
    """`contents` and `systemInstruction` of a Chat request. Raises InvalidRequest or Untranslatable."""
    reader = _Reader(context)
    for role, message, loc in messages(body, _MEMBERS, context, _thoughts):
        reader.read(role, message, loc)
    return reader.contents.members()


class _Reader:
    def __init__(self, context: Context) -> None:
        self.contents = Contents(context)
        self._context = context
        self._model = gemini_model(context.model)

    def read(self, role: str, message: dict[str, Any], loc: str) -> None:
        self._READERS[role](self, message, loc)

    def _system(self, message: dict[str, Any], loc: str) -> None:
        for part in self._content(message, loc):
            if "text" not in part:
                raise Untranslatable(f"{loc}.content: a system prompt for Gemini is text only", param=f"{loc}.content")
            self.contents.system.append(part)

    def _user(self, message: dict[str, Any], loc: str) -> None:
        self.contents.add("user", self._content(message, loc))

    def _assistant(self, message: dict[str, Any], loc: str) -> None:
        thoughts = _thoughts(message)
        for index, block in enumerate(objects_in(message.get("thinking_blocks"))):
            if thought_part(block) is None:  # another vendor's, which only that vendor can read
                self._context.drop(f"{loc}.thinking_blocks[{index}]")
        spoken = self._content(message, loc)
        refusal = optional_text(message.get("refusal"), f"{loc}.refusal")
        if refusal:
            spoken.append({"text": refusal})
        signature = signature_in_extra_content(message)
        if signature and spoken and "text" in spoken[-1]:
            spoken[-1]["thoughtSignature"] = signature
        elif signature:
            spoken.append(signed({"text": ""}, signature))
        for index, image in enumerate(optional_list(message.get("images"), f"{loc}.images")):
            spoken.append(self._image(required_object(image, f"{loc}.images[{index}]"), f"{loc}.images[{index}]"))
        calls = [
            self._call(required_object(call, f"{loc}.tool_calls[{index}]"), f"{loc}.tool_calls[{index}]")
            for index, call in enumerate(optional_list(message.get("tool_calls"), f"{loc}.tool_calls"))
        ]
        if message.get("function_call") is not None:
            calls.append(self._function_call(message["function_call"], "", "", f"{loc}.function_call"))
        self.contents.add("model", thoughts + spoken + calls)

    def _image(self, image: dict[str, Any], loc: str) -> Part:
        """An image that the model made, sent back as history."""
        holder = required_object(image.get("image_url"), f"{loc}.image_url")
        part = media_at(required_text(holder.get("url"), f"{loc}.image_url.url"), f"{loc}.image_url.url", "image/png")
        return signed(part, signature_in_extra_content(image))

    def _call(self, call: dict[str, Any], loc: str) -> Part:
        call_id = required_text(call.get("id"), f"{loc}.id")
        if call.get("type") == "custom":
            custom = required_object(call.get("custom"), f"{loc}.custom")
            name = required_text(custom.get("name"), f"{loc}.custom.name")
            return self.contents.call(call_id, name, {"input": custom.get("input")}, signature_in_extra_content(call))
        return self._function_call(call.get("function"), call_id, signature_in_extra_content(call), f"{loc}.function")

    def _function_call(self, value: Any, call_id: str, signature: str, loc: str) -> Part:
        function = required_object(value, loc)
        name = required_text(function.get("name"), f"{loc}.name")
        return self.contents.call(call_id, name, arguments_of(function.get("arguments")), signature)

    def _tool(self, message: dict[str, Any], loc: str) -> None:
        call_id = message.get("tool_call_id")
        if not isinstance(call_id, str) or not call_id:
            raise invalid(f"{loc}.tool_call_id", "a tool message must name the call it answers")
        self._result(call_id, self.contents.name_of(call_id, f"{loc}.tool_call_id"), message, loc)

    def _function(self, message: dict[str, Any], loc: str) -> None:
        self._result("", required_text(message.get("name"), f"{loc}.name"), message, loc)

    def _result(self, call_id: str, name: str, message: dict[str, Any], loc: str) -> None:
        parts = self._content(message, loc)
        texts = [part["text"] for part in parts if "text" in part]
        media = [part for part in parts if "text" not in part]
        inside = media if self._model.media_in_results else []
        failed = message.get("is_error") is True
        answer = [function_response(call_id, name, texts, is_error=failed, media=inside)]
        if media and not inside:
            answer += [{"text": f"Files from the result of {name}:"}, *media]
        self.contents.add("user", answer)

    def _content(self, message: dict[str, Any], loc: str) -> list[Part]:
        content = message.get("content")
        if content is None:
            return []
        if isinstance(content, str):
            return [{"text": content}] if content else []
        if not isinstance(content, list):
            raise invalid(f"{loc}.content", "expected a string or a list of parts")
        parts = []
        for index, value in enumerate(content):
            where = f"{loc}.content[{index}]"
            part = required_object(value, where)
            kind = required_text(part.get("type"), f"{where}.type")
            read = self._PARTS.get(kind)
            if read is None:
                raise Untranslatable(
                    f"{where}: this type of content part cannot be sent to Gemini",
                    param=f"{where}.type",
                    remedy="Use text, image_url, video_url, input_audio or file parts.",
                )
            if part.get("cache_control") is not None:  # Gemini caches by itself
                self._context.drop(f"{where}.cache_control")
            parts += read(self, part, kind, where)
        return parts

    def _text(self, part: dict[str, Any], kind: str, loc: str) -> list[Part]:
        text = required_text(part.get("refusal" if kind == "refusal" else "text"), f"{loc}.text")
        return [{"text": text}] if text else []

    def _media_url(self, part: dict[str, Any], kind: str, loc: str) -> list[Part]:
        loc = f"{loc}.{kind}"
        value = part.get(kind)
        holder = {"url": value} if isinstance(value, str) else required_object(value, loc)
        default_type = "image/jpeg" if kind == "image_url" else ""
        media = media_at(required_text(holder.get("url"), f"{loc}.url"), f"{loc}.url", default_type)
        detail = holder.get("detail")
        if isinstance(detail, str) and detail in _RESOLUTIONS and self._model.media_resolution:
            media["mediaResolution"] = {"level": _RESOLUTIONS[detail]}
        elif detail not in (None, "auto"):
            self._context.drop(f"{loc}.detail")
        return [media]

    def _audio(self, part: dict[str, Any], _: str, loc: str) -> list[Part]:
        audio = required_object(part.get("input_audio"), f"{loc}.input_audio")
        kind = required_text(audio.get("format"), f"{loc}.input_audio.format")
        data = required_text(audio.get("data"), f"{loc}.input_audio.data")
        return [inline_data(f"audio/{kind}", data)]

    def _file(self, part: dict[str, Any], _: str, loc: str) -> list[Part]:
        file = required_object(part.get("file"), f"{loc}.file")
        name = optional_text(file.get("filename"), f"{loc}.file.filename")
        data = optional_text(file.get("file_data"), f"{loc}.file.file_data")
        media_type = media_type_of(name) or "application/pdf"
        if name and data:
            self._context.drop(f"{loc}.file.filename")
        if data:
            is_url = data.partition(":")[0] in ("data", "http", "https")
            return [media_at(data, f"{loc}.file.file_data", media_type) if is_url else inline_data(media_type, data)]
        file_id = required_text(file.get("file_id"), f"{loc}.file.file_id")
        if "://" not in file_id:
            raise Untranslatable(
                f"{loc}.file.file_id: a file that was uploaded to another provider cannot be sent to Gemini",
                param=f"{loc}.file.file_id",
                remedy="Send the file as base64 in file_data, or the URI of a file uploaded to Google.",
            )
        return [media_at(file_id, f"{loc}.file.file_id")]

    _READERS: ClassVar[dict[str, Callable[..., Any]]] = {
        "system": _system,
        "developer": _system,
        "user": _user,
        "assistant": _assistant,
        "tool": _tool,
        "function": _function,
    }

    _PARTS: ClassVar[dict[str, Callable[..., Any]]] = {
        "text": _text,
        "input_text": _text,
        "output_text": _text,
        "refusal": _text,
        "image_url": _media_url,
        "video_url": _media_url,
        "audio_url": _media_url,
        "input_audio": _audio,
        "file": _file,
    }


def _thoughts(message: dict[str, Any]) -> list[Part]:
    blocks = objects_in(message.get("thinking_blocks"))
    return [part for block in blocks if (part := thought_part(block)) is not None]
