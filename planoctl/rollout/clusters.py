"""Clusters that a configuration does not name any more stay for a while: requests that began before still use them."""

import json
import time
from collections.abc import Sequence
from pathlib import Path

from planoctl.private_files import write_private
from planoctl.render.xds import Resource, read_resources

KEPT_SECONDS = 900.0


def with_retired(
    clusters: Sequence[Resource], current: Path, journal: Path, now: float | None = None
) -> list[Resource]:
    """`clusters`, and after them those in the file `current` that are new no more, unless that was too long ago.

    `journal` remembers when each was retired, in Unix time.
    """
    now = time.time() if now is None else now
    names = {cluster["name"] for cluster in clusters}
    known = _read(journal)
    retired = {
        cluster["name"]: (min(known.get(cluster["name"], now), now), cluster)
        for cluster in (read_resources(current.read_text(encoding="utf-8")) if current.exists() else ())
        if cluster["name"] not in names
    }
    kept = {name: (since, cluster) for name, (since, cluster) in retired.items() if now - since < KEPT_SECONDS}
    write_private(journal, json.dumps({name: since for name, (since, _) in kept.items()}))
    return [*clusters, *(cluster for _, cluster in kept.values())]


def _read(journal: Path) -> dict[str, float]:
    try:
        return {str(name): float(since) for name, since in json.loads(journal.read_text(encoding="utf-8")).items()}
    except (OSError, ValueError, AttributeError):
        return {}
