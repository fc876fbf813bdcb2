import itertools

from hypothesis import given
from hypothesis import strategies as st

from planoctl.config.clusters import RESERVED_CLUSTERS, UpstreamIdentity, cluster_names

_identities = st.builds(
    UpstreamIdentity,
    st.sampled_from(["openai", "ollama", "brightstaff"]),
    st.sampled_from(["box", "box_http", "box_8080", "box_http_8080"]),
    st.sampled_from(["http", "https"]),
    st.sampled_from([80, 443, 8080]),
    st.sampled_from([None, "box", "other", "8080"]),
)


def test_one_upstream_has_the_short_name() -> None:
    box = UpstreamIdentity("openai", "box", "http", 8000)
    assert cluster_names([box]) == {box: "openai_box"}


def test_upstreams_that_share_a_host_are_told_apart() -> None:
    variants = [
        UpstreamIdentity("openai", "box", "https", 443),
        UpstreamIdentity("openai", "box", "https", 8443),
        UpstreamIdentity("openai", "box", "http", 80),
        UpstreamIdentity("openai", "box", "http", 8443),
        UpstreamIdentity("openai", "box", "https", 443, "other.example.com"),
    ]
    names = cluster_names(variants)
    assert [names[variant] for variant in variants] == [
        "openai_box",
        "openai_box_8443",
        "openai_box_http",
        "openai_box_http_8443",
        "openai_box_other.example.com",
    ]


def test_a_host_header_that_repeats_the_host_is_no_difference() -> None:
    plain = UpstreamIdentity("openai", "box", "https", 443)
    repeated = UpstreamIdentity("openai", "box", "https", 443, "Box")
    assert set(cluster_names([plain, repeated]).values()) == {"openai_box"}


@given(st.lists(_identities, max_size=12), st.randoms())
def test_names_tell_identities_apart_and_do_not_depend_on_order(identities: list[UpstreamIdentity], random) -> None:
    names = cluster_names(identities)
    for one, other in itertools.combinations(names, 2):
        assert (names[one] == names[other]) == (one.normalised() == other.normalised())
    assert RESERVED_CLUSTERS.isdisjoint(names.values())
    shuffled = list(identities)
    random.shuffle(shuffled)
    assert cluster_names(shuffled) == names
