"""One request within its limits, from admission to the end. Made by the listener stage, never shared."""

from collections.abc import Awaitable, Mapping, Sequence

from extproc.exchange import Exchange
from extproc.limits.limits import Admission, Asked, Limits
from extproc.limits.rules import Rules
from extproc.limits.told import HEADER_PREFIXES
from hermesllm.usage import Usage

_ERROR_STATUS = 400


class Limiting:
    """`reservation`: what is held of quotas, as text; empty while nothing is."""

    def __init__(self, limits: Limits, rules: Rules, asked: Asked) -> None:
        self.reservation = ""
        self._limits = limits
        self._rules = rules
        self._asked = asked
        self._charged: Exchange | None = None
        self._headers: Mapping[str, str] = {}

    def admit(self, exchanges: Sequence[Exchange]) -> list[Exchange] | Awaitable[list[Exchange]]:
        """Those of the exchanges that have room, of which the first is charged. Raises as `Limits.admit`."""
        admission = self._limits.admit(self._rules, self._asked, [each.candidate for each in exchanges])
        self._asked.forget()
        if isinstance(admission, Admission):
            return self._admitted(exchanges, admission)
        return self._admitted_later(exchanges, admission)

    async def _admitted_later(self, exchanges: Sequence[Exchange], admission: Awaitable[Admission]) -> list[Exchange]:
        return self._admitted(exchanges, await admission)

    def _admitted(self, exchanges: Sequence[Exchange], admission: Admission) -> list[Exchange]:
        self.reservation, self._headers = admission.reservation, admission.headers
        usable = [exchanges[index] for index in admission.usable]
        self._charged = usable[0]
        return usable

    def answered(
        self,
        served: Exchange,
        status: int,
        headers: Mapping[str, str],
        changes: dict[str, str],
        removed: list[str],
        metadata: dict[str, str] | None,
    ) -> dict[str, str] | None:
        """Add to the header changes what the client is told of its limits; the metadata, truer."""
        if self._headers:
            removed.extend(name for name in headers if name.startswith(HEADER_PREFIXES) and name not in self._headers)
            changes.update(self._headers)
        if status >= _ERROR_STATUS:
            self.settle(status)
        elif self.reservation and self._charged is not None and served is not self._charged:
            charged = self._charged.candidate
            self.reservation = self._limits.move(self.reservation, self._rules, self._asked, charged, served.candidate)
            return {**(metadata or {}), "reservation": self.reservation}
        return metadata

    def settle(self, status: int, usage: Usage | None = None) -> None:
        """The request is over."""
        if self.reservation:
            self._limits.settle(self.reservation, usage, status)
