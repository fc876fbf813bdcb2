"""Writing rendered files so that Envoy sees the old text or the new, never half of one."""

from collections.abc import Mapping
from pathlib import Path

from planoctl.private_files import private_folder, write_private
from planoctl.render.xds import LISTENERS


def write_envoy(files: Mapping[str, str], folder: Path) -> None:
    """Write each file by rename, mode 0600, into `folder` (made with mode 0700). Clusters go before listeners.

    Envoy watches the folder for renames, and a listener must never name clusters or routes that are not there yet.
    """
    private_folder(folder)
    for name in sorted(files, key=lambda name: (name == LISTENERS, name)):
        write_private(folder / name, files[name])
