"""The JSON Schema of the YAML: findings with suggestions, and what the schema says of each part of a document."""

import difflib
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import jsonschema
import yaml

from planoctl.config.findings import DocumentPath, Report, shorten, show
from planoctl.resources import config_folder

Schema = Mapping[str, Any]
_LOADER: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_MAX_SHOWN_CHOICES = 40
_ROUNDS = 4
_ENTRY_DEPTH = 2  # the entries of a section: `model_providers[1]`, `overrides.disable_signals`


@lru_cache(maxsize=1)
def document_schema() -> Schema:
    """The shipped JSON Schema."""
    text = (config_folder() / "plano_config_schema.yaml").read_text(encoding="utf-8")
    schema: Schema = yaml.load(text, Loader=_LOADER)  # noqa: S506 — a safe loader, the fast one where it is there
    return schema


@lru_cache(maxsize=1)
def _validator() -> jsonschema.Draft7Validator:
    return jsonschema.Draft7Validator(document_schema())


@dataclass(frozen=True, slots=True)
class Shape:
    """All subschemas that apply to one place of a document."""

    schemas: tuple[Schema, ...]

    @classmethod
    def of_document(cls, document: Any) -> "Shape":
        return cls(tuple(_applicable(document_schema(), document)))

    def child(self, key: str | int, value: Any) -> "Shape":
        found = [part for schema in self.schemas for part in _child_schemas(schema, key)]
        return Shape(tuple(part for schema in found for part in _applicable(schema, value)))

    @property
    def types(self) -> frozenset[str]:
        """The JSON types that are allowed; empty if nothing says."""
        return frozenset(name for schema in self.schemas for name in _as_list(schema.get("type", [])))

    @property
    def secret(self) -> bool:
        return any(schema.get("x-secret") for schema in self.schemas)

    @property
    def text(self) -> bool:
        return any(schema.get("x-text") for schema in self.schemas)

    @property
    def open(self) -> bool:
        return any(schema.get("x-open") for schema in self.schemas)

    @property
    def keys(self) -> frozenset[str]:
        return frozenset(key for schema in self.schemas for key in schema.get("properties", ()))


def map_scalars(document: Any, change: Callable[[Any, Shape, DocumentPath], Any], *, shape: Shape | None = None) -> Any:
    """A copy of a document with `change(value, shape, path)` applied to every scalar."""

    def walk(value: Any, shape: Shape, path: DocumentPath) -> Any:
        if isinstance(value, dict):
            return {key: walk(item, shape.child(key, item), (*path, key)) for key, item in value.items()}
        if isinstance(value, list):
            return [walk(item, shape.child(index, item), (*path, index)) for index, item in enumerate(value)]
        return change(value, shape, path)

    return walk(document, shape or Shape.of_document(document), ())


def validate(document: Any, report: Report, *, excused: frozenset[DocumentPath] = frozenset()) -> Any:
    """Report every fault; returns what is left of the document when the faulty parts are taken out.

    Paths in `excused` have a finding already. What is returned has the right types throughout, so later steps need no
    defence; it is None if nothing can be judged.
    """
    _report_open_keys(document, report)
    shape = Shape.of_document(document)
    faults = _faults(document)
    for fault in faults:
        if any(fault.path[: len(path)] == path for path in excused):
            continue
        if report.full("error"):
            report.omit("error")
        else:
            fault.tell(report, shape, document)
    rest = _without(document, {_cut(fault) for fault in faults} | {path[:_ENTRY_DEPTH] for path in excused}, report)
    # Taking out a part may leave its section without a required key; a section gone leaves only the root incomplete.
    for _ in range(_ROUNDS):
        if not isinstance(rest, dict):
            return None
        cuts = {cut for fault in _faults(rest) if (cut := _cut(fault))}
        if not cuts:
            return rest
        rest = _without(rest, cuts, report)
    return None


@dataclass(frozen=True, slots=True)
class _SchemaFault:
    path: DocumentPath
    keyword: str
    expected: Any
    value: Any
    key: str | None = None
    known: tuple[str, ...] = ()

    def tell(self, report: Report, root: Shape, document: Any) -> None:
        if self.key is not None and self.keyword == "required":
            message = f"'{self.key}' is a required property"
            report.error("missing-key", message, self.path, _REQUIRED_REMEDIES.get(self.key, f"add `{self.key}:`"))
        elif self.key is not None:
            key = shorten(self.key)
            message = f"Additional properties are not allowed ('{key}' was unexpected)"
            report.error_at_key("unknown-key", message, self.path, self.key, suggestion(self.key, self.known))
        else:
            shown = "the value (hidden)" if _is_secret(root, document, self.path) else show(self.value)
            code, message, remedy = _describe(self.keyword, self.expected, shown, self.value)
            report.error(code, message, self.path, remedy)


_REQUIRED_REMEDIES = {
    "version": "add `version: v0.4.0`",
    "listeners": "add a list `listeners:` with one entry such as {type: model, name: llm, port: 12000}",
    "connection_string": "connection_string is required for postgres state_storage: "
    "add `connection_string: $DATABASE_URL`",
}


def suggestion(key: str, known: tuple[str, ...]) -> str:
    """What to write instead of an unknown key."""
    close = difflib.get_close_matches(key[:100], known, n=1)
    if close:
        return f"did you mean '{close[0]}'?"
    return f"remove it; known keys are {', '.join(sorted(known))}" if known else "remove it"


def _describe(keyword: str, expected: Any, shown: str, value: Any) -> tuple[str, str, str | None]:
    if keyword == "type":
        names = _as_list(expected)
        scalar = isinstance(value, bool | int | float)
        remedy = "put the value in quotes" if "string" in names and scalar else f"write {_article(names)}"
        return "wrong-type", f"{shown} is not of type {', '.join(map(repr, names))}", remedy
    if keyword == "enum":
        close = difflib.get_close_matches(str(value)[:100], [str(choice) for choice in expected], n=1)
        remedy = f"did you mean '{close[0]}'?" if close else f"use one of {', '.join(map(str, expected))}"
        return "unknown-value", f"{shown} is not one of {expected[:_MAX_SHOWN_CHOICES]}", remedy
    if keyword == "minimum":
        return "out-of-range", f"{shown} is less than the minimum of {expected}", f"write at least {expected}"
    if keyword == "maximum":
        return "out-of-range", f"{shown} is greater than the maximum of {expected}", f"write at most {expected}"
    if keyword == "minItems":
        return "empty-list", "The list is empty", f"write at least {expected} entry"
    if keyword == "minLength":
        return "empty-text", "The text is empty", "write a name"
    return "invalid-value", f"{shown} is not valid here ({keyword})", None


_ARTICLES = {"integer": "a whole number", "number": "a number", "object": "a mapping (key: value)", "array": "a list",
             "boolean": "true or false", "string": "a text"}  # fmt: skip


def _article(names: list[str]) -> str:
    return " or ".join(_ARTICLES.get(name, name) for name in names)


def _faults(document: Any) -> list[_SchemaFault]:
    """Every fault once; a value of the wrong type has no other fault."""
    found = {
        (fault.path, fault.keyword, fault.key): fault
        for error in _validator().iter_errors(document)
        for fault in _split(error)
    }
    mistyped = {fault.path for fault in found.values() if fault.keyword == "type"}
    return [fault for fault in found.values() if fault.keyword == "type" or fault.path not in mistyped]


def _split(error: jsonschema.ValidationError) -> Iterator[_SchemaFault]:
    """One fault per missing or unknown key, where the validator lumps them together."""
    fields: Any = error  # the stubs take every field for possibly unset
    path: DocumentPath = tuple(error.absolute_path)
    keyword, expected, value, schema = str(error.validator), fields.validator_value, fields.instance, fields.schema
    if keyword == "required":
        for key in expected:
            if key not in value:
                yield _SchemaFault(path, keyword, expected, None, key)
    elif keyword == "additionalProperties":
        known = tuple(schema.get("properties", ()))
        for key in value:
            if key not in known:
                yield _SchemaFault(path, keyword, expected, None, key, known)
    else:
        yield _SchemaFault(path, keyword, expected, value)


def _is_secret(root: Shape, document: Any, path: DocumentPath) -> bool:
    shape, value = root, document
    for key in path:
        value = value[key]
        shape = shape.child(key, value)
        if shape.secret:
            return True
    return False


def _report_open_keys(document: Any, report: Report) -> None:
    """Unknown keys where the schema takes any: they do nothing, so a typing error deserves a word."""

    def walk(value: Any, shape: Shape, path: DocumentPath) -> None:
        if not isinstance(value, dict):
            return
        for key, item in value.items():
            if shape.open and key not in shape.keys and report.full("warning"):
                report.omit("warning")
            elif shape.open and key not in shape.keys:
                remedy = suggestion(key, tuple(shape.keys))
                report.warning("unknown-key", f"Unknown key '{shorten(key)}' has no effect", (*path, key), remedy)
            walk(item, shape.child(key, item), (*path, key))

    walk(document, Shape.of_document(document), ())


def _cut(fault: _SchemaFault) -> DocumentPath:
    """What to take out so that the rest can be judged: an unknown key alone, else the whole entry."""
    if fault.keyword == "additionalProperties" and fault.key is not None:
        return (*fault.path, fault.key)
    return fault.path[:_ENTRY_DEPTH]


def _without(document: Any, cuts: set[DocumentPath], report: Report) -> Any:
    """A copy of the document without some of its parts; remaining list entries keep their origin."""
    moves: dict[DocumentPath, DocumentPath] = {}
    for cut in cuts:
        if 0 < len(cut) <= _ENTRY_DEPTH:
            report.damage(str(cut[0]))

    def walk(value: Any, path: DocumentPath, now: DocumentPath) -> Any:
        if isinstance(value, dict):
            return {k: walk(v, (*path, k), (*now, k)) for k, v in value.items() if (*path, k) not in cuts}
        if isinstance(value, list):
            kept = [index for index in range(len(value)) if (*path, index) not in cuts]
            for new, old in enumerate(kept):
                if new != old:
                    moves[(*now, new)] = (*path, old)
            return [walk(value[old], (*path, old), (*now, new)) for new, old in enumerate(kept)]
        return value

    rest = walk(document, (), ())
    if moves:
        report.moved(moves)
    return rest


def _applicable(schema: Any, value: Any) -> Iterator[Schema]:
    """A schema and everything it refers to that applies to `value`."""
    if not isinstance(schema, Mapping):
        return
    if "$ref" in schema:
        yield from _applicable(_resolve(schema["$ref"]), value)
        return
    yield schema
    for part in schema.get("allOf", ()):
        yield from _applicable(part, value)
    if "if" in schema:
        branch = "then" if _validator().evolve(schema=schema["if"]).is_valid(value) else "else"
        yield from _applicable(schema.get(branch), value)


def _resolve(reference: str) -> Any:
    schema: Any = document_schema()
    for part in reference.removeprefix("#/").split("/"):
        schema = schema[part]
    return schema


def _child_schemas(schema: Schema, key: str | int) -> Iterator[Any]:
    if isinstance(key, int):
        if "items" in schema:
            yield schema["items"]
        return
    if key in schema.get("properties", ()):
        yield schema["properties"][key]
        return
    matching = [part for pattern, part in schema.get("patternProperties", {}).items() if re.search(pattern, key)]
    if matching:
        yield from matching
    elif "additionalProperties" in schema:
        yield schema["additionalProperties"]


def _as_list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]
