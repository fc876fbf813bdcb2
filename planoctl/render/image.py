"""The container image, as manifests see it: what the Dockerfile puts where."""

from pathlib import Path

from planoctl import __version__

DEFAULT_IMAGE = f"plano:{__version__}"
USER = 10001
"""Uid and gid of the image's user."""
PYTHON, ENVOY = "python", "envoy"
"""Programs on the image's PATH."""
VOLATILE = Path("/run/plano")
"""Writable, in memory, private to the gateway: rendered files and sockets."""
RUN_DIR = VOLATILE / "gateway"
"""A folder of the gateway's own in it: a mounted folder belongs to somebody else, and could not be closed to others."""
CONFIG = Path("/etc/plano/plano_config.yaml")
"""The user's configuration."""
