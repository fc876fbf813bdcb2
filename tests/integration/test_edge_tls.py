"""TLS and client certificates at a listener, and certificates that are replaced while requests run."""

import contextlib
import os
import socket
import ssl
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
import trustme
from cryptography import x509

from planoctl.mock_provider.server import RunningMock
from tests.integration.conftest import KEY
from tests.integration.gateway import Gateway, free_port, running_gateway

pytestmark = pytest.mark.envoy

CHAT = {"model": "mock-gpt", "messages": [{"role": "user", "content": "hi"}]}
AUTHORITY, STRANGER = trustme.CA(), trustme.CA()


def write_pair(folder: Path, certificate: trustme.LeafCert) -> None:
    """Both files by rename."""
    for name, pem in (
        ("tls.crt", b"".join(blob.bytes() for blob in certificate.cert_chain_pems)),
        ("tls.key", certificate.private_key_pem.bytes()),
    ):
        fresh = folder / f".{name}.new"
        fresh.write_bytes(pem)
        fresh.replace(folder / name)


def trusting(certificate: trustme.LeafCert | None = None, authority: trustme.CA = AUTHORITY) -> ssl.SSLContext:
    context = ssl.create_default_context()
    authority.configure_trust(context)
    if certificate is not None:
        certificate.configure_cert(context)
    return context


@contextlib.contextmanager
def listening(
    folder: Path, mock: RunningMock, access: ssl.SSLContext, listener: dict[str, Any] | None = None, **tls: Any
) -> Iterator[Gateway]:
    port = free_port()
    files = {"certificate": str(folder / "tls.crt"), "private_key": str(folder / "tls.key")}
    entry = {"type": "model", "name": "secure", "address": "127.0.0.1", "port": port, "tls": {**files, **tls}}
    model = {"model": "openai/mock-gpt", "base_url": mock.url, "access_key": "$MOCK_KEY"}
    document = {"listeners": [{**entry, **(listener or {})}], "model_providers": [model]}
    with running_gateway(folder / "run", document, {"MOCK_KEY": KEY}, port=port, access={"verify": access}) as gateway:
        yield gateway


def served_serial(gateway: Gateway, context: ssl.SSLContext) -> int:
    """The serial number of the certificate that a new connection gets."""
    with (
        socket.create_connection(("127.0.0.1", gateway.port), timeout=10) as raw,
        context.wrap_socket(raw, server_hostname="127.0.0.1") as connection,
    ):
        encoded = connection.getpeercert(binary_form=True)
    assert encoded is not None
    return x509.load_der_x509_certificate(encoded).serial_number


def serial(certificate: trustme.LeafCert) -> int:
    return x509.load_pem_x509_certificate(certificate.cert_chain_pems[0].bytes()).serial_number


def until(condition: Callable[[], bool], seconds: float = 20) -> bool:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if condition():
            return True
        time.sleep(0.05)
    return condition()


def test_a_renamed_certificate_is_taken_up_and_open_connections_stay(tmp_path: Path, mock: RunningMock) -> None:
    first, second = AUTHORITY.issue_cert("127.0.0.1"), AUTHORITY.issue_cert("127.0.0.1")
    write_pair(tmp_path, first)
    context = trusting()
    with listening(tmp_path, mock, context) as gateway, httpx.Client(verify=context, timeout=20) as client:
        answer = client.post(gateway.url + "/v1/chat/completions", json=CHAT)
        assert answer.status_code == 200
        before = answer.extensions["network_stream"].get_extra_info("client_addr")
        assert served_serial(gateway, context) == serial(first)
        write_pair(tmp_path, second)
        assert until(lambda: served_serial(gateway, context) == serial(second))
        answer = client.post(gateway.url + "/v1/chat/completions", json=CHAT)
        assert answer.status_code == 200
        assert answer.extensions["network_stream"].get_extra_info("client_addr") == before
        with pytest.raises(httpx.HTTPError):
            httpx.get(gateway.url.replace("https", "http") + "/healthz", timeout=5)


def test_a_certificate_behind_kubernetes_links_is_taken_up_when_the_link_moves(
    tmp_path: Path, mock: RunningMock
) -> None:
    first, second = AUTHORITY.issue_cert("127.0.0.1"), AUTHORITY.issue_cert("127.0.0.1")
    for name, certificate in (("..one", first), ("..two", second)):
        (tmp_path / name).mkdir()
        write_pair(tmp_path / name, certificate)
    (tmp_path / "..data").symlink_to("..one")
    for name in ("tls.crt", "tls.key"):
        (tmp_path / name).symlink_to(f"..data/{name}")
    context = trusting()
    with listening(tmp_path, mock, context) as gateway:
        assert served_serial(gateway, context) == serial(first)
        (tmp_path / "..data_tmp").symlink_to("..two")
        os.replace(tmp_path / "..data_tmp", tmp_path / "..data")  # noqa: PTH105 — as the kubelet does it
        assert until(lambda: served_serial(gateway, context) == serial(second))


def test_http2_is_offered_and_old_versions_of_tls_are_not(tmp_path: Path, mock: RunningMock) -> None:
    write_pair(tmp_path, AUTHORITY.issue_cert("127.0.0.1"))
    context = trusting()
    with listening(tmp_path, mock, context, min_version="1.3") as gateway:
        with httpx.Client(verify=trusting(), http2=True, timeout=20) as client:
            answer = client.post(gateway.url + "/v1/chat/completions", json=CHAT)
            assert (answer.status_code, answer.http_version) == (200, "HTTP/2")
        context.maximum_version = ssl.TLSVersion.TLSv1_2
        with pytest.raises(ssl.SSLError):
            served_serial(gateway, context)


def test_the_client_certificate_is_the_identity_and_strangers_stay_out(tmp_path: Path, mock: RunningMock) -> None:
    write_pair(tmp_path, AUTHORITY.issue_cert("127.0.0.1"))
    AUTHORITY.cert_pem.write_to_path(tmp_path / "ca.pem")
    callers = {
        "billing.internal": AUTHORITY.issue_cert("billing.internal"),
        "CN=reports,OU": AUTHORITY.issue_cert("reports@example.com", common_name="reports"),
    }
    access = trusting(callers["billing.internal"])
    with listening(tmp_path, mock, access, client_ca=str(tmp_path / "ca.pem")) as gateway:
        answers = {}
        for name, certificate in callers.items():
            url = gateway.url + "/v1/chat/completions"
            forged = {"x-forwarded-client-cert": 'Subject="CN=admin"', "x-plano-identity": "admin"}
            answers[name] = httpx.post(url, json=CHAT, verify=trusting(certificate), headers=forged, timeout=20)
            assert answers[name].status_code == 200
            assert "x-forwarded-client-cert" not in mock.requests[-1]["headers"]
        for unwanted in (trusting(), trusting(STRANGER.issue_cert("billing.internal"))):
            with pytest.raises(httpx.HTTPError):
                httpx.post(gateway.url + "/v1/chat/completions", json=CHAT, verify=unwanted, timeout=20)
        for name, answer in answers.items():
            identity = gateway.access_log(answer.headers["x-request-id"], seconds=20)["identity"]
            assert identity.startswith(name.partition(",")[0]) or name.partition(",")[0] in identity


def test_an_optional_client_certificate_may_be_missing_but_not_wrong(tmp_path: Path, mock: RunningMock) -> None:
    write_pair(tmp_path, AUTHORITY.issue_cert("127.0.0.1"))
    AUTHORITY.cert_pem.write_to_path(tmp_path / "ca.pem")
    options = {"client_ca": str(tmp_path / "ca.pem"), "require_client_certificate": False}
    with listening(tmp_path, mock, trusting(), **options) as gateway:
        url = gateway.url + "/v1/models"
        assert httpx.get(url, verify=trusting()).status_code == 200
        with pytest.raises(httpx.HTTPError):
            httpx.get(url, verify=trusting(STRANGER.issue_cert("x")))
