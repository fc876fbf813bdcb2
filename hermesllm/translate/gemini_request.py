"""What requests to Gemini are made of, whoever the client is: contents, parts, tools and generation settings.

Follows the reference of generateContent: https://ai.google.dev/api/generate-content
"""

import re
from typing import Any

import orjson

from hermesllm.errors import Untranslatable
from hermesllm.gemini_models import gemini_model
from hermesllm.reading import invalid, required_text, text_or_empty
from hermesllm.translate.base import Context
from hermesllm.translate.gemini_signatures import signed

Part = dict[str, Any]

_MEDIA_TYPES = {
    "png": "image/png", "jpg": "image/jpeg", "jpeg": "image/jpeg", "webp": "image/webp", "gif": "image/gif",
    "heic": "image/heic", "heif": "image/heif", "bmp": "image/bmp", "pdf": "application/pdf", "txt": "text/plain",
    "md": "text/markdown", "csv": "text/csv", "html": "text/html", "xml": "text/xml", "json": "application/json",
    "mp3": "audio/mp3", "wav": "audio/wav", "aac": "audio/aac", "flac": "audio/flac", "ogg": "audio/ogg",
    "aiff": "audio/aiff", "m4a": "audio/m4a", "mp4": "video/mp4", "mov": "video/mov", "mpeg": "video/mpeg",
    "mpg": "video/mpg", "webm": "video/webm", "wmv": "video/wmv", "3gp": "video/3gpp",
}  # fmt: skip
# Files that Google finds itself and knows the type of: its own uploads, and videos of YouTube.
_KNOWN_TO_GOOGLE = re.compile(
    r"https://(generativelanguage\.googleapis\.com/|(www\.)?youtube\.com/|youtu\.be/)", re.IGNORECASE
)
_DATA_URL = re.compile(r"data:(?P<type>[^;,]*)(?P<parameters>[^,]*),", re.DOTALL)


class Contents:
    """The `contents` and the system instruction of a request: turns of `user` and `model`, parts within."""

    def __init__(self, context: Context) -> None:
        self.contents: list[dict[str, Any]] = []
        self.system: list[Part] = []
        self._calls: dict[str, str] = {}
        self._call_signature = context.provider.call_signature if gemini_model(context.model).signs_calls else ""

    def add(self, role: str, parts: list[Part]) -> None:
        """Appends a turn; a turn of the same role as the last is the same turn for Gemini."""
        if not parts:
            return  # refused by Gemini, and nothing is said in it
        if role == "model":
            self._sign(parts)
        if self.contents and self.contents[-1]["role"] == role:
            self.contents[-1]["parts"].extend(parts)
        else:
            self.contents.append({"role": role, "parts": parts})

    def call(self, call_id: str, name: str, arguments: dict[str, Any], signature: str = "") -> Part:
        call: dict[str, Any] = {"name": name, "args": arguments}
        if call_id:
            self._calls[call_id] = name
            call = {"id": call_id, **call}
        return signed({"functionCall": call}, signature)

    def name_of(self, call_id: str, loc: str) -> str:
        """The function that an earlier call named: Gemini wants it again with the result."""
        name = self._calls.get(call_id)
        if name is None:
            raise invalid(loc, "no earlier message has a call with this id")
        return name

    def members(self, loc: str = "messages") -> dict[str, Any]:
        if not self.contents:
            raise Untranslatable(
                f"{loc}: Gemini needs at least one message with content that is not a system prompt",
                param=loc,
                remedy="Add a user message.",
            )
        members: dict[str, Any] = {"contents": self.contents}
        if self.system:
            members["systemInstruction"] = {"parts": self.system}
        return members

    def _sign(self, parts: list[Part]) -> None:
        """Gemini 3 refuses the first call of a step without a signature: those of other models have none."""
        calls = [part for part in parts if "functionCall" in part]
        if calls and self._call_signature and not any("thoughtSignature" in part for part in calls):
            calls[0]["thoughtSignature"] = self._call_signature


def inline_data(media_type: str, data: str) -> Part:
    return {"inlineData": {"mimeType": media_type, "data": data}}


def media_at(url: str, loc: str, default_type: str = "") -> Part:
    """The part of a file at a URL, which may be a `data:` URL. Raises Untranslatable where its type is unknown."""
    if url.startswith("data:"):
        match = _DATA_URL.match(url)
        if match is None or "base64" not in match["parameters"]:
            raise Untranslatable(
                f"{loc}: a data URL for Gemini must hold base64 data",
                param=loc,
                remedy="Send data:<media type>;base64,<data>.",
            )
        return inline_data(match["type"] or default_type or "application/octet-stream", url[match.end() :])
    if url.partition(":")[0].lower() not in ("http", "https", "gs"):
        raise invalid(loc, "expected an http(s), gs or data URL")
    path = url.partition("?")[0].partition("#")[0]
    media_type = _MEDIA_TYPES.get(path.rpartition("/")[2].rpartition(".")[2].lower(), "")
    file = {"fileUri": url}
    if media_type:
        file["mimeType"] = media_type
    elif not _KNOWN_TO_GOOGLE.match(url):
        raise Untranslatable(
            f"{loc}: Gemini must be told the media type of a file, and the URL does not show it",
            param=loc,
            remedy="Use a URL that ends in a file extension such as .png, or send the file as a base64 data URL.",
        )
    return {"fileData": file}


def media_type_of(filename: str) -> str:
    return _MEDIA_TYPES.get(filename.rpartition(".")[2].lower(), "")


def function_response(
    call_id: str, name: str, texts: list[str], *, is_error: bool, media: list[Part] | None = None
) -> Part:
    """The result of a function: a JSON object as it is, everything else under Google's words for output and error."""
    text = "\n".join(texts)
    result = _json_object(text) if len(texts) == 1 else None
    if is_error:
        response = {"error": text if result is None else result.get("error", result)}
    else:
        response = {"output": text} if result is None else result
    answer: dict[str, Any] = {"name": name, "response": response}
    if call_id:
        answer = {"id": call_id, **answer}
    if media:
        answer["parts"] = media
    return {"functionResponse": answer}


def arguments_of(value: Any) -> dict[str, Any]:
    """Arguments as an object. What a model once wrote wrongly must not make the whole conversation unusable."""
    if isinstance(value, dict):
        return value
    text = text_or_empty(value)
    if not text.strip():
        return {}
    parsed = _json_object(text)
    return {"_raw": text} if parsed is None else parsed


def _json_object(text: str) -> dict[str, Any] | None:
    if not text.lstrip().startswith("{"):
        return None
    try:
        value = orjson.loads(text)
    except orjson.JSONDecodeError:
        return None
    return value if isinstance(value, dict) else None


def declaration(name: str, description: Any, schema: dict[str, Any], loc: str) -> dict[str, Any]:
    """A function declaration; the JSON Schema of its parameters goes unharmed."""
    declared: dict[str, Any] = {"name": name}
    if description is not None:
        declared["description"] = required_text(description, f"{loc}.description")
    if schema:
        declared["parametersJsonSchema"] = schema if "type" in schema else {"type": "object", **schema}
    return declared


def tool_members(
    functions: list[dict[str, Any]], served: list[dict[str, Any]], mode: str | None, allowed: list[str]
) -> dict[str, Any]:
    """`tools` and `toolConfig`. `served` are tools that Google runs itself."""
    members: dict[str, Any] = {}
    tools = [{"functionDeclarations": functions}] if functions else []
    if tools or served:
        members["tools"] = tools + served
    if mode is not None and functions:
        config: dict[str, Any] = {"mode": mode}
        if allowed:
            config["allowedFunctionNames"] = allowed
        members["toolConfig"] = {"functionCallingConfig": config}
    return members


def stop_sequences(texts: list[Any], loc: str, context: Context) -> list[str]:
    limit = context.provider.stop_limit
    for index in range(limit, len(texts)):
        context.drop(f"{loc}[{index}]")
    return [required_text(text, f"{loc}[{index}]") for index, text in enumerate(texts)][:limit]


def json_output(schema: dict[str, Any] | None) -> dict[str, Any]:
    """The settings that make Gemini answer in JSON."""
    settings: dict[str, Any] = {"responseMimeType": "application/json"}
    if schema is not None:
        settings["responseJsonSchema"] = schema
    return settings
