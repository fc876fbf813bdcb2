"""Whatever a file holds, loading it gives a configuration or a ConfigError, and a configuration comes back."""

import copy
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from planoctl.config.findings import ConfigError
from planoctl.config.pipeline import LoadedConfig, dump_rendered, load_config, load_document, load_rendered
from planoctl.config.schema import document_schema
from tests.fuzz.effort import examples

_DATA = Path(__file__).parents[1] / "data"
_REFERENCE = yaml.safe_load((_DATA / "plano_config_full_reference.yaml").read_text())
_REFERENCE_TEXT = (_DATA / "plano_config_full_reference.yaml").read_bytes()
_ENVIRONMENT = {
    "NAME": "value",
    "EMPTY": "",
    "PORT": "8080",
    "URL": "http://h/v1",
    "NASTY": "a: [\n$NAME\x00",
    "BYTES": "\udcff",
} | {f"{name}_API_KEY": "key" for name in ("OPENAI", "ANTHROPIC", "MISTRAL", "GROQ", "CUSTOM")}

_words = st.sampled_from(
    ["", "*", "/", "openai/*", "openai/gpt-4o", "custom/x", "claude/a/b", "http://h", "https://[::1]:8/x", "http://[",
     "h:80", "[::1", "30s", "1ms", "$NAME", "${NAME", "${NO:-x}", "$PORT", "$URL", "$NASTY", "$BYTES",
     "$EMPTY", "$UNSET", "$$", "v0.1", "v0.4.0", "model", "agent", "prompt", "cost", "latency", "postgres", "redis",
     "posthog", "openai",
     "a b", "\x00", "\ud800", "é", "\u2028", "0.0.0.0", "x" * 300]
)  # fmt: skip
_scalars = st.one_of(
    st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=8), _words, st.binary(max_size=3)
)


def _keys() -> list[str]:
    """Every key the schema knows."""
    found: set[str] = set()

    def walk(node: Any) -> None:
        if isinstance(node, dict):
            found.update(map(str, node.get("properties", {})))
            for value in node.values():
                walk(value)
        elif isinstance(node, list):
            for value in node:
                walk(value)

    walk(document_schema())
    return sorted(found)


_documents = st.recursive(
    _scalars,
    lambda inner: st.one_of(
        st.lists(inner, max_size=4),
        st.dictionaries(st.one_of(st.sampled_from(_keys()), st.integers(), _words), inner, max_size=5),
    ),
    max_leaves=30,
)
_slow = examples(150)


def _says_something(error: ConfigError) -> None:
    assert error.findings
    assert all(finding.message and "\n" not in finding.message for finding in error.findings)
    str(error).encode()


def _comes_back(config: LoadedConfig, folder: Path) -> None:
    path = folder / "rendered.yaml"
    path.write_text(dump_rendered(config.document), encoding="utf-8")
    load_rendered(path, config.secrets)


def _load(document: Any) -> None:
    try:
        config = load_document(document, environment=_ENVIRONMENT)
    except ConfigError as error:
        _says_something(error)
        return
    with tempfile.TemporaryDirectory() as folder:
        _comes_back(config, Path(folder))


@given(_documents)
@_slow
def test_any_data_loads_or_is_refused(document: Any) -> None:
    _load(document)


@given(st.dictionaries(st.sampled_from(sorted(document_schema()["properties"])), _documents, max_size=4))
@_slow
def test_any_sections_load_or_are_refused(sections: dict[str, Any]) -> None:
    _load({"version": "v0.4.0", "listeners": [], **sections})


def _places(node: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    children = node.items() if isinstance(node, dict) else enumerate(node) if isinstance(node, list) else ()
    return [path, *(place for key, child in children for place in _places(child, (*path, key)))]


_PLACES = _places(_REFERENCE)[1:]


@given(st.lists(st.tuples(st.sampled_from(_PLACES), st.one_of(_scalars, _documents)), min_size=1, max_size=4))
@examples(400)
def test_the_reference_with_anything_in_any_place_loads_or_is_refused(changes: list[tuple[Any, Any]]) -> None:
    document = copy.deepcopy(_REFERENCE)
    for path, value in changes:
        parent = document
        try:
            for key in path[:-1]:
                parent = parent[key]
            parent[path[-1]] = value
        except (TypeError, KeyError, IndexError):
            continue
    _load(document)


@given(st.integers(0, len(_REFERENCE_TEXT)), st.integers(0, 40), st.binary(max_size=6))
@_slow
def test_a_file_with_any_bytes_in_any_place_loads_or_is_refused(at: int, cut: int, put: bytes) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "config.yaml"
        path.write_bytes(_REFERENCE_TEXT[:at] + put + _REFERENCE_TEXT[at + cut :])
        try:
            config = load_config(path, environment=_ENVIRONMENT)
        except ConfigError as error:
            _says_something(error)
            return
        _comes_back(config, Path(folder))


@given(st.text(alphabet="[]{}:,-?&*!|>'\"%@` \n\t#<=~ab01.$", max_size=60))
@_slow
def test_any_punctuation_loads_or_is_refused(text: str) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "config.yaml"
        path.write_text(text)
        with pytest.raises(ConfigError):
            load_config(path, environment={})
        with pytest.raises(ConfigError):
            load_rendered(path, {})


@given(_documents)
@_slow
def test_any_rendered_file_loads_or_is_refused(document: Any) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "rendered.yaml"
        path.write_text(yaml.dump(document), encoding="utf-8")
        try:
            load_rendered(path, {})
        except ConfigError as error:
            _says_something(error)


_LAUGHS = "a0: &a0 [x, x, x, x, x, x, x, x, x]\n" + "".join(
    f"a{level}: &a{level} [{', '.join([f'*a{level - 1}'] * 9)}]\n" for level in range(1, 12)
)
_BOMBS = {
    "a billion laughs": _LAUGHS,
    "laughs by merge keys": "a: &a {x: 1}\n"
    + "".join(
        f"b{level}: &b{level} {{<<: [{', '.join(['*a'] * 60)}], k{level}: *{'a' if level == 0 else f'b{level - 1}'}}}\n"
        for level in range(30)
    ),
    "an alias of itself": "a: &a [*a]\n",
    "deep lists": "a: " + "[" * 100_000,
    "deep mappings": "".join(" " * level + "a:\n" for level in range(2_000)),
    "deep flow mappings": "{a: " * 50_000,
    "a huge number": "version: " + "9" * 4_000_000,
    "a huge hexadecimal number": "version: 0x" + "f" * 4_000_000,
    "a huge number in base sixty": "version: " + "1" + ":59" * 500_000,
    "a huge exponent": "overrides: {routing_timeout_ms: 1e999999999}",
    "many keys": "".join(f"k{number}: 1\n" for number in range(200_000)),
    "one key many times": "version: v0.4.0\n" * 100_000,
    "many anchors": "".join(f"- &a{number} x\n" for number in range(100_000)),
    "a long line of quotes": '"' + "\\u0041" * 500_000 + '"',
    "many documents": "--- a\n" * 100_000,
    "many directives": "%YAML 1.1\n" * 10_000,
    "a long key": "? " + "k" * 4_000_000 + "\n: 1\n",
    "references in references": "system_prompt: " + "${A:-" * 200_000,
    "many references": "model_providers: [{model: openai/x, access_key: '" + "$OPENAI_API_KEY" * 200_000 + "'}]",
}
_SECONDS, _BYTES = 20, 1_500_000_000


@pytest.mark.parametrize("text", _BOMBS.values(), ids=_BOMBS)
def test_a_bomb_is_refused_within_bounded_time_and_memory(text: str, tmp_path: Path) -> None:
    path = tmp_path / "config.yaml"
    path.write_text(text)
    program = f"""
import resource
resource.setrlimit(resource.RLIMIT_AS, ({_BYTES}, {_BYTES}))
resource.setrlimit(resource.RLIMIT_CPU, ({_SECONDS}, {_SECONDS}))
from pathlib import Path
from planoctl.config.findings import ConfigError
from planoctl.config.pipeline import load_config
try:
    load_config(Path({str(path)!r}), environment={{"OPENAI_API_KEY": "x" * 1000}})
except ConfigError as error:
    assert len(str(error)) < 200_000, len(str(error))
print("done")
"""
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, timeout=4 * _SECONDS, check=False
    )
    assert done.stdout == "done\n", done.stderr[-2000:]
