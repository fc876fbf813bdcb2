"""Google's own SDK types as a judge of request bodies: unknown members and wrong types raise."""

import itertools
from typing import Any

from google.genai import types

_READERS: dict[str, Any] = {
    "contents": lambda value: [types.Content.model_validate(each) for each in value],
    "systemInstruction": types.Content.model_validate,
    "tools": lambda value: [types.Tool.model_validate(each) for each in value],
    "toolConfig": types.ToolConfig.model_validate,
    "generationConfig": types.GenerationConfig.model_validate,
    "safetySettings": lambda value: [types.SafetySetting.model_validate(each) for each in value],
    "serviceTier": types.ServiceTier,
    "cachedContent": str,
    "labels": dict,
}


def check_request(request: dict[str, Any]) -> dict[str, Any]:
    for name, value in request.items():
        _READERS[name](value)
    for content in request["contents"]:
        assert content["role"] in ("user", "model")
        assert content["parts"]
    roles = [content["role"] for content in request["contents"]]
    assert all(role != following for role, following in itertools.pairwise(roles))
    return request
