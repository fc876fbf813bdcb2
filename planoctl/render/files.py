"""Writing rendered files so that Envoy sees the old text or the new, never half of one."""

from collections.abc import Mapping
from pathlib import Path

from planoctl.private_files import private_folder, write_private


def write_envoy(files: Mapping[str, str], folder: Path) -> None:
    """Write each file by rename, mode 0600, into `folder` (made with mode 0700). Clusters go before listeners.

    Envoy watches the folder for renames, and a listener must never name a cluster that is not there yet.
    """
    private_folder(folder)
    for name in sorted(files, key=lambda name: (name == "lds.yaml", name)):
        write_private(folder / name, files[name])
