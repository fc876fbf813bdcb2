"""`python -m tests.conformance`: the kit on the command line."""

import argparse
import asyncio
import json
import sys
import time
from pathlib import Path
from urllib.parse import urlsplit

from tests.conformance.case import CASES, BadCase, load_cases
from tests.conformance.plano_config import as_yaml, plano_config
from tests.conformance.report import as_json, faults, table
from tests.conformance.runner import Settings, run_cases

_EPILOG = "exit code: 0 all cases passed, 1 some failed, 2 the kit could not run"


def main(arguments: list[str] | None = None) -> int:
    options = _parser().parse_args(arguments)
    try:
        cases = load_cases(options.cases, options.only)
    except BadCase as fault:
        print(fault, file=sys.stderr)
        return 2
    if not cases:
        print(f"no case matches {options.only!r}", file=sys.stderr)
        return 2
    if options.list:
        for case in cases:
            print(f"{case.name:60} {case.title}")
        return 0
    if options.config:
        print(as_yaml(plano_config(cases, options.provider_port), urlsplit(options.gateway_url).port or 80))
        return 0
    settings = Settings(
        gateway_url=options.gateway_url,
        provider_port=options.provider_port,
        provider_host=options.provider_host,
        model_prefix=options.model_prefix,
        concurrency=options.concurrency,
        serial=options.serial,
        timeout_seconds=options.timeout,
    )
    begun = time.monotonic()
    try:
        results = asyncio.run(run_cases(cases, settings))
    except OSError as fault:
        print(f"cannot listen on {settings.provider_host}:{settings.provider_port}: {fault}", file=sys.stderr)
        return 2
    for line in faults(results):
        print(line)
    print(table(results))
    print(f"{time.monotonic() - begun:.1f} s")
    if options.json:
        options.json.write_text(json.dumps(as_json(results), indent=2) + "\n")
    return 0 if all(result.passed for result in results) else 1


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser("python -m tests.conformance", description=__doc__, epilog=_EPILOG)
    parser.add_argument("--gateway-url", default="http://127.0.0.1:12000", help="default: %(default)s")
    parser.add_argument("--provider-port", type=int, default=12900, help="port of the fake provider (%(default)s)")
    parser.add_argument("--provider-host", default="127.0.0.1", help="its address (%(default)s)")
    parser.add_argument("--only", default="", help="cases whose pair/name contains or matches this: 'chat-*/tool*'")
    parser.add_argument("--list", action="store_true", help="list the cases and stop")
    parser.add_argument("--config", action="store_true", help="print a Plano configuration for the cases and stop")
    parser.add_argument("--model-prefix", default="", help="put in front of the model of every request")
    parser.add_argument("--serial", action="store_true", help="one request at a time: the gateway drops our header")
    parser.add_argument("--concurrency", type=int, default=16, help="requests at a time (%(default)s)")
    parser.add_argument("--timeout", type=float, default=20, help="seconds for one request (%(default)s)")
    parser.add_argument("--json", type=Path, help="write the results to this file as well")
    parser.add_argument("--cases", type=Path, default=CASES, help="folder of the cases")
    return parser


if __name__ == "__main__":
    raise SystemExit(main())
