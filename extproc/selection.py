"""Which candidate serves a request: a pure function of configuration, body and hint."""

from typing import Any

from extproc.errors import ModelNotFound, NoModelSpecified
from hermesllm.errors import InvalidRequest
from planoctl.config.headers import PROVIDER_HINT
from planoctl.config.registry import Candidate, ModelRegistry

_DEFAULT_HINT = "default"
_LONGEST_NAME = 512


def select_candidate(registry: ModelRegistry, model: Any, hint: str | None) -> Candidate:
    """The candidate for a body's `model` and the hint header.

    A model that is configured wins. A hint that names the provider of an unqualified model settles whose it is; a
    hint alone, or beside a model nobody serves, is looked up itself. Without both the default provider serves.
    Raises ModelNotFound and NoModelSpecified.
    """
    if model is not None and not isinstance(model, str):
        raise InvalidRequest("`model` must be a string", param="model")
    name = (model or "").strip()
    if len(name) > _LONGEST_NAME or not name.isprintable():
        raise InvalidRequest(
            f"`model` must be at most {_LONGEST_NAME} printable characters", param="model", remedy="Name a model."
        )
    if name:
        found = (registry.resolve(f"{hint}/{name}") if hint and "/" not in name else None) or registry.resolve(name)
        if found is not None:
            return found
    if hint:
        return _hinted(registry, hint)
    if name:
        raise ModelNotFound(name, _configured(registry))
    if registry.default is None:
        raise NoModelSpecified
    return registry.default


def _hinted(registry: ModelRegistry, hint: str) -> Candidate:
    if hint == _DEFAULT_HINT:
        if registry.default is None:
            raise NoModelSpecified
        return registry.default
    found = registry.resolve(hint)
    if found is None:
        raise ModelNotFound(hint, _configured(registry), param=PROVIDER_HINT)
    return found


def _configured(registry: ModelRegistry) -> list[str]:
    return [*registry.aliases(), *registry.names()]
