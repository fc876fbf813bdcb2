"""The requests that translation is measured on: one conversation as each client API asks it."""

from typing import Any

import orjson

from hermesllm.formats import Format

LARGE_BYTES = 400_000
_ROUNDS = 100

SYSTEM = (
    "You are the travel assistant of a rail company. Answer in the language of the question, in short paragraphs and"
    " without lists. Look up connections and the weather with the tools instead of guessing, name the train numbers,"
    " and say plainly where you do not know something. Prices are in euros and include reservations."
)
_QUESTION = (
    "I have to be in Köln next Tuesday before noon. Which train from Paris would you take, and do I need a coat?"
)
_CALL_ID = "call_Qm2rT8bXw5Jk0ZpVn4Ls"
_CALL = ("find_connections", {"from": "Paris Nord", "to": "Köln Hbf", "date": "2025-11-25", "arrive_before": "12:00"})
_RESULT = (
    '{"connections":[{"train":"ER 9411","departs":"06:46","arrives":"10:15","price":71.0},'
    '{"train":"ER 9417","departs":"07:55","arrives":"11:15","price":58.5}]}'
)
_REPLY = "ER 9417 leaves Paris Nord at 07:55 and arrives at 11:15, for 58.50 euros. I have not looked at the weather."
_FOLLOW_UP = "Then take that one into account, tell me about the weather there, and what I could see in two hours."
TOOLS = (
    (
        "find_connections",
        "Train connections between two stations on one day.",
        {
            "from": {"type": "string", "description": "Station of departure"},
            "to": {"type": "string", "description": "Station of arrival"},
            "date": {"type": "string", "format": "date"},
            "arrive_before": {"type": "string", "description": "Time of day, HH:MM"},
        },
        ["from", "to", "date"],
    ),
    (
        "get_weather",
        "Weather forecast of a city.",
        {"city": {"type": "string"}, "unit": {"type": "string", "enum": ["celsius", "fahrenheit"]}},
        ["city"],
    ),
)
_FILLER = "The delegates walked along the river, spoke of the harvest and the roads, and agreed on little else. "


def request(client: Format, *, stream: bool = False) -> bytes:
    """A request of about 2 KB: a system prompt, a round with a tool, a reply and a question."""
    last = [_text(client, "assistant", _REPLY), _text(client, "user", _FOLLOW_UP)]
    return _asked(client, [_text(client, "user", _QUESTION), *_round(client, _RESULT), *last], stream=stream)


def long_request(client: Format) -> bytes:
    """A request of 400 KB, some 100,000 tokens, nearly all of it one text."""
    return _asked(client, [_text(client, "user", _FILLER * (LARGE_BYTES // len(_FILLER)))], stream=False)


def agent_request(client: Format) -> bytes:
    """A request of 400 KB, some 100,000 tokens, in 100 rounds of four turns: question, call, result, reply."""
    found = _FILLER * (LARGE_BYTES // _ROUNDS // len(_FILLER) - 5)
    turns = [
        turn
        for number in range(_ROUNDS)
        for turn in (
            _text(client, "user", _QUESTION),
            *_round(client, found, number),
            _text(client, "assistant", _REPLY),
        )
    ]
    return _asked(client, [*turns, _text(client, "user", _FOLLOW_UP)], stream=False)


def _asked(client: Format, turns: list[dict[str, Any]], *, stream: bool) -> bytes:
    body: dict[str, Any] = {"model": "bench", "temperature": 0.7, "top_p": 0.95, "stream": stream}
    match client:
        case Format.CHAT:
            body |= {"max_completion_tokens": 1024, "messages": [{"role": "system", "content": SYSTEM}, *turns]}
            body["stream_options"] = {"include_usage": True} if stream else None
            body["tool_choice"] = "auto"
        case Format.ANTHROPIC:
            body |= {"max_tokens": 1024, "system": SYSTEM, "messages": turns, "tool_choice": {"type": "auto"}}
            del body["top_p"]  # Claude takes one of the two
        case _:
            body |= {"max_output_tokens": 1024, "instructions": SYSTEM, "input": turns, "tool_choice": "auto"}
    body["tools"] = [tool(client, *declared) for declared in TOOLS]
    return orjson.dumps({name: value for name, value in body.items() if value is not None})


def _text(client: Format, role: str, text: str) -> dict[str, Any]:
    if client is not Format.RESPONSES:
        return {"role": role, "content": text}
    kind = "output_text" if role == "assistant" else "input_text"
    return {"type": "message", "role": role, "content": [{"type": kind, "text": text}]}


def _round(client: Format, found: str, number: int = 0) -> list[dict[str, Any]]:
    """A call and its result."""
    name, arguments = _CALL
    call_id = f"{_CALL_ID}{number}"
    called = orjson.dumps(arguments).decode()
    match client:
        case Format.CHAT:
            call = {"id": call_id, "type": "function", "function": {"name": name, "arguments": called}}
            return [
                {"role": "assistant", "content": None, "tool_calls": [call]},
                {"role": "tool", "tool_call_id": call_id, "content": found},
            ]
        case Format.ANTHROPIC:
            use = {"type": "tool_use", "id": call_id, "name": name, "input": arguments}
            result = {"type": "tool_result", "tool_use_id": call_id, "content": found}
            return [{"role": "assistant", "content": [use]}, {"role": "user", "content": [result]}]
        case _:
            return [
                {"type": "function_call", "call_id": call_id, "name": name, "arguments": called},
                {"type": "function_call_output", "call_id": call_id, "output": found},
            ]


def tool(client: Format, name: str, description: str, members: dict[str, Any], required: list[str]) -> dict[str, Any]:
    schema = {"type": "object", "properties": members, "required": required, "additionalProperties": False}
    match client:
        case Format.CHAT:
            function = {"name": name, "description": description, "parameters": schema}
            return {"type": "function", "function": function}
        case Format.ANTHROPIC:
            return {"name": name, "description": description, "input_schema": schema}
        case _:
            return {"type": "function", "name": name, "description": description, "parameters": schema, "strict": False}
