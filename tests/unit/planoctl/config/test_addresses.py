import pytest

from planoctl.config.addresses import (
    Address,
    BaseUrl,
    parse_address,
    parse_base_url,
    parse_collector_url,
    protobuf_duration,
)


@pytest.mark.parametrize(
    ("written", "seconds"),
    [
        ("30s", "30s"),
        ("0s", "0s"),
        ("0.005s", "0.005s"),
        ("250ms", "0.25s"),
        ("1500ms", "1.5s"),
        ("2m", "120s"),
        ("0.5m", "30s"),
        ("1h", "3600s"),
        ("0.000000001s", "0.000000001s"),
    ],
)
def test_durations_become_seconds(written: str, seconds: str) -> None:
    assert protobuf_duration(written) == seconds


@pytest.mark.parametrize(
    "written", ["", "30", "s", "-1s", "1.s", "1d", "30 s", "1e3s", "٣s", "999999999999999s", "1s\n"]
)
def test_other_texts_are_no_durations(written: str) -> None:
    with pytest.raises(ValueError, match="duration"):
        protobuf_duration(written)


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        ("https://api.openai.com", BaseUrl("https", "api.openai.com", 443, "")),
        ("https://api.openai.com/", BaseUrl("https", "api.openai.com", 443, "")),
        ("HTTP://Box:8000/api/v2/", BaseUrl("http", "box", 8000, "/api/v2/")),
        ("http://[::1]:11434", BaseUrl("http", "::1", 11434, "")),
        ("https://u:p@host/x?y#z", BaseUrl("https", "host", 443, "/x", "user info and query and fragment")),
    ],
)
def test_base_urls_are_taken_apart(written: str, expected: BaseUrl) -> None:
    assert parse_base_url(written) == expected


@pytest.mark.parametrize(
    "written",
    ["", "x.example.com", "//host", "ftp://host", "https://", "https://ho st", "http://host:0", "http://host:70000",
     "http://host:port", "http://[::1", "http://ho_st$/", "https://host\n", "http://a..b\\c"],
)  # fmt: skip
def test_other_texts_are_no_base_urls(written: str) -> None:
    with pytest.raises(ValueError):
        parse_base_url(written)


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        ("127.0.0.1:80", Address("127.0.0.1", 80)),
        ("api.example.com", Address("api.example.com", 443)),
        ("my_service:8080", Address("my_service", 8080)),
        ("[::1]:8080", Address("::1", 8080)),
        ("[::1]", Address("::1", 443)),
        ("fe80::2", Address("fe80::2", 443)),
    ],
)
def test_endpoint_addresses_may_have_a_port(written: str, expected: Address) -> None:
    assert parse_address(written, 443) == expected


@pytest.mark.parametrize(
    "written",
    ["", ":80", "host:", "host:0", "host:65536", "host:http", "http://host:80", "host/path", "[::1]x", "[]:1"],
)
def test_other_texts_are_no_addresses(written: str) -> None:
    with pytest.raises(ValueError):
        parse_address(written, 80)


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        ("http://localhost:4317", "http://localhost:4317"),
        ("http://localhost:4317/", "http://localhost:4317"),
        ("http://collector", "http://collector:4317"),
        ("https://collector:443", "https://collector:443"),
        ("http://[::1]:4317", "http://[::1]:4317"),
    ],
)
def test_collector_urls_get_a_port_and_lose_the_slash(written: str, expected: str) -> None:
    assert parse_collector_url(written).text == expected


@pytest.mark.parametrize(
    ("written", "problem"),
    [
        ("grpc://c:4317", "scheme must be http"),
        ("localhost:4317", "scheme must be http"),
        ("http://c:4317/v1", "path must be empty"),
        ("http://c:4317?x=1", "path must be empty"),
        ("http://:4317", "host must not be empty"),
    ],
)
def test_other_texts_are_no_collector_urls(written: str, problem: str) -> None:
    with pytest.raises(ValueError, match=problem):
        parse_collector_url(written)
