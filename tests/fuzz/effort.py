"""How hard to try: a moment in `make test`, long in `make fuzz`."""

import os

from hypothesis import HealthCheck, settings

EFFORT = float(os.environ.get("FUZZ_EFFORT", "1"))


def examples(number: int) -> settings:
    """Settings for `number` examples, times `FUZZ_EFFORT`."""
    return settings(max_examples=max(1, int(number * EFFORT)), deadline=None, suppress_health_check=list(HealthCheck))
