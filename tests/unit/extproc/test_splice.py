import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from extproc.splice import replace_model

json_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**53), 2**53)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text() | st.just("model"), inner, max_size=4),
    max_leaves=20,
)


def test_only_the_value_of_model_changes() -> None:
    raw = b'{ "temperature" : 1.0,\t"model" : "openai/gpt-4o" , "big": 12345678901234567890123, "e": 1e400}'
    assert (
        replace_model(raw, "openai/gpt-4o", "gpt-4o")
        == b'{ "temperature" : 1.0,\t"model" : "gpt-4o" , "big": 12345678901234567890123, "e": 1e400}'
    )


@pytest.mark.parametrize(
    ("raw", "old"),
    [
        (b'{"model":"a","x":{"model":"a"}}', "a"),
        (b'{"model":"a","model":"b"}', "b"),
        (b'{"mod\\u0065l":"a","x":{"model":"a"}}', "a"),
        (b'{"model":7}', 7),
        (b'{"x":1}', None),
    ],
)
def test_a_document_in_which_the_place_is_not_certain_is_left_to_a_full_rewrite(raw: bytes, old: object) -> None:
    assert replace_model(raw, old, "new") is None


@given(st.dictionaries(st.text(), json_values, max_size=5), st.text(), st.text())
def test_a_spliced_document_equals_a_rewritten_one(rest: dict[str, object], old: str, new: str) -> None:
    try:
        raw = orjson.dumps({**rest, "model": old})
        orjson.dumps(new)
    except TypeError:  # lone surrogates are not JSON
        return
    spliced = replace_model(raw, old, new)
    if spliced is not None:
        assert orjson.loads(spliced) == {**orjson.loads(raw), "model": new}
