"""From RuntimeConfig to Envoy's files: a bootstrap and the file-based LDS and CDS it watches."""

from planoctl.render.envoy import render_envoy
from planoctl.render.files import write_envoy

__all__ = ["render_envoy", "write_envoy"]
