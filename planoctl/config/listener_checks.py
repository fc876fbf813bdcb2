"""Can the listeners open their ports, and is what they name declared?"""

import ipaddress
from typing import Any

from planoctl.config.deployment import InternalPorts
from planoctl.config.findings import DocumentPath, Report, shorten

Document = dict[str, Any]

_ANY_ADDRESS = "0.0.0.0"  # noqa: S104 — compared with, not bound


def check_listeners(document: Document, report: Report) -> None:
    """Check ports, addresses and names of listeners, and the agents and filters they refer to."""
    listeners: list[Document] = document["listeners"]
    _check_ports(listeners, report)
    _check_names(listeners, report)
    _check_prompt_listeners(document, report)
    for index, listener in enumerate(listeners):
        path = ("listeners", index)
        _check_address(listener, path, report)
        if report.intact("agents", "filters"):
            _check_filters(listener, _ids(document), path, report)
        _check_agents(listener, document, path, report)


def _ids(document: Document) -> set[str]:
    return {service["id"] for section in ("agents", "filters") for service in document.get(section, [])}


def _check_ports(listeners: list[Document], report: Report) -> None:
    """Envoy does not start with two listeners on one address."""
    usual = InternalPorts()
    internal = {
        usual.brightstaff: ("brightstaff", "PLANO_BRIGHTSTAFF_PORT"),
        usual.admin: ("Envoy's admin interface", "PLANO_ADMIN_PORT"),
        usual.metrics: ("metrics", "PLANO_METRICS_PORT"),
    }
    taken: dict[int, list[Document]] = {}
    for index, listener in enumerate(listeners):
        path, port = ("listeners", index, "port"), listener["port"]
        if port in internal:
            service, variable = internal[port]
            message = f"Port {port} of listener '{shorten(listener['name'])}' is the usual port of {service}"
            report.warning("port-clash", message, path, f"choose another port, or set {variable}")
        for other in taken.get(port, []) if port else []:
            mine, theirs = (each.get("address", _ANY_ADDRESS) for each in (listener, other))
            if mine == theirs or _ANY_ADDRESS in (mine, theirs):
                message = f"Listeners '{shorten(other['name'])}' and '{shorten(listener['name'])}' both use port {port}"
                report.error("port-clash", message, path, _port_remedy(other, listener))
        taken.setdefault(port, []).append(listener)


def _port_remedy(*listeners: Document) -> str:
    if any(listener["name"] == "egress_traffic" and listener["type"] == "model" for listener in listeners):
        return "choose another port, or declare a listener of type model with another port"
    return "choose another port"


def _check_names(listeners: list[Document], report: Report) -> None:
    seen: set[str] = set()
    for index, listener in enumerate(listeners):
        name = listener["name"].replace(" ", "_")
        if name in seen:
            message = f"Duplicate listener name '{shorten(listener['name'])}'"
            report.error("duplicate-listener", message, ("listeners", index, "name"), "give each listener its own name")
        seen.add(name)


def _check_prompt_listeners(document: Document, report: Report) -> None:
    prompts = [index for index, listener in enumerate(document["listeners"]) if listener["type"] == "prompt"]
    for index in prompts[1:]:
        report.warning("two-prompt-listeners", "There is more than one listener of type prompt", ("listeners", index),
                       "keep one of them")  # fmt: skip
    if document.get("prompt_targets") and not prompts and report.intact("listeners"):
        report.warning("no-prompt-listener", "prompt_targets need a listener of type prompt", ("prompt_targets",),
                       "add {type: prompt, name: prompts, port: 10000} to listeners")  # fmt: skip


def _check_address(listener: Document, path: DocumentPath, report: Report) -> None:
    address = listener.get("address", _ANY_ADDRESS)
    try:
        ipaddress.ip_address("127.0.0.1" if address == "localhost" else address)
    except ValueError:
        report.error("invalid-address", f"'{shorten(address)}' is not an IP address", (*path, "address"),
                     "write 0.0.0.0, or 127.0.0.1 for this machine only")  # fmt: skip


def _check_filters(listener: Document, ids: set[str], path: DocumentPath, report: Report) -> None:
    for key in ("input_filters", "output_filters"):
        for at, filter_id in enumerate(listener.get(key, [])):
            if filter_id not in ids:
                report.error(
                    "unknown-filter",
                    f"Listener '{shorten(listener['name'])}' references {key} id '{shorten(filter_id)}' which is not "
                    f"defined in agents or filters. Available ids: {', '.join(map(shorten, sorted(ids)))}",
                    (*path, key, at),
                    "declare it in filters, or correct the id",
                )


def _check_agents(listener: Document, document: Document, path: DocumentPath, report: Report) -> None:
    agents: list[Document] = listener.get("agents", [])
    if listener["type"] != "agent":
        return
    if not agents:
        report.warning("no-agents", f"Agent listener '{shorten(listener['name'])}' has no agents, so it is not opened",
                       path, "add an entry to its agents")  # fmt: skip
        return
    defaults = [at for at, agent in enumerate(agents) if agent.get("default")]
    for at in defaults[1:]:
        report.warning("two-default-agents", "More than one agent is the default; the first one counts",
                       (*path, "agents", at, "default"), "keep one default: true")  # fmt: skip
    if len(agents) > 1 and not defaults:
        message = f"No agent of listener '{shorten(listener['name'])}' is the default; the first one is taken"
        report.warning("no-default-agent", message, (*path, "agents"), "set default: true on one agent")
    _check_agent_ids(agents, document, path, report)


def _check_agent_ids(agents: list[Document], document: Document, path: DocumentPath, report: Report) -> None:
    """Undeclared ids are only a warning: configurations that list planned agents have always been accepted."""
    declared, ids = {agent["id"] for agent in document.get("agents", [])}, _ids(document)
    for at, agent in enumerate(agents):
        if agent["id"] not in declared and report.intact("agents"):
            report.warning("undeclared-agent", f"Agent '{shorten(agent['id'])}' is not declared: requests to it fail",
                           (*path, "agents", at, "id"), "declare it in the top-level agents")  # fmt: skip
        for position, filter_id in enumerate(agent.get("input_filters", [])):
            if filter_id not in ids and report.intact("agents", "filters"):
                report.warning("undeclared-filter", f"Filter '{shorten(filter_id)}' is not declared: requests fail",
                               (*path, "agents", at, "input_filters", position),
                               "declare it in the top-level filters")  # fmt: skip
