"""Clusters of Amazon Bedrock: signed by Envoy where nothing else is configured."""

import json
from pathlib import Path
from typing import Any

import pytest

from planoctl.config.clusters import UpstreamIdentity, cluster_names
from planoctl.config.deployment import Deployment, InternalPorts
from planoctl.config.runtime import Listener, ModelProvider, RuntimeConfig
from planoctl.render import render_envoy

DEPLOYMENT = Deployment(run_dir=Path("/run/plano"), workers=1, ports=InternalPorts(brightstaff=19091, admin=19901))
LISTENERS = (Listener(type="model", name="llm", port=12000),)
SIGNING = "envoy.filters.http.aws_request_signing"


def filters(**fields: Any) -> list[dict[str, Any]]:
    known: dict[str, Any] = {
        "provider_interface": "amazon_bedrock", "model": "m", "endpoint": "bedrock-runtime.us-east-1.amazonaws.com",
        "port": 443, "protocol": "https", "cluster_name": "bedrock",
    }  # fmt: skip
    entry = ModelProvider(name="b", **{**known, **fields})
    files = render_envoy(RuntimeConfig(version="v0.4.0", listeners=LISTENERS, model_providers=(entry,)), DEPLOYMENT)
    clusters = json.loads(files["envoy.static.yaml"])["static_resources"]["clusters"]
    options = clusters[-1]["typed_extension_protocol_options"]
    found: list[dict[str, Any]] = options["envoy.extensions.upstreams.http.v3.HttpProtocolOptions"].get(
        "http_filters", []
    )
    return found


def test_without_a_key_requests_are_signed_last_before_the_codec() -> None:
    signing, codec = filters()
    assert (signing["name"], codec["name"]) == (SIGNING, "envoy.filters.http.upstream_codec")
    config = signing["typed_config"]
    assert (config["service_name"], config["region"]) == ("bedrock", "us-east-1")
    assert config["host_rewrite"] == "bedrock-runtime.us-east-1.amazonaws.com"
    assert not config.get("use_unsigned_payload")


@pytest.mark.parametrize(
    "fields", [{"access_key": "k"}, {"passthrough_auth": True}, {"provider_interface": "openai"}], ids=str
)
def test_with_another_credential_or_provider_nothing_is_signed(fields: dict[str, Any]) -> None:
    assert filters(**fields) == []


@pytest.mark.parametrize(
    ("fields", "region"),
    [
        ({"endpoint": "bedrock-runtime-fips.us-gov-west-1.amazonaws.com"}, "us-gov-west-1"),
        ({"endpoint": "bedrock-runtime.ap-southeast-2.api.aws"}, "ap-southeast-2"),
        ({"endpoint": "bedrock-runtime.cn-north-1.amazonaws.com.cn"}, "cn-north-1"),
        ({"endpoint": "vpce-0a1b-c2.bedrock-runtime.eu-west-1.vpce.amazonaws.com"}, "eu-west-1"),
        ({"endpoint": "10.0.0.7", "http_host": "bedrock-runtime.eu-central-1.amazonaws.com"}, "eu-central-1"),
        ({"endpoint": "bedrock.internal.example.com"}, None),
    ],
)
def test_the_region_is_read_off_the_host_or_left_to_envoy(fields: dict[str, Any], region: str | None) -> None:
    assert filters(**fields)[0]["typed_config"].get("region") == region


def test_signed_and_unsigned_entries_of_one_host_have_clusters_of_their_own() -> None:
    plain = UpstreamIdentity("amazon_bedrock", "h", "https", 443)
    signed = UpstreamIdentity("amazon_bedrock", "h", "https", 443, signed=True)
    names = cluster_names([plain, signed])
    assert names == {plain: "amazon_bedrock_h", signed: "amazon_bedrock_h_signed"}
    assert cluster_names([signed]) == {signed: "amazon_bedrock_h"}
