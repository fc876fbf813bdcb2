"""The model list, in the shapes of OpenAI's and Anthropic's APIs."""

from collections.abc import Mapping
from typing import Any

from planoctl.config.registry import Candidate, ModelRegistry

_EPOCH = "1970-01-01T00:00:00Z"  # the catalogue does not know when a model came out
_PAGE = 20
_LARGEST_PAGE = 1000


def openai_models(registry: ModelRegistry) -> dict[str, Any]:
    return {"object": "list", "data": [openai_model(name, candidate) for name, candidate in registry]}


def openai_model(name: str, candidate: Candidate) -> dict[str, Any]:
    return {"id": name, "object": "model", "created": 0, "owned_by": candidate.provider.display}


def anthropic_models(registry: ModelRegistry, query: Mapping[str, str]) -> dict[str, Any]:
    """One page of the list; `limit`, `after_id` and `before_id` work as in Anthropic's API."""
    data = [anthropic_model(name, candidate) for name, candidate in registry]
    names = [model["id"] for model in data]
    limit = _limit(query.get("limit"))
    before = query.get("before_id")
    if before in names:
        end = names.index(before)
        start = max(0, end - limit)
        more = start > 0
    else:
        after = query.get("after_id")
        start = names.index(after) + 1 if after in names else 0
        end = start + limit
        more = end < len(data)
    page = data[start:end]
    return {
        "data": page,
        "has_more": more,
        "first_id": page[0]["id"] if page else None,
        "last_id": page[-1]["id"] if page else None,
    }


def anthropic_model(name: str, candidate: Candidate) -> dict[str, Any]:
    return {"type": "model", "id": name, "display_name": candidate.model, "created_at": _EPOCH}


def _limit(text: str | None) -> int:
    return min(max(int(text), 1), _LARGEST_PAGE) if text and text.isdecimal() else _PAGE
