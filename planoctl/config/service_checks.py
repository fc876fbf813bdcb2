"""Are endpoints, agents and filters named without clashes, and do prompt targets find theirs?"""

import re
from typing import Any

from hermesllm.providers import find_provider
from planoctl.config.clusters import RESERVED_CLUSTERS
from planoctl.config.findings import DocumentPath, Report, shorten

Document = dict[str, Any]

# Parameter types of prompt targets; others count as text.
PARAMETER_TYPES = frozenset(
    {"int", "integer", "float", "bool", "boolean", "str", "string", "list", "array", "dict", "dictionary"}
)
_PLACEHOLDER = re.compile(r"\{([^{}]+)\}")


def check_services(document: Document, report: Report) -> None:
    """Check cluster names, prompt targets, and the endpoint of the agent orchestrator."""
    _check_cluster_names(document, report)
    _check_prompt_targets(document, report)
    _check_orchestrator(document, report)


def _check_cluster_names(document: Document, report: Report) -> None:
    """An endpoint, agent or filter is a cluster of that name, and Envoy takes a name once."""
    providers = {_cluster_of(provider): provider["name"] for provider in document["model_providers"]}
    for name in document.get("endpoints", {}):
        owner = f"the provider of {shorten(providers[name])}" if name in providers else "the gateway itself"
        if name in providers or name in RESERVED_CLUSTERS:
            report.error("name-clash", f"The name '{shorten(name)}' is taken by {owner}", _place(document, name),
                         "choose another name")  # fmt: skip


def _cluster_of(provider: Document) -> str:
    if cluster := provider.get("cluster_name"):
        return str(cluster)
    known = find_provider(provider["provider_interface"])
    return known.id if known else ""


def _place(document: Document, name: str) -> DocumentPath:
    """Where the owner of a service name is declared."""
    for section in ("agents", "filters"):
        for index, service in enumerate(document.get(section, [])):
            if service["id"] == name:
                return (section, index, "id")
    return ("endpoints", name)


def _check_prompt_targets(document: Document, report: Report) -> None:
    known = document.get("endpoints", {})
    seen: set[str] = set()
    defaults = 0
    for index, target in enumerate(document.get("prompt_targets", [])):
        path = ("prompt_targets", index)
        if target["name"] in seen:
            report.warning("duplicate-prompt-target", f"Prompt target '{shorten(target['name'])}' is given twice",
                           (*path, "name"), "rename one of them")  # fmt: skip
        seen.add(target["name"])
        defaults += bool(target.get("default"))
        if target.get("default") and defaults > 1:
            report.warning("two-default-targets", "More than one prompt target is the default", (*path, "default"),
                           "keep one default: true")  # fmt: skip
        endpoint = target.get("endpoint")
        if endpoint and endpoint["name"] not in known and report.intact("endpoints", "agents", "filters"):
            report.error(
                "unknown-endpoint",
                f"Unknown endpoint {shorten(endpoint['name'])}, please add it in endpoints section in your "
                "plano_config.yaml file",
                (*path, "endpoint", "name"),
                f"declared are: {', '.join(map(shorten, sorted(known))) or 'none'}",
            )
        _check_parameters(target, path, report)


def _check_parameters(target: Document, path: DocumentPath, report: Report) -> None:
    parameters = target.get("parameters", [])
    for at, parameter in enumerate(parameters):
        if parameter["type"] not in PARAMETER_TYPES:
            report.warning("unknown-parameter-type", f"Parameter type '{shorten(parameter['type'])}' counts as string",
                           (*path, "parameters", at, "type"),
                           f"write one of {', '.join(sorted(PARAMETER_TYPES))}")  # fmt: skip
    names = {parameter["name"] for parameter in parameters}
    for name in _PLACEHOLDER.findall(target.get("endpoint", {}).get("path", "")):
        if name not in names:
            report.warning("unknown-placeholder", f"The path names {{{shorten(name)}}}, which is not a parameter",
                           (*path, "endpoint", "path"), "declare the parameter")  # fmt: skip


def _check_orchestrator(document: Document, report: Report) -> None:
    if not document.get("overrides", {}).get("use_agent_orchestrator"):
        return
    endpoints = document.get("endpoints", {})
    if len(endpoints) == 1 or not report.intact("endpoints", "agents", "filters"):
        return
    kind = "single agent orchestrator" if endpoints else "agent orchestrator"
    report.error(
        "orchestrator-endpoint",
        f"Please provide {kind} in the endpoints section in your plano_config.yaml file",
        ("overrides", "use_agent_orchestrator"),
        "declare exactly one endpoint, agent or filter",
    )
