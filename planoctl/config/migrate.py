"""Brings older forms of the document to today's: renamed keys, inline routing preferences, the mapping of listeners."""

from typing import Any

from planoctl.config.findings import DocumentPath, Report, shorten
from planoctl.config.wildcard import is_wildcard

CURRENT_VERSION = "v0.4.0"
_LIFTED_BELOW = (0, 4, 0)
_LISTENER_TIMEOUT = "300s"

Document = dict[str, Any]


def migrate(document: Document, report: Report) -> Document:
    """The document in its present form; `document` has the right types throughout and is not changed."""
    document = _rename_providers(document, report)
    document = _rename_filter_chains(document, report)
    document = _lift_routing_preferences(document, report)
    return _list_listeners(document, report)


def parse_version(text: str) -> tuple[int, int, int]:
    """`v0.4.0` as (0, 4, 0); what is no number counts as 0."""
    bare = text.strip().lstrip("vV").partition("-")[0]
    numbers = [int(part) if part.isascii() and part.isdigit() and len(part) < 9 else 0 for part in bare.split(".")[:3]]
    major, minor, patch = (*numbers, 0, 0, 0)[:3]
    return major, minor, patch


def default_model_listener() -> Document:
    return {
        "name": "egress_traffic", "type": "model", "port": 12000, "address": "0.0.0.0",  # noqa: S104 — public by design
        "timeout": _LISTENER_TIMEOUT,
    }  # fmt: skip


def _default_prompt_listener() -> Document:
    return {
        "name": "ingress_traffic", "type": "prompt", "port": 10000, "address": "0.0.0.0",  # noqa: S104 — public by design
        "timeout": _LISTENER_TIMEOUT,
    }  # fmt: skip


def _rename_providers(document: Document, report: Report) -> Document:
    if "llm_providers" not in document:
        return document
    rest = {key: value for key, value in document.items() if key != "llm_providers"}
    if "model_providers" in document:
        report.error(
            "both-provider-keys",
            "Please provide either llm_providers or model_providers, not both. llm_providers is deprecated, please use "
            "model_providers instead",
            ("llm_providers",),
            "move the entries into model_providers and remove llm_providers",
        )
        return rest
    report.warning("deprecated-key", "llm_providers is deprecated", ("llm_providers",), "rename it to model_providers")
    report.moved({("model_providers",): ("llm_providers",)})
    return {**rest, "model_providers": document["llm_providers"]}


def _rename_filter_chains(document: Document, report: Report) -> Document:
    listeners = document.get("listeners")
    if not isinstance(listeners, list):
        return document
    moves: dict[DocumentPath, DocumentPath] = {}

    def renamed(owner: Document, path: DocumentPath) -> Document:
        if "filter_chain" not in owner:
            return owner
        old, new = (*path, "filter_chain"), (*path, "input_filters")
        if "input_filters" in owner:
            message = "filter_chain is the old name of input_filters, and both are given"
            report.error("both-filter-keys", message, old, "keep input_filters only")
        else:
            report.warning("deprecated-key", "filter_chain is deprecated", old, "rename it to input_filters")
            moves[new] = old
        return {"input_filters": owner["filter_chain"]} | {k: v for k, v in owner.items() if k != "filter_chain"}

    result = []
    for index, listener in enumerate(listeners):
        path = ("listeners", index)
        listener = renamed(listener, path)
        if "agents" in listener:
            agents = [renamed(agent, (*path, "agents", at)) for at, agent in enumerate(listener["agents"])]
            listener = {**listener, "agents": agents}
        result.append(listener)
    if moves:
        report.moved(moves)
    return {**document, "listeners": result}


def _lift_routing_preferences(document: Document, report: Report) -> Document:
    providers: list[Document] = document.get("model_providers", [])
    if parse_version(document.get("version", CURRENT_VERSION)) >= _LIFTED_BELOW:
        for index, provider in enumerate(providers):
            if provider.get("routing_preferences"):
                report.warning(
                    "ignored-routing-preferences",
                    f"routing_preferences under model {shorten(provider['model'])} are ignored since v0.4.0",
                    ("model_providers", index, "routing_preferences"),
                    "move them to the top-level routing_preferences, with a list of models",
                )
        return document
    document = {**document, "version": CURRENT_VERSION}
    lifted, moves = _collect_preferences(providers, report)
    if not lifted:
        return document
    document["model_providers"] = [
        {key: value for key, value in provider.items() if key != "routing_preferences"} for provider in providers
    ]
    existing: list[Document] = document.get("routing_preferences", [])
    taken = {preference["name"] for preference in existing}
    merged = list(existing)
    origins: dict[DocumentPath, DocumentPath] = {}
    for name, preference in lifted.items():
        if name in taken:
            report.warning(
                "shadowed-routing-preference",
                f"The top-level routing preference '{shorten(name)}' wins over the one under "
                f"{', '.join(shorten(model) for model in preference['models'])}",
                moves[name],
                "add the model to the top-level entry, or remove the inline one",
            )
        else:
            origins["routing_preferences", len(merged)] = moves[name]
            merged.append(preference)
    report.warning(
        "migrated-routing-preferences",
        "routing_preferences under model_providers are deprecated; they were moved to the top level",
        next(iter(moves.values())),
        f"write them as top-level routing_preferences and set version: {CURRENT_VERSION}",
    )
    report.moved(origins)
    return {**document, "routing_preferences": merged}


def _collect_preferences(
    providers: list[Document], report: Report
) -> tuple[dict[str, Document], dict[str, DocumentPath]]:
    """Inline preferences by name, each with the models that carry it, and where each name was first seen."""
    lifted: dict[str, Document] = {}
    places: dict[str, DocumentPath] = {}
    for index, provider in enumerate(providers):
        model, inline = provider["model"], provider.get("routing_preferences")
        if not (inline and model):
            continue
        path = ("model_providers", index, "routing_preferences")
        if is_wildcard(model):
            report.error(
                "wildcard-routing-preferences",
                f"Model {shorten(model)} has routing_preferences but uses wildcard (*). Models with routing "
                "preferences cannot be wildcards.",
                path,
                "declare the model by its full name",
            )
            continue
        for at, preference in enumerate(inline):
            if name := preference.get("name"):
                _merge_preference(lifted, places, name, preference.get("description", ""), model, (*path, at), report)
    return lifted, places


def _merge_preference(
    lifted: dict[str, Document], places: dict[str, DocumentPath], name: str, description: str, model: str,
    path: DocumentPath, report: Report,
) -> None:  # fmt: skip
    entry = lifted.get(name)
    if entry is None:
        lifted[name] = {"name": name, "description": description, "models": [model]}
        places[name] = path
        return
    if model not in entry["models"]:
        entry["models"].append(model)
    if description and description != entry["description"]:
        message = f"Routing preference '{shorten(name)}' has two descriptions; the first one counts"
        report.warning("conflicting-description", message, path, "use one description")


def _list_listeners(document: Document, report: Report) -> Document:
    legacy = document.get("listeners")
    if not isinstance(legacy, dict):
        return document
    if not document.get("model_providers") and report.intact("model_providers", "llm_providers"):
        report.error(
            "no-model-providers",
            "model_providers cannot be empty when using legacy format",
            ("listeners",),
            "add at least one entry to model_providers",
        )
    report.warning("deprecated-listeners", "listeners as a mapping is deprecated", ("listeners",),
                   "write a list with entries of type model, prompt or agent")  # fmt: skip
    listeners = [default_model_listener() | _address_of(legacy.get("egress_traffic"))]
    moves: dict[DocumentPath, DocumentPath] = {("listeners", 0): ("listeners", "egress_traffic")}
    if legacy.get("ingress_traffic"):
        listeners.append(_default_prompt_listener() | _address_of(legacy["ingress_traffic"]))
        moves["listeners", 1] = ("listeners", "ingress_traffic")
    report.moved(moves)
    return {**document, "listeners": listeners}


def _address_of(legacy: Document | None) -> Document:
    return {key: value for key, value in (legacy or {}).items() if key != "message_format"}
