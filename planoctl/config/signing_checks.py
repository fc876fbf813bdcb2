"""Can Envoy sign what the configuration wants signed? A signature needs a region."""

from collections.abc import Mapping
from typing import Any

from planoctl.config.clusters import aws_region, is_signed
from planoctl.config.findings import Report, shorten
from planoctl.config.signing import REGION_VARIABLES, region_is_known

Document = dict[str, Any]


def check_signing(document: Document, environment: Mapping[str, str], report: Report, *, elsewhere: bool) -> None:
    """Check the rendered document. `elsewhere`: another machine has the variables and files of AWS."""
    known = region_is_known(environment)
    for index, entry in enumerate(document["model_providers"]):
        signed = is_signed(entry["provider_interface"], entry.get("access_key"), entry.get("passthrough_auth", False))
        hosts = (entry.get("http_host") or "", entry.get("endpoint") or "")
        if not signed or known or any(map(aws_region, hosts)):
            continue
        tell = report.warning if elsewhere else report.error
        tell(
            "no-region",
            f"Requests for model {shorten(entry['name'])} are signed for AWS, and no region is named in base_url, "
            f"{', '.join(REGION_VARIABLES)} or an AWS profile",
            ("model_providers", index, "base_url"),
            "write base_url: https://bedrock-runtime.<region>.amazonaws.com, or set AWS_REGION",
        )
