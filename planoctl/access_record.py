"""A record of the access log as a person reads it: one line with what was asked, who served it, and what it took."""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from hermesllm.formats import Format
from hermesllm.prices import Rates
from hermesllm.usage import Usage, usage_of
from planoctl.obs.formats import cost, milliseconds

if TYPE_CHECKING:
    from rich.text import Text

Price = Callable[[str, str], Rates | None]

_OK, _REDIRECT, _CLIENT_ERROR, _SERVER_ERROR = 200, 300, 400, 500
_SAID_BY_THE_STATUS = frozenset({"via_upstream", "direct_response"})
_MANY_ATTEMPTS = 2
_CLIENT_LEFT = frozenset({"DC", "DR"})  # Envoy's response flags
_BROKEN = frozenset({"UC", "UR", "UPE", "LR", "SI", "DT", "UT", "UMSDR"})


@dataclass(frozen=True, slots=True)
class AccessRecord:
    """One line of the log. `record` is what Envoy wrote, where everything may be null."""

    record: Mapping[str, Any]

    @classmethod
    def parse(cls, line: str) -> "AccessRecord | None":
        """None for a line that is no such record."""
        try:
            record = json.loads(line)
        except ValueError:
            return None
        return cls(record) if isinstance(record, dict) and "status" in record and "time" in record else None

    @property
    def usage(self) -> Usage | None:
        """Tokens, as the provider reported them."""
        found = self.record.get("usage")
        if not isinstance(found, dict):
            return None
        if "input_tokens" in found:  # counted by the sidecar, of an answer that it translated
            return Usage(
                prompt=_count(found, "input_tokens"),
                completion=_count(found, "output_tokens"),
                cache_read=_count(found, "cached_tokens"),
                cache_write=_count(found, "cache_write_tokens"),
            )
        try:
            spoken = Format(str(self.record.get("client_format")))
        except ValueError:
            return None
        end = {key: value for key, value in _object(found, "usage").items() if value is not None}
        if spoken is Format.ANTHROPIC:
            return usage_of(spoken, {**_object(found, "message"), **end})
        return usage_of(spoken, _object(found, "response") or end)

    @property
    def ttft_ms(self) -> float | None:
        """Milliseconds to the first event of a stream; None for a whole answer."""
        usage = self.record.get("usage")
        first = usage.get("first") if isinstance(usage, dict) else None
        began = _time(self.record.get("time"))
        if not isinstance(first, str) or not first.isdecimal() or began is None:
            return None
        return max(0.0, int(first) / 1000 - began.timestamp() * 1000)

    def usd(self, price: Price) -> float | None:
        """What the request cost at the list prices of today; None where they or the tokens are not known."""
        usage, provider, model = self.usage, self.record.get("provider"), self.record.get("model")
        rates = price(str(provider), str(model)) if usage is not None and provider and model else None
        if usage is None or rates is None:
            return None
        return rates.prompt_usd(usage.prompt, usage.cache_read, usage.cache_write) + rates.usd(output=usage.completion)

    @property
    def error(self) -> str:
        """The gateway's code of an error, or what Envoy says of it; empty if there was none."""
        if code := self.record.get("error"):
            return str(code)
        status, details = self.record.get("status") or 0, str(self.record.get("details") or "")
        if not isinstance(status, int) or _OK <= status < _REDIRECT:
            flags = str(self.record.get("flags") or "-").split(",")
            if not _CLIENT_LEFT.isdisjoint(flags):
                return "client left"
            broken = ", ".join(flag for flag in flags if flag in _BROKEN)
            return f"answer broke off ({broken})" if broken else ""
        return "" if details in _SAID_BY_THE_STATUS else details.removeprefix("plano_")

    def line(self, price: Price) -> "Text":
        """The record on one line, with colours for a terminal."""
        from rich.text import Text

        record, usage = self.record, self.usage
        began = _time(record.get("time"))
        text = Text(began.astimezone().strftime("%H:%M:%S.%f")[:-3] if began else "?")
        text.append(f" {record.get('status') or '---'}", style=_style(record.get("status")))
        text.append(f" {record.get('method') or '-'} {record.get('path') or '-'}", style="dim")
        if models := self._models():
            text.append(f" {models}", style="bold")
        attempts = _count(record, "attempts")
        if attempts >= _MANY_ATTEMPTS:
            text.append(f" ×{attempts}", style="yellow")
        text.append(f" {milliseconds(_count(record, 'duration_ms'))}")
        if self.ttft_ms is not None:
            text.append(f" ttft {milliseconds(self.ttft_ms)}")
        if usage is not None:
            cached = f" ({usage.cache_read:,} cached)" if usage.cache_read else ""
            text.append(f" {usage.prompt:,}{cached} → {usage.completion:,} tokens", style="cyan")
        if (usd := self.usd(price)) is not None:
            text.append(f" {cost(usd)}", style="green")
        for name in ("identity", "route"):
            if value := record.get(name):
                text.append(f" {name}={value}")
        if error := self.error:
            text.append(f" {error}", style="red")
        return text.append(f" {record.get('request_id') or ''}", style="dim")

    def _models(self) -> str:
        asked, provider, model = (self.record.get(name) for name in ("requested_model", "provider", "model"))
        served = f"{provider}/{model}" if provider and model else ""
        if not asked or asked in (served, model):
            return served
        return f"{asked} → {served}" if served else str(asked)


def _style(status: Any) -> str:
    if not isinstance(status, int) or status >= _SERVER_ERROR or status < _OK:
        return "bold red"
    return "yellow" if status >= _CLIENT_ERROR else "green"


def _time(text: Any) -> datetime | None:
    try:
        moment = datetime.fromisoformat(text)
    except (TypeError, ValueError):
        return None
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def _count(found: Mapping[str, Any], name: str) -> int:
    value = found.get(name)
    return int(value) if isinstance(value, int | float) else 0


def _object(found: Mapping[str, Any], name: str) -> dict[str, Any]:
    try:
        value = json.loads(found.get(name) or "{}")
    except (TypeError, ValueError):
        return {}
    return value if isinstance(value, dict) else {}
