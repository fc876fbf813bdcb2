"""Old clusters stay beside the new ones for a while."""

from pathlib import Path
from typing import Any

from planoctl.render.xds import discovery_file, read_resources, version_of
from planoctl.rollout.clusters import KEPT_SECONDS, with_retired


def cluster(name: str, **more: Any) -> dict[str, Any]:
    return {"@type": "type.googleapis.com/envoy.config.cluster.v3.Cluster", "name": name, **more}


class Folder:
    """The file of clusters and its journal, through rollouts at given times."""

    def __init__(self, folder: Path) -> None:
        self.current, self.journal = folder / "cds.yaml", folder / "journal"

    def roll(self, at: float, *names: str) -> list[str]:
        clusters = with_retired([cluster(name) for name in names], self.current, self.journal, at)
        self.current.write_text(discovery_file(clusters))
        return [item["name"] for item in clusters]


def test_a_cluster_without_a_provider_stays_until_no_request_can_need_it(tmp_path: Path) -> None:
    folder = Folder(tmp_path)
    assert folder.roll(0, "a", "b") == ["a", "b"]
    assert folder.roll(10, "b", "c") == ["b", "c", "a"]
    assert folder.roll(20, "c") == ["c", "b", "a"]
    assert folder.roll(10 + KEPT_SECONDS, "c") == ["c", "b"]
    assert folder.roll(20 + KEPT_SECONDS, "c") == ["c"]


def test_a_cluster_that_comes_back_is_retired_anew(tmp_path: Path) -> None:
    folder = Folder(tmp_path)
    folder.roll(0, "a", "b")
    folder.roll(10, "b")
    assert folder.roll(20, "a", "b") == ["a", "b"]
    assert folder.roll(20 + KEPT_SECONDS, "b") == ["b", "a"]


def test_a_clock_that_is_set_back_keeps_clusters_no_longer(tmp_path: Path) -> None:
    folder = Folder(tmp_path)
    folder.roll(1_000_000, "a", "b")
    folder.roll(1_000_000, "b")
    assert folder.roll(10, "b") == ["b", "a"]
    assert folder.roll(10 + KEPT_SECONDS, "b") == ["b"]


def test_a_changed_cluster_replaces_its_old_form(tmp_path: Path) -> None:
    (tmp_path / "cds.yaml").write_text(discovery_file([cluster("a", connect_timeout="1s")]))
    new = cluster("a", connect_timeout="9s")
    assert with_retired([new], tmp_path / "cds.yaml", tmp_path / "journal") == [new]


def test_a_broken_journal_only_keeps_clusters_longer(tmp_path: Path) -> None:
    folder = Folder(tmp_path)
    folder.roll(0, "a", "b")
    folder.journal.write_text("[")
    assert folder.roll(10, "b") == ["b", "a"]


def test_a_file_states_a_version_of_its_content(tmp_path: Path) -> None:
    one, same, two = (discovery_file([cluster(name)]) for name in ("a", "a", "b"))
    assert version_of(one) == version_of(same) != version_of(two)
    assert len(version_of(one)) == 12
    assert read_resources(one) == [cluster("a")]
