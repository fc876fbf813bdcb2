"""The quick cases of the fault table; `make faults` tries all of them and writes docs/faults.md."""

from collections.abc import Iterator

import pytest

from tests.faults.case import Case, tried
from tests.faults.site import Site, site
from tests.faults.table import SECTIONS

pytestmark = pytest.mark.envoy

QUICK = [case for cases in SECTIONS.values() for case in cases if case.quick]


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    with site(tmp_path_factory.mktemp("faults")) as made:
        yield made


@pytest.mark.parametrize("case", QUICK, ids=lambda case: case.fault)
def test_a_fault_is_seen_as_the_table_says_and_the_next_request_works(place: Site, case: Case) -> None:
    tried(case, place)


def test_no_two_cases_have_the_same_name() -> None:
    names = [case.fault for cases in SECTIONS.values() for case in cases]
    assert len(names) == len(set(names))
