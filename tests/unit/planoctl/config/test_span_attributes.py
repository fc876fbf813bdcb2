import pytest

from planoctl.config.headers import CREDENTIAL_HEADERS
from planoctl.config.runtime import SpanAttributes
from planoctl.config.span_attributes import (
    header_attributes,
    header_text,
    is_reserved,
    is_secret,
    static_attributes,
)


@pytest.mark.parametrize(
    ("prefixes", "headers", "expected"),
    [
        (
            ["x-katanemo-"],
            {"x-katanemo-tenant-id": "ten_456", "x-katanemo-user-id": "usr_789", "x-katanemo-admin-level": "3",
             "x-other-id": "ignored"},
            {"tenant.id": "ten_456", "user.id": "usr_789", "admin.level": "3"},
        ),
        ([], {"x-katanemo-tenant-id": "a"}, {}),
        (
            ["x-katanemo-", "x-tenant-"],
            {"x-katanemo-tenant-id": "ten_456", "x-tenant-user-id": "usr_789"},
            {"tenant.id": "ten_456", "user.id": "usr_789"},
        ),
        (["x-katanemo"], {"x-katanemo-a": "1", "x-katanemofoo": "2"}, {"a": "1", "foo": "2"}),
        (["x-user-"], {"x-user-": "v", "x-user---": "v"}, {}),
        (["X-Acme-"], {"x-acme-tenant": " a "}, {"tenant": "a"}),
        (["x-", "x-acme-"], {"x-acme-tenant": "a"}, {"acme.tenant": "a"}),
        (["x-acme-"], {"x-acme-name": "Grüße".encode().decode("latin-1"), "x-acme-raw": "\xff", "x-acme-bell": "\x07",
                       "x-acme-none": " "}, {"name": "Grüße"}),
        ([""], {":path": "/x", "authorization": "Bearer a", "host": "h"}, {"host": "h"}),
    ],
)  # fmt: skip
def test_headers_become_attributes(prefixes: list[str], headers: dict[str, str], expected: dict[str, str]) -> None:
    assert header_attributes(headers, prefixes) == expected


def test_a_client_cannot_make_spans_as_large_as_it_likes() -> None:
    headers = {f"x-{number}": "v" * 5000 for number in range(500)} | {f"x-{'n' * 5000}": "v"}
    found = header_attributes(headers, ["x-"])
    assert len(found) == 32
    assert {len(value) for value in found.values()} == {256}


@pytest.mark.parametrize(
    "name",
    [*CREDENTIAL_HEADERS, "cookie", "proxy-authorization", "x-amz-security-token", "x-acme-api-key", "x-acme-secret",
     "x-acme-token", "x-forwarded-authorization", "x-acme-password", "x-acme-signature", "x-acme-jwt",
     "token", "x-auth-token-2", "x-acme-access-token-previous"],
)  # fmt: skip
def test_credentials_are_never_told(name: str) -> None:
    assert is_secret(name)
    assert header_attributes({name: "value"}, ["", "x-", name[:4]]) == {}


@pytest.mark.parametrize("name", ["x-acme-tokens", "x-acme-keyboard", "x-tenant-id", "x-user", "x-acme-monkey",
                                  "x-acme-token-budget", "x-acme-max-token-count"])  # fmt: skip
def test_what_only_resembles_a_credential_is_told(name: str) -> None:
    assert not is_secret(name)


def test_attributes_that_only_begin_like_the_gateways_are_told() -> None:
    headers = {"x-acme-model-tier": "a", "x-acme-route": "b", "x-acme-route-owner": "c", "x-acme-error-budget": "d"}
    told = {"model.tier": "a", "route": "b", "route.owner": "c", "error.budget": "d"}
    assert header_attributes(headers, ["x-acme-"]) == told
    assert static_attributes(SpanAttributes(static=told)) == told


@pytest.mark.parametrize(
    "name",
    ["error", "error-type", "error-message", "model-requested", "route-selected_model", "routing-strategy"],
)
def test_attributes_that_are_the_gateways_are_not_told(name: str) -> None:
    assert header_attributes({f"x-acme-{name}": "forged"}, ["x-acme-"]) == {}


def test_attributes_of_the_gateway_cannot_be_set() -> None:
    forged = {"x-llm-model": "a", "x-plano-identity": "b", "x-http-status_code": "c", "x-component": "d", "x-team": "e"}
    assert header_attributes(forged, ["x-"]) == {"team": "e"}
    settings = SpanAttributes(static={"llm.model": "a", "service.name": "b", "service.team": "c", "environment": "d"})
    assert static_attributes(settings) == {"service.team": "c", "environment": "d"}
    assert not is_reserved("llmops.team")


def test_a_value_that_is_no_text_is_none() -> None:
    assert [header_text(value) for value in (" a ", "\xff\xfe", "a\x00b", "")] == ["a", "", "", ""]
