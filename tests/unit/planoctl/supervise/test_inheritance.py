"""What processes inherit of the shell's environment."""

import pytest

from planoctl.supervise.inheritance import inherited


@pytest.mark.parametrize(
    "name",
    [
        "PATH", "HOME", "LANG", "LC_ALL", "TZ", "HTTPS_PROXY", "https_proxy", "no_proxy", "PLANO_HOME", "AWS_REGION",
        "AWS_SECRET_ACCESS_KEY", "OTEL_SERVICE_NAME", "SSL_CERT_FILE", "SSL_CERT_DIR", "PYTHONPATH", "LD_LIBRARY_PATH",
    ],
)  # fmt: skip
def test_what_programs_need_is_inherited_unless_hidden(name: str) -> None:
    assert inherited({name: "v"}) == {name: "v"}
    assert inherited({name: "v"}, hidden=[name]) == {}


@pytest.mark.parametrize(
    "name",
    ["GITHUB_TOKEN", "OPENAI_API_KEY", "DATABASE_URL", "SSH_AUTH_SOCK", "EDITOR", "path", "my_proxy", "HOMEPAGE"],
)
def test_what_else_is_in_the_shell_is_not(name: str) -> None:
    assert inherited({name: "v"}) == {}
