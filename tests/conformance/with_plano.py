"""`python -m tests.conformance.with_plano`: starts a Plano of this source tree, runs the kit against it, stops it."""

import sys
from pathlib import Path
from tempfile import TemporaryDirectory

from tests.conformance.__main__ import main as run_kit
from tests.conformance.case import BadCase, load_cases
from tests.conformance.plano_config import KEY, KEY_VARIABLE, plano_config
from tests.integration.gateway import free_port, running_gateway


def main(arguments: list[str]) -> int:
    """Takes the kit's own options; the gateway's URL and the provider's port are settled here."""
    port = free_port()
    try:
        config = plano_config(load_cases(), port)
    except BadCase as fault:
        print(fault, file=sys.stderr)
        return 2
    with (
        TemporaryDirectory(prefix="conformance-") as folder,
        running_gateway(Path(folder), config, {KEY_VARIABLE: KEY}, workers=2) as gateway,
    ):
        return run_kit(["--gateway-url", gateway.url, "--provider-port", str(port), *arguments])


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
