"""OpenAI's legacy text completions: reads a request, writes one JSON body or a stream of chunks.

https://platform.openai.com/docs/api-reference/completions
"""

import dataclasses
import json
from collections.abc import Iterator

from planoctl.mock_provider import openai
from planoctl.mock_provider.answers import Answer, Stop, Turn, pieces
from planoctl.mock_provider.behaviour import split_model
from planoctl.mock_provider.validation import Call, InvalidRequestError, Json, digest_of

_FIELDS = frozenset({
    "best_of", "echo", "frequency_penalty", "logit_bias", "logprobs", "max_tokens", "model", "n", "presence_penalty",
    "prompt", "seed", "stop", "stream", "stream_options", "suffix", "temperature", "top_p", "user",
})  # fmt: skip
_DEFAULT_MAX_TOKENS = 16


def read(request: Json, call: Call) -> Turn:
    """Checks a request and reduces it to a turn, all its prompts in one; raises `InvalidRequestError`."""
    for name in request:
        if name not in _FIELDS and not call.lenient:
            raise InvalidRequestError(f"Unrecognized request argument supplied: {name}")
    if not isinstance(request.get("model"), str):
        raise InvalidRequestError("you must provide a model parameter")
    prompts = _prompts(request.get("prompt", "<|endoftext|>"))
    chat = {name: value for name, value in request.items() if name in {"temperature", "top_p", "stop", "n"}}
    messages = [{"role": "user", "content": " ".join(prompts)}]
    parameters = {"messages": messages, "model": request["model"], "max_tokens": _DEFAULT_MAX_TOKENS}
    for name in ("max_tokens", "stream", "stream_options"):
        if request.get(name) is not None:
            parameters[name] = request[name]
    turn = openai.read(chat | parameters, call)
    return dataclasses.replace(turn, digest=digest_of(request), choices=turn.choices * len(prompts))


def body(turn: Turn, answer: Answer) -> Json:
    """The `text_completion` object."""
    choices = [_choice(index, answer.text, _finish(answer)) for index in range(turn.choices)]
    return _envelope(turn) | {"choices": choices, "usage": openai.usage(answer)}


def events(turn: Turn, answer: Answer) -> Iterator[bytes]:
    """The stream's events, `[DONE]` included."""
    envelope = _envelope(turn)
    if turn.include_usage:
        envelope["usage"] = None
    for index in range(turn.choices):
        for piece in pieces(answer.text):
            yield _event(envelope | {"choices": [_choice(index, piece, None)]})
        yield _event(envelope | {"choices": [_choice(index, "", _finish(answer))]})
    if turn.include_usage:
        yield _event(envelope | {"choices": [], "usage": openai.usage(answer)})
    yield b"data: [DONE]\n\n"


def _prompts(prompt: object) -> list[str]:
    """The prompts as texts; tokens are written as their numbers."""
    if isinstance(prompt, str):
        return [prompt]
    if isinstance(prompt, list) and prompt:
        if all(isinstance(token, int) for token in prompt):
            return [" ".join(map(str, prompt))]
        if all(isinstance(each, str | list) for each in prompt):
            return [each if isinstance(each, str) else " ".join(map(str, each)) for each in prompt]
    raise InvalidRequestError("Invalid type for 'prompt': expected a string or an array.", "prompt", "invalid_type")


def _choice(index: int, text: str, finish: str | None) -> Json:
    return {"text": text, "index": index, "logprobs": None, "finish_reason": finish}


def _finish(answer: Answer) -> str | None:
    return None if answer.stop is None else "length" if answer.stop is Stop.LENGTH else "stop"


def _envelope(turn: Turn) -> Json:
    return {
        "id": f"cmpl-{turn.digest}",
        "object": "text_completion",
        "created": openai.CREATED,
        "model": split_model(turn.model)[0],
    }


def _event(data: Json) -> bytes:
    return b"data: " + json.dumps(data, ensure_ascii=False, separators=(",", ":")).encode() + b"\n\n"
