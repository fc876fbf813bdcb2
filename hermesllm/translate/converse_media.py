"""Images, documents and search results of Messages blocks as Amazon Bedrock Converse takes them."""

import re
from base64 import b64encode
from typing import Any

from hermesllm.bedrock_models import BedrockModel
from hermesllm.errors import Untranslatable
from hermesllm.reading import (
    object_or_empty,
    optional_list,
    optional_text,
    required_object,
    required_text,
    text_or_empty,
)
from hermesllm.translate.base import Context

Block = dict[str, Any]

_IMAGES = {"image/png": "png", "image/jpeg": "jpeg", "image/jpg": "jpeg", "image/gif": "gif", "image/webp": "webp"}
_DOCUMENTS = {
    "application/pdf": "pdf",
    "text/csv": "csv",
    "application/msword": "doc",
    "application/vnd.openxmlformats-officedocument.wordprocessingml.document": "docx",
    "application/vnd.ms-excel": "xls",
    "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet": "xlsx",
    "text/html": "html",
    "text/plain": "txt",
    "text/markdown": "md",
}
_EXTENSIONS = frozenset(_DOCUMENTS.values())
_NAME_LIMIT = 200


class MediaReader:
    """Reads the media blocks of one request: documents need names of their own in it."""

    def __init__(self, context: Context, model: BedrockModel) -> None:
        self._context = context
        self._model = model
        self._names: set[str] = set()

    def image(self, block: Block, loc: str) -> Block:
        source = required_object(block.get("source"), f"{loc}.source")
        if source.get("type") == "url":
            url = required_text(source.get("url"), f"{loc}.source.url")
            image_format = url.partition("?")[0].rpartition(".")[2].lower().replace("jpg", "jpeg")
            if url.startswith("s3://") and image_format in _IMAGES.values():
                return {"image": {"format": image_format, "source": {"s3Location": {"uri": url}}}}
        data, media_type = _base64(source, "image", loc)
        if media_type not in _IMAGES:
            raise Untranslatable(
                f"{loc}.source.media_type: Amazon Bedrock takes PNG, JPEG, GIF and WebP images",
                param=f"{loc}.source.media_type",
                remedy="Convert the image to one of these formats.",
            )
        return {"image": {"format": _IMAGES[media_type], "source": {"bytes": data}}}

    def document(self, block: Block, loc: str) -> Block:
        source = required_object(block.get("source"), f"{loc}.source")
        title = optional_text(block.get("title"), f"{loc}.title")
        document: Block = {}
        kind = source.get("type")
        if kind == "text":
            text = required_text(source.get("data"), f"{loc}.source.data")
            document["format"] = _format("text/plain", title)
            # Bytes are what every model takes; Claude cites text by its characters.
            plain = {"bytes": b64encode(text.encode("utf-8", "replace")).decode()}
            document["source"] = {"text": text} if self._model.claude and self._model.known else plain
        elif kind == "content":
            document["source"] = {"content": _texts(source.get("content"), f"{loc}.source.content")}
        else:
            data, media_type = _base64(source, "document", loc)
            document_format = _format(media_type or "application/pdf", title)
            if not document_format:
                raise Untranslatable(
                    f"{loc}.source.media_type: Amazon Bedrock takes no documents of this type",
                    param=f"{loc}.source.media_type",
                    remedy="Send it as PDF, CSV, Word, Excel, HTML, Markdown or plain text.",
                )
            document |= {"format": document_format, "source": {"bytes": data}}
        document["name"] = self._name(title)
        if text_or_empty(block.get("context")):
            document["context"] = block["context"]
        self._citations(block, document, loc)
        return {"document": document}

    def search_result(self, block: Block, loc: str) -> Block:
        head = [optional_text(block.get(name), f"{loc}.{name}") for name in ("source", "title")]
        content = _texts(block.get("content"), f"{loc}.content")
        if not self._model.claude:
            return {"text": "\n".join(line for line in (*reversed(head), *(each["text"] for each in content)) if line)}
        result: Block = {"source": head[0], "title": head[1], "content": content}
        self._citations(block, result, loc)
        return {"searchResult": result}

    def _citations(self, block: Block, made: Block, loc: str) -> None:
        enabled = object_or_empty(block.get("citations")).get("enabled")
        if enabled is True and self._model.claude:
            made["citations"] = {"enabled": True}
        elif enabled is True:
            self._context.drop(f"{loc}.citations")

    def _name(self, title: str) -> str:
        """A name that Bedrock accepts and that no other document of the request has."""
        stem, dot, extension = title.rpartition(".")
        bare = stem if dot and extension.lower() in _EXTENSIONS else title
        name = (
            re.sub(r"\s+", " ", re.sub(r"[^a-zA-Z0-9\s\-()\[\]]", "-", bare)).strip()[: _NAME_LIMIT - 8] or "document"
        )
        unique, count = name, 1
        while unique in self._names:
            count += 1
            unique = f"{name} ({count})"
        self._names.add(unique)
        return unique


def _format(media_type: str, title: str) -> str:
    """The format of a document; the title's ending tells more than `text/plain` does."""
    found = _DOCUMENTS.get(media_type, "")
    extension = title.rpartition(".")[2].lower()
    return extension if found == "txt" and extension in ("csv", "html", "md") else found


def _base64(source: Block, kind: str, loc: str) -> tuple[str, str]:
    """Data and media type of a base64 source. Raises Untranslatable for a URL or an uploaded file."""
    if source.get("type") == "base64":
        media_type = optional_text(source.get("media_type"), f"{loc}.source.media_type").lower()
        data = required_text(source.get("data"), f"{loc}.source.data")
        return data, media_type or ("image/jpeg" if kind == "image" else "")
    where = {"url": "at a URL", "file": "uploaded to another provider"}.get(
        text_or_empty(source.get("type")), "like this"
    )
    raise Untranslatable(
        f"{loc}.source: Amazon Bedrock takes no {kind} {where}",
        param=f"{loc}.source.type",
        remedy=f"Send the {kind} as base64 data.",
    )


def _texts(content: Any, loc: str) -> list[Block]:
    if isinstance(content, str):
        return [{"text": content}]
    texts = []
    for index, value in enumerate(optional_list(content, loc)):
        part = required_object(value, f"{loc}[{index}]")
        if part.get("type") != "text":
            raise Untranslatable(
                f"{loc}[{index}]: only text can stand here for Amazon Bedrock",
                param=f"{loc}[{index}].type",
                remedy="Send the other parts as blocks of their own.",
            )
        texts.append({"text": required_text(part.get("text"), f"{loc}[{index}].text")})
    return texts
