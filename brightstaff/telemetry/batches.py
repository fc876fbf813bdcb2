"""Which of the sidecar's batches have been taken: a worker that gets no answer in time sends its batch again."""

_MOST_PROCESSES = 256


class Batches:
    """Knows the last number of each process, of those that sent last."""

    def __init__(self) -> None:
        self._numbers: dict[int, int] = {}

    def is_new(self, process: int, number: int) -> bool:
        """Whether a batch has not been asked for before; one without a number (0) is new."""
        last = self._numbers.pop(process, 0)
        self._numbers[process] = max(last, number)
        if len(self._numbers) > _MOST_PROCESSES:
            del self._numbers[next(iter(self._numbers))]
        return not number or number > last
