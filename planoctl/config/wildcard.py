"""Wildcard models: `openai/*` stands for every model whose name starts with `openai/`."""

from collections.abc import Iterable


def is_wildcard(model: str) -> bool:
    """Whether the last segment of a `provider/model` text is `*`."""
    return "/" in model and model.rpartition("/")[2].strip() == "*"


def wildcard_prefix(name: str) -> str:
    """What a requested name must start with, from the name of a wildcard provider."""
    return name.removesuffix("/*").removesuffix("*")


def covered(name: str, prefixes: Iterable[str]) -> bool:
    """Whether a requested `provider/model` falls under one of the prefixes."""
    return any(name.startswith(f"{prefix}/") for prefix in prefixes)
