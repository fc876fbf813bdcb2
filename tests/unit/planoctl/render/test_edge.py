"""Patterns that decide who is let in: which header names, which origins."""

import re

import pytest

from planoctl.config.edge import Cors
from planoctl.config.runtime import Listener
from planoctl.render.edge_filters import virtual_host
from planoctl.render.edge_hygiene import refused_headers


@pytest.mark.parametrize(
    "name",
    [
        "x-arch-", "x-arch-llm-provider", "x-arch-llm-provider-hin", "x-arch-llm-provider-hints", "x-arch-upstream",
        "x-arch-ratelimit-selectors", "x-plano-", "x-plano-ke", "x-plano-keys", "x-plano-identity", "x-envoy-anything",
        "x_plano_key", "x-plano_key", "x_arch-llm-provider-hint", "x-arch_llm-provider-hint", "x_envoy_max-retries",
    ],
)  # fmt: skip
def test_names_of_the_gateway_are_refused(name: str) -> None:
    assert any(re.fullmatch(pattern, name) for pattern in refused_headers())


@pytest.mark.parametrize(
    "name",
    [
        "x-arch-llm-provider-hint", "x-arch-ratelimit-selector", "x-plano-key", "x-api-key", "authorization", "x-arch",
        "my-x-arch-upstream", "x_user_id", "x-architect", "x-request-id", "x-model-affinity",
    ],
)  # fmt: skip
def test_names_that_clients_may_send_are_not(name: str) -> None:
    assert not any(re.fullmatch(pattern, name) for pattern in refused_headers())


@pytest.mark.parametrize(
    ("allowed", "origin", "expected"),
    [
        ("*", "https://any.test", True),
        ("https://a.test", "https://a.test", True),
        ("https://a.test", "https://a.test:8443", False),
        ("https://a.test", "https://a.test.evil", False),
        ("https://*.a.test", "https://b.a.test", True),
        ("https://*.a.test", "https://c.b.a.test", True),
        ("https://*.a.test", "https://a.test", False),
        ("https://*.a.test", "https://evil-a.test", False),
        ("https://*.a.test", "https://b.a.test.evil", False),
        ("https://*.a.test", "https://b.axtest", False),
        ("https://*.a.test", "http://b.a.test", False),
        ("http://localhost:*", "http://localhost:3000", True),
        ("http://localhost:*", "http://localhost", True),
        ("http://localhost:*", "http://localhost:3000.evil", False),
    ],
)
def test_an_origin_is_matched_whole(allowed: str, origin: str, expected: bool) -> None:
    (policy,) = virtual_host(Listener(type="agent", name="a", port=1, cors=Cors(allow_origins=(allowed,)))).values()
    (matcher,) = policy["allow_origin_string_match"]
    matches = origin == matcher["exact"] if "exact" in matcher else re.fullmatch(matcher["safe_regex"]["regex"], origin)
    assert bool(matches) is expected
