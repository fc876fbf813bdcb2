"""What a change of the configuration means for a gateway that runs."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import msgspec

from planoctl.config.runtime import Listener, RuntimeConfig

EffectKind = Literal["live", "address", "closed", "reopened", "restart"]


@dataclass(frozen=True, slots=True)
class Effect:
    """`subject`: a listener with its address, or a section of the configuration; empty for `live`.

    `live`: taken up without dropping a request. `address`: a listener that opens. `closed`: one that is no more.
    `reopened`: one whose address stays, under another name. `restart`: not taken up before a restart.
    """

    kind: EffectKind
    subject: str = ""


def effects(old: RuntimeConfig, new: RuntimeConfig, bootstrap: Callable[[RuntimeConfig], str]) -> list[Effect]:
    """The effects of `new`, or of other keys only, on a gateway that runs with `old`.

    `bootstrap` renders what Envoy reads once, when it starts.
    """
    return [*_listener_effects(old, new), *_restarts(old, new, bootstrap), Effect("live")]


def _listener_effects(old: RuntimeConfig, new: RuntimeConfig) -> list[Effect]:
    before, after = ({_address(each): each for each in config.listeners} for config in (old, new))
    opened = [Effect("address", _described(each)) for address, each in after.items() if address not in before]
    closed = [Effect("closed", _described(each)) for address, each in before.items() if address not in after]
    again = [
        Effect("reopened", _described(each))
        for address, each in after.items()
        if address in before and before[address].name != each.name
    ]
    return [*opened, *closed, *again]


def _address(listener: Listener) -> tuple[str, int]:
    return (listener.address, listener.port)


def _described(listener: Listener) -> str:
    host = f"[{listener.address}]" if ":" in listener.address else listener.address
    return f"{host}:{listener.port} ({listener.name})"


def _restarts(old: RuntimeConfig, new: RuntimeConfig, bootstrap: Callable[[RuntimeConfig], str]) -> list[Effect]:
    """The sections that Envoy's bootstrap depends on."""
    rendered = bootstrap(old)
    if rendered == bootstrap(new):
        return []
    sections = [field.name for field in msgspec.structs.fields(RuntimeConfig)]
    causes = [
        section
        for section in sections
        if getattr(old, section) != getattr(new, section)
        and bootstrap(msgspec.structs.replace(old, **{section: getattr(new, section)})) != rendered
    ]
    return [Effect("restart", cause) for cause in causes or ["the combination of changes"]]
