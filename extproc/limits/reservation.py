"""What a request has reserved, as a text that travels with it in Envoy's metadata.

    3f…9a;i5e1c….60.29331.120,t77….86400.-.4000

An id, then of each quota of tokens: what it counts, bucket, window in seconds, the slot that was charged, amount.
Without a slot (`-`) the amount is an estimate that has not been charged.
"""

from collections.abc import Iterable
from dataclasses import dataclass

from extproc.limits.quota import Adjustment
from hermesllm.usage import Usage

_LETTERS = {"input": "i", "total": "t"}
_ERROR_STATUS = 400
_KINDS = {letter: kind for kind, letter in _LETTERS.items()}


@dataclass(frozen=True, slots=True)
class Held:
    """Tokens held in one bucket."""

    kind: str
    bucket: int
    window: int
    slot: int | None
    amount: int

    def corrected(self, usage: Usage | None) -> Adjustment:
        """What makes the charge that of the usage; None: nothing was used."""
        actual = 0
        if usage is not None:
            actual = max(1, usage.total if self.kind == "total" else usage.prompt)
        return Adjustment(self.bucket, self.window, self.slot, actual - (0 if self.slot is None else self.amount))

    def confirmed(self) -> Adjustment:
        """What makes the charge that of the estimate."""
        return Adjustment(self.bucket, self.window, self.slot, self.amount if self.slot is None else 0)


@dataclass(frozen=True, slots=True)
class Reservation:
    """`number`: 63 bits that no other reservation has."""

    number: int
    held: tuple[Held, ...]

    def __str__(self) -> str:
        return f"{self.number:x};{','.join(map(_written, self.held))}"

    @classmethod
    def parse(cls, text: str) -> "Reservation":
        """Raises ValueError for anything but a reservation's text."""
        number, _, held = text.partition(";")
        return cls(int(number, 16), tuple(map(_read, held.split(","))) if held else ())

    def settled(self, usage: Usage | None, status: int) -> tuple[Adjustment, ...]:
        """The corrections at the end of a request.

        Of a request that failed nothing stays. One that nobody waited for (status 0), or that was answered without a
        usage, keeps its estimate.
        """
        if status >= _ERROR_STATUS:
            changes: Iterable[Adjustment] = (held.corrected(None) for held in self.held)
        elif usage is not None and usage.total:
            changes = (held.corrected(usage) for held in self.held)
        else:
            changes = (held.confirmed() for held in self.held)
        return tuple(change for change in changes if change.delta)


def _written(held: Held) -> str:
    slot = "-" if held.slot is None else held.slot
    return f"{_LETTERS[held.kind]}{held.bucket:x}.{held.window}.{slot}.{held.amount}"


def _read(text: str) -> Held:
    bucket, window, slot, amount = text[1:].split(".")
    if text[0] not in _KINDS:
        raise ValueError(f"no reservation: {text[:50]!r}")
    return Held(_KINDS[text[0]], int(bucket, 16), int(window), None if slot == "-" else int(slot), int(amount))
