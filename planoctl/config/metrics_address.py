"""Where metrics are served: METRICS_BIND_ADDRESS, `host:port`."""

import logging
import re
from collections.abc import Mapping
from dataclasses import dataclass

log = logging.getLogger(__name__)

VARIABLE = "METRICS_BIND_ADDRESS"
_LAST_PORT = 65535
_FORM = re.compile(r"(?P<host>\[[0-9A-Fa-f:.]+\]|[^\s:/\[\]]+):(?P<port>[0-9]{1,5})")


@dataclass(frozen=True, slots=True)
class MetricsAddress:
    """`host` without brackets."""

    host: str
    port: int

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"

    @classmethod
    def parse(cls, text: str) -> "MetricsAddress":
        """Of `host:port`, an IPv6 host in brackets. Raises ValueError."""
        match = _FORM.fullmatch(text.strip())
        if match is None or not 0 < int(match["port"]) <= _LAST_PORT:
            raise ValueError(f"{text[:100]!r} is not host:port")
        return cls(match["host"].strip("[]"), int(match["port"]))


def metrics_address(environment: Mapping[str, str], usual: MetricsAddress) -> MetricsAddress:
    """What the variable says, or `usual`; a value that is no address is logged."""
    text = environment.get(VARIABLE)
    if not text:
        return usual
    try:
        return MetricsAddress.parse(text)
    except ValueError as error:
        log.warning("%s is passed over, metrics are at %s: %s", VARIABLE, usual, error)
        return usual
