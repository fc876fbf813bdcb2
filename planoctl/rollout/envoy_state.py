"""What a running Envoy says about the files that it follows."""

import contextlib
import json
import time
from collections.abc import Callable
from dataclasses import dataclass

import httpx

_POLL_SECONDS = 0.02
_ANSWER_SECONDS = 2.0
_FILTER = r"version_text$|update_rejected$|warming_clusters$|total_listeners_warming$"
_CLUSTERS, _LISTENERS = "cluster_manager.cds.", "listener_manager.lds."


@dataclass(frozen=True, slots=True)
class Followed:
    """Versions by the prefix of their statistics; how often files were refused; how much is not in use yet."""

    versions: dict[str, str]
    rejected: int
    warming: int


class EnvoyState:
    """Asks the admin interface at `admin`, a base URL. Used as a context manager."""

    def __init__(self, admin: str) -> None:
        self._client = httpx.Client(base_url=admin, timeout=_ANSWER_SECONDS, trust_env=False)

    def __enter__(self) -> "EnvoyState":
        return self

    def __exit__(self, *_: object) -> None:
        self._client.close()

    def read(self) -> Followed | None:
        """What Envoy follows now; None if it does not answer."""
        try:
            reply = self._client.get("/stats", params={"filter": _FILTER, "format": "json"}).raise_for_status()
            entries = [entry for entry in reply.json()["stats"] if "name" in entry]
        except (httpx.HTTPError, json.JSONDecodeError, KeyError):
            return None
        versions, rejected, warming = {}, 0, 0
        for entry in entries:
            name, value = entry["name"], entry["value"]
            if name.endswith("version_text"):
                versions[name.removesuffix("version_text")] = value
            elif name.endswith("update_rejected"):
                rejected += value
            else:
                warming += value
        return Followed(versions, rejected, warming)

    def wait_for_clusters(self, version: str, before: Followed, seconds: float) -> bool:
        """Whether the clusters of `version` were taken up and can be used; False too if Envoy refused them."""
        return self._wait(lambda now: now.versions.get(_CLUSTERS) == version and not now.warming, before, seconds)

    def wait_for_listeners(self, version: str, before: Followed, seconds: float) -> bool:
        """As `wait_for_clusters`, for listeners and the routes that come with them."""
        return self._wait(lambda now: now.versions.get(_LISTENERS) == version and not now.warming, before, seconds)

    def wait_for_routes(self, versions: dict[str, str], before: Followed, seconds: float) -> bool:
        """As `wait_for_clusters`, for the routes of listeners by the listeners' names."""
        return self._wait(
            lambda now: all(
                any(
                    key.endswith(f".rds.{name.replace(':', '_')}.") and found == version
                    for key, found in now.versions.items()
                )
                for name, version in versions.items()
            ),
            before,
            seconds,
        )

    def _wait(self, done: Callable[[Followed], bool], before: Followed, seconds: float) -> bool:
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            with contextlib.suppress(httpx.HTTPError):
                now = self.read()
                if now is not None and now.rejected > before.rejected:
                    return False
                if now is not None and done(now):
                    return True
            time.sleep(_POLL_SECONDS)
        return False
