"""The Plano configuration that the cases need: one entry per provider and model, all at the kit's provider."""

import json
from collections.abc import Iterable
from typing import Any

from tests.conformance.case import Case

KEY_VARIABLE = "CONFORMANCE_KEY"
KEY = "conformance-provider-key"
# Providers whose paths begin with what the user's account decides.
_BASE_PATHS = {"vertex": "/v1/projects/project/locations/global/publishers/google"}


def plano_config(cases: Iterable[Case], provider_port: int) -> dict[str, Any]:
    """A Plano configuration without listeners, as `planoctl` reads it."""
    base_url = f"http://127.0.0.1:{provider_port}"
    models = dict.fromkeys((case.provider, case.model) for case in cases)
    entries = [
        {
            "model": f"{provider}/{model}",
            "base_url": base_url + _BASE_PATHS.get(provider, ""),
            "access_key": f"${KEY_VARIABLE}",
        }
        for provider, model in models
    ]
    return {"model_providers": entries}


def as_yaml(config: dict[str, Any], gateway_port: int) -> str:
    """The configuration as a file; JSON values are YAML too."""
    lines = ["version: v0.4.0", "listeners:"]
    lines.append(f"  - {{type: model, name: conformance, address: 127.0.0.1, port: {gateway_port}}}")
    lines.append("model_providers:")
    for entry in config["model_providers"]:
        lines.extend(
            f"  {'- ' if index == 0 else '  '}{name}: {json.dumps(value)}"
            for index, (name, value) in enumerate(entry.items())
        )
    return "\n".join(lines)
