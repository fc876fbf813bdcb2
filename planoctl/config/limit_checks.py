"""Do rate limits name a model, a caller and a quota, each of them once?"""

from collections.abc import Callable
from typing import Any

from planoctl.config.findings import Report, shorten

Document = dict[str, Any]


def check_limits(document: Document, report: Report) -> None:
    """Check each entry of `ratelimits`, and that none is there twice."""
    seen: set[tuple[str, ...]] = set()
    for index, entry in enumerate(document.get("ratelimits", [])):
        path = ("ratelimits", index)
        selector, limit = entry.get("selector", {}), entry["limit"]
        if "tokens" not in limit and "requests" not in limit:
            report.error("no-quota", "The rate limit has neither tokens nor requests", (*path, "limit"),
                         "add e.g. tokens: 100000, or requests: 60")  # fmt: skip
        if "selector" in entry and ("key" in selector) == ("identity" in selector):
            report.error("unusable-selector", "The selector needs either key or identity", (*path, "selector"),
                         "write key: x-user-id for a header, or identity: for authenticated callers")  # fmt: skip
        if "value" in selector and "key" not in selector:
            report.error("unusable-selector", "The selector has a value and no key", (*path, "selector", "value"),
                         "add key: the name of the header")  # fmt: skip
        if entry.get("count") == "total" and "tokens" not in limit:
            report.warning("no-effect", "count has no effect on a limit of requests", (*path, "count"),
                           "remove it, or add tokens")  # fmt: skip
        whose = (selector.get("key", "").lower(), selector.get("value", "*"), selector.get("identity", ""))
        identity = (entry["model"], *whose, limit["unit"])
        if identity in seen:
            report.warning("duplicate-ratelimit", "A rate limit with this model, selector and unit is there already, "
                           "and this one is ignored", path, "keep one of them")  # fmt: skip
        seen.add(identity)


def check_limited_models(document: Document, declared: Callable[[str], bool], listing: str, report: Report) -> None:
    """Warn of limits for models that nothing declares."""
    aliases = document.get("model_aliases", {})
    for index, limit in enumerate(document.get("ratelimits", [])):
        model = limit["model"]
        if model != "*" and model not in aliases and not declared(model):
            report.warning("undeclared-model", f"The rate limit for '{shorten(model)}' matches no declared model",
                           ("ratelimits", index, "model"), f"name one of: {listing}")  # fmt: skip
