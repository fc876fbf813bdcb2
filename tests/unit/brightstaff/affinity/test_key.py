"""The key under which a session is kept."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from brightstaff.affinity import affinity_key

_TEXT = st.text(max_size=300)


@pytest.mark.parametrize("absent", ["", "   ", "\t\n"])
def test_a_blank_session_id_is_no_session(absent: str) -> None:
    assert affinity_key(absent, "tenant") is None


def test_a_blank_tenant_is_no_tenant() -> None:
    assert affinity_key("s", "  ") == affinity_key("s", "") == affinity_key("s")


def test_the_same_id_of_two_tenants_is_two_sessions() -> None:
    assert len({affinity_key("s", "a"), affinity_key("s", "b"), affinity_key("s")}) == 3


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (("a:b", ""), ("b", "a")),
        (("b:c", "a"), ("c", "a:b")),
        (("b:=c", "a"), ("c", "a:=b")),
        (("=s", "t"), ("s", "t=")),
        (("x" * 257, ""), ("x" * 258, "")),
        (("é", ""), ("e", "")),
    ],
)
def test_parts_cannot_be_shifted_between_tenant_and_session(one: tuple[str, str], other: tuple[str, str]) -> None:
    assert affinity_key(*one) != affinity_key(*other)


def test_the_hash_of_a_long_id_is_not_the_key_of_the_id_that_reads_like_it() -> None:
    key = affinity_key("x" * 300)
    assert key is not None
    assert affinity_key(key.rpartition("#")[2]) != key
    assert affinity_key("#" + key.rpartition("#")[2]) != key


@given(_TEXT, _TEXT, _TEXT, _TEXT)
def test_different_sessions_have_different_keys(session: str, tenant: str, other: str, other_tenant: str) -> None:
    if (session.strip(), tenant.strip()) != (other.strip(), other_tenant.strip()) and session.strip():
        assert affinity_key(session, tenant) != affinity_key(other, other_tenant)


@given(st.text(), st.text())
def test_a_key_is_short_and_printable(session: str, tenant: str) -> None:
    key = affinity_key(session, tenant)
    assert key is None or (len(key) <= 600 and key.isascii() and key.isprintable())


def test_half_a_surrogate_pair_is_as_good_an_id_as_any() -> None:
    assert affinity_key("\ud800") not in (None, affinity_key("\ud801"))
