"""The router that decides in this process, on the CPU, when no routing model is configured."""

from brightstaff.embedded.router import EmbeddedRouter

__all__ = ["EmbeddedRouter"]
