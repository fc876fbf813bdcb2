"""What `up` prints when the gateway runs."""

import ipaddress
import json
from typing import TYPE_CHECKING

from planoctl.cli.console import BRAND, say, success, warn
from planoctl.instance import Instance
from planoctl.traces import DEFAULT_PORT

if TYPE_CHECKING:
    from planoctl.cli.prepare import Prepared
    from planoctl.config.runtime import ModelProvider, RuntimeConfig

_MOST_MODELS = 8
_ANY_MODEL = "gpt-4o-mini"


def announce(prepared: "Prepared") -> None:
    """Say that it runs, where, with which models, and what to do next."""
    plan, suffix = prepared.plan, instance_option(prepared.instance)
    config = prepared.configuration.loaded.runtime
    success("Plano is running")
    for listener in plan.listeners:
        say(f"  {listener.type:<8} {listener.url}  ({listener.name})", style=BRAND)
    for name in _open_to_all(config):
        warn(f"{name} takes requests from the network and asks for no key: set its `auth`, or `address: 127.0.0.1`")
    say(f"  models   {_models(config)}")
    say(f"  config   {plan.config}")
    say(f"  logs     {plan.log_dir}")
    if (port := plan.request.tracing_port) is not None:
        say(f"  traces   planoctl trace{'' if port == DEFAULT_PORT else f' --port {port}'}")
    say()
    say(f"Next:  planoctl status{suffix}  ·  planoctl logs --follow{suffix}  ·  planoctl down{suffix}")
    url = next((listener.url for listener in plan.listeners if listener.type == "model"), None)
    if url is not None:
        model_listener = config.model_listener
        guarded = model_listener is not None and model_listener.auth is not None
        say(f"       {_curl(url, example_model(config), guarded=guarded)}")


def _open_to_all(config: "RuntimeConfig") -> list[str]:
    """Listeners that others on the network reach, without a credential and at the owner's cost."""
    paid = any(provider.access_key for provider in config.model_providers)
    unguarded = [listener for listener in config.listeners if listener.auth is None and not _is_local(listener.address)]
    mutual = [each for each in unguarded if each.tls is not None and each.tls.client_ca is not None]
    return [each.name for each in unguarded if each not in mutual] if paid else []


def _is_local(address: str) -> bool:
    try:
        return ipaddress.ip_address(address).is_loopback
    except ValueError:
        return False


def instance_option(instance: Instance) -> str:
    """What to add to a command so that it means this instance."""
    return "" if instance.is_default else f" --instance {instance.name}"


def example_model(config: "RuntimeConfig") -> str:
    """A model that a first request can ask for: the default one, or the first that is no wildcard."""
    models = [provider for provider in config.model_providers if not provider.internal and not provider.wildcard]
    chosen = next((provider for provider in models if provider.default), models[0] if models else None)
    return chosen.model if chosen else _ANY_MODEL


def _models(config: "RuntimeConfig") -> str:
    names = [_shown(provider) for provider in config.model_providers if not provider.internal]
    more = f" and {len(names) - _MOST_MODELS} more" if len(names) > _MOST_MODELS else ""
    return ", ".join(names[:_MOST_MODELS]) + more if names else "none"


def _shown(provider: "ModelProvider") -> str:
    name = f"{provider.wildcard_prefix or provider.provider_interface}/*" if provider.wildcard else provider.model
    return f"{name} (default)" if provider.default else name


def _curl(url: str, model: str, *, guarded: bool) -> str:
    body = json.dumps({"model": model, "messages": [{"role": "user", "content": "Hello"}]})
    key = ' -H "authorization: Bearer $YOUR_KEY"' if guarded else ""
    return f"curl {url}/v1/chat/completions{key} -H 'content-type: application/json' -d '{body}'"
