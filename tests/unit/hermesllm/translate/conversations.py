"""Conversations that every client format can tell: random ones, written as requests and read back from requests.

A conversation is what no translation may change: system text, texts, images, tool calls with their results, tools, the
choice among them, and the parameters that all three APIs have.
"""

import base64
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import orjson
from hypothesis import strategies as st

from hermesllm.formats import Format

Json = dict[str, Any]


@dataclass(frozen=True)
class Image:
    """`url` is a `data:` URL or a web address."""

    url: str


@dataclass(frozen=True)
class Call:
    call_id: str
    name: str
    arguments: str  # JSON, keys sorted


@dataclass(frozen=True)
class Result:
    call_id: str
    text: str


Part = str | Image


@dataclass(frozen=True)
class Turn:
    """A user's turn has parts; an assistant's has one text, or none, and calls; a tool's turn has results."""

    role: str
    parts: tuple[Part | Call | Result, ...]


@dataclass(frozen=True)
class Conversation:
    turns: tuple[Turn, ...]
    system: str = ""
    tools: tuple[tuple[str, str], ...] = ()  # names and descriptions
    choice: str = ""  # "", auto, none, required, or a tool's name after "="
    max_tokens: int = 100
    temperature: float | None = None
    stop: tuple[str, ...] = field(default=())


_WORDS = st.text(st.characters(exclude_categories=["Cs", "Cc", "Zs", "Zl", "Zp"]), min_size=1, max_size=12)
_NAMES = st.from_regex(r"[a-z][a-z0-9_]{0,15}", fullmatch=True)
_ARGUMENTS = st.dictionaries(
    st.text(max_size=5),
    st.none() | st.booleans() | st.integers(-9, 9) | st.text(max_size=5) | st.lists(st.integers(-9, 9)),
).map(lambda value: _sorted(value))
_IMAGES = st.binary(min_size=1, max_size=9).map(
    lambda raw: Image(f"data:image/png;base64,{base64.b64encode(raw).decode()}")
) | st.just(Image("https://example.com/a.png"))


def _sorted(value: Any) -> str:
    return orjson.dumps(value, option=orjson.OPT_SORT_KEYS).decode()


@st.composite
def conversations(draw: st.DrawFn) -> Conversation:
    names = draw(st.lists(_NAMES, unique=True, max_size=3))
    turns = []
    number = 0
    for _ in range(draw(st.integers(0, 3))):
        turns.append(Turn("user", _user_parts(draw)))
        calls = []
        for name in draw(st.lists(st.sampled_from(names), max_size=2)) if names else []:
            number += 1
            calls.append(Call(f"call_{number}", name, draw(_ARGUMENTS)))
        text = (draw(_WORDS),) if not calls or draw(st.booleans()) else ()
        turns.append(Turn("assistant", (*text, *calls)))
        if calls:
            turns.append(Turn("tool", tuple(Result(call.call_id, draw(_WORDS)) for call in calls)))
    if not turns or turns[-1].role == "assistant" or draw(st.booleans()):
        turns.append(Turn("user", _user_parts(draw)))
    choices = ["", "auto", "none", "required", *(f"={name}" for name in names)] if names else [""]
    return Conversation(
        turns=tuple(turns),
        system=draw(st.just("") | _WORDS),
        tools=tuple((name, draw(_WORDS)) for name in names),
        choice=draw(st.sampled_from(choices)),
        max_tokens=draw(st.integers(16, 4000)),
        temperature=draw(st.none() | st.sampled_from([0.0, 0.25, 1.0])),
        stop=tuple(draw(st.lists(_WORDS, max_size=3, unique=True))),
    )


def _user_parts(draw: st.DrawFn) -> tuple[Part, ...]:
    return (*draw(st.lists(_IMAGES, max_size=2)), draw(_WORDS))


_SCHEMA = {"type": "object", "properties": {"a": {"type": "string"}}}
_CHAT_PART: dict[type, Callable[[Any], Json]] = {
    str: lambda text: {"type": "text", "text": text},
    Image: lambda image: {"type": "image_url", "image_url": {"url": image.url}},
}


def as_chat(talk: Conversation) -> Json:
    messages: list[Json] = [{"role": "system", "content": talk.system}] if talk.system else []
    for turn in talk.turns:
        if turn.role == "user":
            messages.append({"role": "user", "content": [_CHAT_PART[type(part)](part) for part in turn.parts]})
        elif turn.role == "tool":
            messages += [
                {"role": "tool", "tool_call_id": part.call_id, "content": part.text}
                for part in turn.parts
                if isinstance(part, Result)
            ]
        else:
            messages.append(_chat_answer(turn))
    body: Json = {"messages": messages, "max_completion_tokens": talk.max_tokens}
    if talk.tools:
        body["tools"] = [
            {"type": "function", "function": {"name": name, "description": text, "parameters": _SCHEMA}}
            for name, text in talk.tools
        ]
    if talk.choice:
        named = {"type": "function", "function": {"name": talk.choice[1:]}}
        body["tool_choice"] = named if talk.choice[0] == "=" else talk.choice
    if talk.temperature is not None:
        body["temperature"] = talk.temperature
    if talk.stop:
        body["stop"] = list(talk.stop)
    return body


def _chat_answer(turn: Turn) -> Json:
    message: Json = {"role": "assistant", "content": next((part for part in turn.parts if isinstance(part, str)), None)}
    calls = [
        {"id": part.call_id, "type": "function", "function": {"name": part.name, "arguments": part.arguments}}
        for part in turn.parts
        if isinstance(part, Call)
    ]
    return message | ({"tool_calls": calls} if calls else {})


def from_chat(body: Json) -> Conversation:
    turns: list[Turn] = []
    system = ""
    for message in body["messages"]:
        role, content = message["role"], message.get("content")
        if role in ("system", "developer"):
            system += "".join(_chat_parts(content))  # type: ignore[arg-type] — only texts there
        elif role == "tool":
            _say(turns, "tool", Result(message["tool_call_id"], "".join(map(str, _chat_parts(content)))))
        else:
            for part in _chat_parts(content):
                _say(turns, role, part)
            for call in message.get("tool_calls", []):
                arguments = _sorted(orjson.loads(call["function"]["arguments"]))
                _say(turns, role, Call(call["id"], call["function"]["name"], arguments))
    choice = body.get("tool_choice", "")
    stop = body.get("stop", [])
    return Conversation(
        turns=tuple(turns),
        system=system,
        tools=tuple((tool["function"]["name"], tool["function"]["description"]) for tool in body.get("tools", [])),
        choice=choice if isinstance(choice, str) else "=" + choice["function"]["name"],
        max_tokens=body.get("max_completion_tokens") or body["max_tokens"],
        temperature=body.get("temperature"),
        stop=tuple([stop] if isinstance(stop, str) else stop),
    )


def _chat_parts(content: Any) -> Iterator[Part]:
    if isinstance(content, str):
        yield content
    for part in content if isinstance(content, list) else ():
        yield part["text"] if part["type"] == "text" else Image(part["image_url"]["url"])


def _say(turns: list[Turn], role: str, part: Part | Call | Result) -> None:
    if not turns or turns[-1].role != role:
        turns.append(Turn(role, ()))
    turns[-1] = Turn(role, (*turns[-1].parts, part))


def as_messages(talk: Conversation) -> Json:
    messages: list[Json] = []
    for turn in talk.turns:
        role = "assistant" if turn.role == "assistant" else "user"
        blocks = [_block(part) for part in turn.parts]
        if messages and messages[-1]["role"] == role:  # a user's words after results: one message
            messages[-1]["content"] += blocks
        else:
            messages.append({"role": role, "content": blocks})
    body: Json = {"messages": messages, "max_tokens": talk.max_tokens}
    if talk.system:
        body["system"] = [{"type": "text", "text": talk.system}]
    if talk.tools:
        body["tools"] = [{"name": name, "description": text, "input_schema": _SCHEMA} for name, text in talk.tools]
    if talk.choice:
        named = {"type": "tool", "name": talk.choice[1:]}
        plain = {"type": {"required": "any"}.get(talk.choice, talk.choice)}
        body["tool_choice"] = named if talk.choice[0] == "=" else plain
    if talk.temperature is not None:
        body["temperature"] = talk.temperature
    if talk.stop:
        body["stop_sequences"] = list(talk.stop)
    return body


def _block(part: Part | Call | Result) -> Json:
    match part:
        case str():
            return {"type": "text", "text": part}
        case Image(url) if url.startswith("data:"):
            media_type, _, data = url.removeprefix("data:").partition(";base64,")
            return {"type": "image", "source": {"type": "base64", "media_type": media_type, "data": data}}
        case Image(url):
            return {"type": "image", "source": {"type": "url", "url": url}}
        case Call():
            return {"type": "tool_use", "id": part.call_id, "name": part.name, "input": orjson.loads(part.arguments)}
        case Result():
            return {"type": "tool_result", "tool_use_id": part.call_id, "content": part.text}


def from_messages(body: Json) -> Conversation:
    turns: list[Turn] = []
    for message in body["messages"]:
        content = message["content"]
        for block in [{"type": "text", "text": content}] if isinstance(content, str) else content:
            match block:
                case {"type": "tool_result", "tool_use_id": call_id, "content": told}:
                    text = told if isinstance(told, str) else "".join(inner["text"] for inner in told)
                    _say(turns, "tool", Result(call_id, text))
                case {"type": "tool_use", "id": call_id, "name": name, "input": arguments}:
                    _say(turns, message["role"], Call(call_id, name, _sorted(arguments)))
                case {"type": "image", "source": {"type": "url", "url": url}}:
                    _say(turns, message["role"], Image(url))
                case {"type": "image", "source": {"media_type": media_type, "data": data}}:
                    _say(turns, message["role"], Image(f"data:{media_type};base64,{data}"))
                case _:
                    _say(turns, message["role"], block["text"])
    system = body.get("system", "")
    choice = body.get("tool_choice", {"type": ""})
    kind = {"any": "required"}.get(choice["type"], choice["type"])
    return Conversation(
        turns=tuple(turns),
        system=system if isinstance(system, str) else "".join(block["text"] for block in system),
        tools=tuple((tool["name"], tool["description"]) for tool in body.get("tools", [])),
        choice="=" + choice["name"] if kind == "tool" else kind,
        max_tokens=body["max_tokens"],
        temperature=body.get("temperature"),
        stop=tuple(body.get("stop_sequences", [])),
    )


def as_responses(talk: Conversation) -> Json:
    """`stop` is left out: this API has none."""
    items: list[Json] = []
    for turn in talk.turns:
        kind = "output_text" if turn.role == "assistant" else "input_text"
        parts: list[Json] = []
        for part in turn.parts:
            match part:
                case str():
                    parts.append({"type": kind, "text": part})
                case Image(url):
                    parts.append({"type": "input_image", "image_url": url, "detail": "auto"})
                case Call():
                    call = {"call_id": part.call_id, "name": part.name, "arguments": part.arguments}
                    items.append({"type": "function_call", **call})
                case Result():
                    items.append({"type": "function_call_output", "call_id": part.call_id, "output": part.text})
        if parts:
            calls = sum(isinstance(part, Call) for part in turn.parts)
            items.insert(len(items) - calls, {"type": "message", "role": turn.role, "content": parts})
    body: Json = {"input": items, "max_output_tokens": talk.max_tokens}
    if talk.system:
        body["instructions"] = talk.system
    if talk.tools:
        body["tools"] = [
            {"type": "function", "name": name, "description": text, "parameters": _SCHEMA, "strict": False}
            for name, text in talk.tools
        ]
    if talk.choice:
        named = {"type": "function", "name": talk.choice[1:]}
        body["tool_choice"] = named if talk.choice[0] == "=" else talk.choice
    if talk.temperature is not None:
        body["temperature"] = talk.temperature
    return body


def from_responses(body: Json) -> Conversation:
    turns: list[Turn] = []
    system = body.get("instructions") or ""
    for item in body["input"]:
        match item:
            case {"type": "function_call", "call_id": call_id, "name": name, "arguments": arguments}:
                _say(turns, "assistant", Call(call_id, name, _sorted(orjson.loads(arguments))))
            case {"type": "function_call_output", "call_id": call_id, "output": told}:
                text = told if isinstance(told, str) else "".join(inner["text"] for inner in told)
                _say(turns, "tool", Result(call_id, text))
            case {"role": "system" | "developer", "content": content}:
                system += content if isinstance(content, str) else "".join(part["text"] for part in content)
            case {"role": role, "content": str(text)}:
                _say(turns, role, text)
            case {"role": role, "content": parts}:
                for part in parts:
                    _say(turns, role, Image(part["image_url"]) if part["type"] == "input_image" else part["text"])
    choice = body.get("tool_choice", "")
    return Conversation(
        turns=tuple(turns),
        system=system,
        tools=tuple((tool["name"], tool["description"]) for tool in body.get("tools", [])),
        choice=choice if isinstance(choice, str) else "=" + choice["name"],
        max_tokens=body["max_output_tokens"],
        temperature=body.get("temperature"),
    )


WRITERS: dict[Format, Callable[[Conversation], Json]] = {
    Format.CHAT: as_chat,
    Format.ANTHROPIC: as_messages,
    Format.RESPONSES: as_responses,
}
READERS: dict[Format, Callable[[Json], Conversation]] = {
    Format.CHAT: from_chat,
    Format.ANTHROPIC: from_messages,
    Format.RESPONSES: from_responses,
}
