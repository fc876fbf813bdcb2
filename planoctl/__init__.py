"""planoctl: the command line and the control plane of the gateway."""

__version__ = "0.1.0"
