"""What the gateway's processes see of the shell's environment: what they may need, and nothing else of it."""

from collections.abc import Collection, Mapping

_NAMES = frozenset({
    "ALL_PROXY", "HOME", "HTTPS_PROXY", "HTTP_PROXY", "LANG", "LANGUAGE", "LOGNAME", "NO_PROXY", "PATH", "TMPDIR", "TZ",
    "TZDIR", "USER", "XDG_RUNTIME_DIR",
})  # fmt: skip
# AWS_: Envoy signs requests to Bedrock. LD_, DYLD_, MALLOC_, PYTHON: how the programs themselves are to run.
_PREFIXES = ("AWS_", "DYLD_", "LC_", "LD_", "MALLOC_", "OTEL_", "PLANO_", "PYTHON", "SSL_CERT_")


def inherited(environment: Mapping[str, str], hidden: Collection[str] = ()) -> dict[str, str]:
    """The variables of `environment` that processes get; `hidden` ones never. Proxies count in lower case too."""
    return {
        name: value
        for name, value in environment.items()
        if name not in hidden
        and (name in _NAMES or name.startswith(_PREFIXES) or (name.endswith("_proxy") and name.upper() in _NAMES))
    }
