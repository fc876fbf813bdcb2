"""Normalises `model_providers`: splits models, resolves interfaces and addresses, and adds the internal entries."""

import difflib
import re
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from hermesllm.formats import Format
from hermesllm.providers import PROVIDERS, Provider, find_provider
from planoctl.config.addresses import BaseUrl, is_dot_segment, parse_base_url
from planoctl.config.clusters import UpstreamIdentity, cluster_names, is_signed
from planoctl.config.findings import DocumentPath, Report, shorten
from planoctl.config.provider_checks import check_headers
from planoctl.config.wildcard import is_wildcard, wildcard_prefix

Entry = dict[str, Any]

# Providers whose interface follows from their name, and which therefore take no provider_interface. Names that joined
# the registry later accept one: configurations used them as made-up names before.
FIXED_INTERFACES = (
    "deepseek", "groq", "mistral", "openai", "xiaomi", "gemini", "anthropic", "together_ai", "xai", "moonshotai",
    "zhipu", "chatgpt", "digitalocean", "vercel", "openrouter", "azure_openai", "ollama", "qwen", "amazon_bedrock",
    "plano",
)  # fmt: skip

ORCHESTRATOR_PROVIDER = "plano-orchestrator"
AGENT_ORCHESTRATOR_PROVIDER = "plano/orchestrator"
FUNCTION_PROVIDER = "arch-function"
DEFAULT_ORCHESTRATOR_MODEL = "Plano-Orchestrator"
FUNCTION_MODEL = "Arch-Function"

_CHATGPT_BASE_URL = "https://chatgpt.com/backend-api/codex"
_CHATGPT_HEADERS = {
    "originator": "codex_cli_rs",
    "user-agent": "codex_cli_rs/0.0.0 (Unknown 0; unknown) unknown",
}
_KIMI_HOST = "api.kimi.com"
_KIMI_MODEL = "kimi-for-coding"
_KIMI_USER_AGENT = "KimiCLI/1.3"
_BASE_URL_REMEDY = "write http(s)://host[:port][/prefix]"


@dataclass
class _Seen:
    """What earlier entries have claimed."""

    names: dict[str, DocumentPath] = field(default_factory=dict)
    models: dict[str, DocumentPath] = field(default_factory=dict)
    ids: dict[str, str] = field(default_factory=dict)
    prefixes: dict[str, DocumentPath] = field(default_factory=dict)


def normalise_providers(entries: list[Entry], environment: Mapping[str, str], report: Report) -> list[Entry]:
    """The entries with model, interface and address resolved; entries with an error are left out."""
    seen = _Seen()
    result: list[Entry] = []
    origins: dict[DocumentPath, DocumentPath] = {}
    for index, entry in enumerate(entries):
        path = ("model_providers", index)
        if (normalised := _normalise(entry, path, seen, environment, report)) is None:
            report.damage("model_providers")
            continue
        origins["model_providers", len(result)] = path
        result.append(normalised)
    report.moved(origins)
    _check_defaults(result, report)
    return _named_clusters(result)


def internal_providers(providers: list[Entry], overrides: Mapping[str, Any], *, preferences: bool) -> list[Entry]:
    """The entries for the gateway's own models that the user has not declared."""
    models = {provider["model"] for provider in providers}
    names = {provider["name"] for provider in providers}
    routing = orchestrator_model(overrides, "llm_routing_model")
    agents = orchestrator_model(overrides, "agent_orchestration_model")
    wanted = [
        (ORCHESTRATOR_PROVIDER, routing, preferences and routing not in models),
        (FUNCTION_PROVIDER, FUNCTION_MODEL, True),
        (AGENT_ORCHESTRATOR_PROVIDER, agents, agents not in models),
    ]
    return [
        {"name": name, "provider_interface": "plano", "model": model, "internal": True}
        for name, model, needed in wanted
        if needed and name not in names
    ]


def orchestrator_model(overrides: Mapping[str, Any], key: str) -> str:
    """The model id of an override; a provider in front of it does not count."""
    text: str = overrides.get(key) or DEFAULT_ORCHESTRATOR_MODEL
    return text.partition("/")[2] or text


def _normalise(
    entry: Entry, path: DocumentPath, seen: _Seen, environment: Mapping[str, str], report: Report
) -> Entry | None:
    model: str = entry["model"]
    wildcard = is_wildcard(model)
    check_headers(entry, path, report)
    unique = _claim_names(entry, path, seen, report)
    written, slash, model_id = model.partition("/")
    written = written.strip()
    if not slash or not written or not model_id.strip():
        report.error(
            "invalid-model-name",
            f"Invalid model name {shorten(model)}. Please provide model name in the format <provider>/<model_id> or "
            "<provider>/* for wildcards.",
            (*path, "model"),
            _model_name_remedy(model),
        )
        return None
    if is_dot_segment(model_id):
        report.error("invalid-model-name", f"{shorten(model)} names no model: {model_id.strip()} is a step in a path",
                     (*path, "model"), f"write {written}/<model_id>")  # fmt: skip
        return None
    if wildcard and entry.get("default"):
        report.error(
            "default-wildcard",
            f"Model {shorten(model)} is configured as default but uses wildcard (*). Default models cannot be "
            "wildcards.",
            (*path, "default"),
            "set default: true on an entry that names one model",
        )
    provider = _interface(entry, written, path, report)
    if provider is None:
        return None
    if not wildcard and unique:
        _claim_id(model, model_id, path, seen, report)
    _check_credential(entry, provider, path, report)
    result = {key: value for key, value in entry.items() if key != "name"}
    result |= {"name": entry.get("name") or model, "model": model_id, "provider_interface": provider.id}
    if provider.id == "chatgpt":
        _wire_chatgpt(result, environment)
    return _with_address(result, path, report)


def _claim_names(entry: Entry, path: DocumentPath, seen: _Seen, report: Report) -> bool:
    """Report names that are taken; whether the model is new."""
    model: str = entry["model"]
    name: str = entry.get("name") or model
    if is_wildcard(model):
        prefix = wildcard_prefix(name)
        if prefix in seen.prefixes:
            message = f"Duplicate model name {shorten(model)}, please provide unique name for each model_provider"
            report.error("duplicate-model-name", message, (*path, "model"),
                         f"remove this wildcard or {report.place(seen.prefixes[prefix])}, or name each")  # fmt: skip
        seen.prefixes.setdefault(prefix, path)
        seen.names.setdefault(name, path)
        return True
    unique = model not in seen.models
    if name in seen.names and (entry.get("name") or unique):
        message = f"Duplicate model_provider name {shorten(name)}, please provide unique name for each model_provider"
        report.error("duplicate-provider-name", message, (*path, "name"),
                     f"rename this entry or {report.place(seen.names[name])}")  # fmt: skip
    if not unique:
        message = f"Duplicate model name {shorten(model)}, please provide unique name for each model_provider"
        report.error("duplicate-model-name", message, (*path, "model"),
                     f"remove this entry or {report.place(seen.models[model])}")  # fmt: skip
    seen.models.setdefault(model, path)
    seen.names.setdefault(name, path)
    return unique


def _claim_id(model: str, model_id: str, path: DocumentPath, seen: _Seen, report: Report) -> None:
    first = seen.ids.setdefault(model_id, model)
    if first != model:
        report.warning(
            "duplicate-model-id",
            f"Duplicate model_id {shorten(model_id)}: the bare name means {shorten(first)}, the first one declared",
            (*path, "model"),
            f"use the full name {shorten(model)} wherever this one is meant",
        )


def _model_name_remedy(model: str) -> str:
    guesses = [provider.id for provider in PROVIDERS.values() if model.lower().startswith(provider.id.split("_")[0])]
    if model.startswith(("gpt-", "o1", "o3", "o4")):
        guesses = ["openai"]
    elif model.startswith("claude"):
        guesses = ["anthropic"]
    return f"did you mean {guesses[0]}/{shorten(model)}?" if guesses else f"write <provider>/{shorten(model)}"


def _instead(written: str, model: str, missing: list[str]) -> str:
    """The remedy for a provider that is not known."""
    close = difflib.get_close_matches(written[:100], _supported(), n=1)
    meant = f"did you mean {close[0]}{shorten(model.removeprefix(written))}? If not, " if close else ""
    return f"{meant}add {' and '.join(missing)}"


def _interface(entry: Entry, written: str, path: DocumentPath, report: Report) -> Provider | None:
    """The provider record to use, from the prefix of the model or from `provider_interface`."""
    model, given = entry["model"], entry.get("provider_interface")
    known = find_provider(written)
    chosen = find_provider(given) if given else None
    if written in FIXED_INTERFACES and given:
        report.error(
            "superfluous-interface",
            f"Please provide provider interface as part of model name {shorten(model)} using the format "
            f"<provider>/<model_id>. For example, use 'openai/gpt-3.5-turbo' instead of 'gpt-3.5-turbo'.",
            (*path, "provider_interface"),
            "remove provider_interface",
        )
        chosen = known
    provider = chosen or known
    if known is None and (chosen is None or not entry.get("base_url")):
        kind = "wildcard model" if is_wildcard(model) else "model"
        missing = [key for key in ("base_url", "provider_interface") if not entry.get(key)]
        report.error(
            "unsupported-provider",
            f"Must provide base_url and provider_interface for unsupported provider {shorten(written)} for {kind} "
            f"{shorten(model)}. Supported providers are: {', '.join(_supported())}.",
            path,
            _instead(written, model, missing),
        )
        return None
    if known is not None and chosen is not None and known.prefix == "" and chosen.speaks(Format.CHAT):
        provider = known  # e.g. Perplexity, declared as an OpenAI-like host: its paths carry no /v1
    if provider is not None and not entry.get("base_url") and (provider.base_url_required or not provider.host):
        report.error(
            "missing-base-url",
            f"Provider '{shorten(written)}' requires 'base_url' to be set for model {shorten(model)}",
            path,
            f"add base_url: {_EXAMPLE_URLS.get(provider.id, 'https://...')}",
        )
        return None
    return provider


_EXAMPLE_URLS = {
    "ollama": "http://localhost:11434",
    "azure_openai": "https://<resource>.openai.azure.com",
    "qwen": "https://dashscope-intl.aliyuncs.com",
    "amazon_bedrock": "https://bedrock-runtime.us-east-1.amazonaws.com",
}


def _supported() -> tuple[str, ...]:
    """Every provider id: first those with an address of their own, then those that need a base_url."""
    ids = [provider_id for provider_id in FIXED_INTERFACES if provider_id in PROVIDERS]
    ids += [provider_id for provider_id in PROVIDERS if provider_id not in ids]
    return tuple(sorted(ids, key=lambda provider_id: PROVIDERS[provider_id].base_url_required))


def _check_credential(entry: Entry, provider: Provider, path: DocumentPath, report: Report) -> None:
    key, passthrough = entry.get("access_key"), entry.get("passthrough_auth", False)
    model = shorten(entry["model"])
    if passthrough and key:
        report.warning(
            "ignored-access-key",
            f"Both passthrough_auth and access_key are set for {model}: access_key is ignored and the client's "
            "Authorization is forwarded",
            (*path, "passthrough_auth"),
            "remove one of the two",
        )
    optional = provider.key_optional or provider.signed or provider.id == "chatgpt" or entry.get("base_url")
    if not passthrough and not optional and not (key or "").strip():
        variable = provider.key_variable or f"{provider.id.upper()}_API_KEY"
        report.warning("no-credential", f"Model {model} has neither access_key nor passthrough_auth: its requests fail",
                       path, f"add access_key: ${variable}")  # fmt: skip


def _wire_chatgpt(entry: Entry, environment: Mapping[str, str]) -> None:
    """A ChatGPT subscription: the address and headers of its API, and the stored login if there is one."""
    entry.setdefault("base_url", _CHATGPT_BASE_URL)
    if not entry.get("access_key") and not entry.get("passthrough_auth"):
        if environment.get("CHATGPT_ACCESS_TOKEN", "").strip():
            entry["access_key"] = "$CHATGPT_ACCESS_TOKEN"
        else:
            entry["passthrough_auth"] = True
    defaults = {**_CHATGPT_HEADERS, "session_id": str(uuid.uuid4())}
    if environment.get("CHATGPT_ACCOUNT_ID", "").strip():
        defaults["ChatGPT-Account-Id"] = "$CHATGPT_ACCOUNT_ID"
    entry["headers"] = _with_default_headers(entry.get("headers", {}), defaults)


def _with_default_headers(headers: dict[str, str], defaults: Mapping[str, str]) -> dict[str, str]:
    given = {name.lower() for name in headers}
    return {name: value for name, value in defaults.items() if name.lower() not in given} | headers


def _with_address(entry: Entry, path: DocumentPath, report: Report) -> Entry | None:
    text: str | None = entry.get("base_url")
    if not text:
        return {key: value for key, value in entry.items() if key != "base_url"}
    try:
        url = parse_base_url(text)
    except ValueError as problem:
        message = f"Please provide a valid URL with scheme (http/https) in base_url: {problem}"
        report.error("invalid-base-url", message, (*path, "base_url"), _BASE_URL_REMEDY)
        return None
    if url.ignored:
        message = f"The {url.ignored} of base_url has no effect"
        report.warning("ignored-url-part", message, (*path, "base_url"), _BASE_URL_REMEDY)
    if url.host == _KIMI_HOST or entry["model"] == _KIMI_MODEL:
        entry, url = _as_kimi(entry, text, url)
    entry |= {"endpoint": url.host, "port": url.port, "protocol": url.scheme}
    if url.path:
        entry["base_url_path_prefix"] = url.path
    return entry


def _as_kimi(entry: Entry, text: str, url: BaseUrl) -> tuple[Entry, BaseUrl]:
    """Kimi's coding API lives below /coding/v1 and answers only to its own client."""
    headers = _with_default_headers(entry.get("headers", {}), {"User-Agent": _KIMI_USER_AGENT})
    entry = {**entry, "headers": headers}
    if url.path.rstrip("/").endswith("/coding"):
        text = f"{re.split('[?#]', text)[0].rstrip('/')}/v1"
        entry["base_url"], url = text, parse_base_url(text)
    return entry, url


def _check_defaults(providers: list[Entry], report: Report) -> None:
    defaults = [index for index, provider in enumerate(providers) if provider.get("default")]
    for index in defaults[1:]:
        report.error(
            "two-defaults",
            "There must be at most one default LLM Provider",
            ("model_providers", index, "default"),
            f"{shorten(providers[defaults[0]]['name'])} is the default already; remove one `default: true`",
        )


def _named_clusters(providers: list[Entry]) -> list[Entry]:
    identities = {
        index: UpstreamIdentity(
            entry["provider_interface"],
            entry["endpoint"],
            entry["protocol"],
            entry["port"],
            entry.get("http_host"),
            signed=is_signed(
                entry["provider_interface"], entry.get("access_key"), entry.get("passthrough_auth", False)
            ),
        )
        for index, entry in enumerate(providers)
        if "endpoint" in entry
    }
    names = cluster_names(identities.values())
    return [
        entry | {"cluster_name": names[identities[index]]} if index in identities else entry
        for index, entry in enumerate(providers)
    ]
