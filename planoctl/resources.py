"""Where templates and schemas are: inside the installed package, or in the checkout around it."""

from pathlib import Path

_PACKAGE = Path(__file__).parent
_INSTALLED = _PACKAGE / "_data"
_ROOT = _INSTALLED if _INSTALLED.is_dir() else _PACKAGE.parent


def envoy_templates() -> Path:
    """The folder of the Envoy templates."""
    return _ROOT / "envoy"


def config_folder() -> Path:
    """The folder of the JSON Schema and of example configurations."""
    return _ROOT / "config"
