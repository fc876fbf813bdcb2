"""A value for a JSON Schema, always the same one: the arguments of mock tool calls and structured answers."""

import math
from typing import Any

_STRINGS = {
    "date": "2024-05-17",
    "time": "12:30:00Z",
    "date-time": "2024-05-17T12:30:00Z",
    "email": "mock@example.com",
    "uri": "https://example.com/mock",
    "url": "https://example.com/mock",
    "uuid": "00000000-0000-4000-8000-000000000000",
    "hostname": "example.com",
    "ipv4": "192.0.2.1",
    "ipv6": "2001:db8::1",
}
_MAX_DEPTH = 8


def sample(schema: object, name: str = "value", *, root: object = None, depth: int = 0) -> Any:
    """A value that satisfies the usual keywords of `schema`; strings say which property (`name`) they fill."""
    if not isinstance(schema, dict) or depth > _MAX_DEPTH:
        return f"mock {name}" if schema is True else None
    root = schema if root is None else root
    for keyword in ("const", "default"):
        if keyword in schema:
            return schema[keyword]
    for keyword in ("enum", "examples"):
        if schema.get(keyword):
            return schema[keyword][0]
    if "$ref" in schema:
        return sample(_resolve(root, str(schema["$ref"])), name, root=root, depth=depth + 1)
    for keyword in ("anyOf", "oneOf", "allOf"):
        options = [option for option in schema.get(keyword, []) if option != {"type": "null"}]
        if options:
            return sample(options[0], name, root=root, depth=depth + 1)
    return _of_type(schema, name, root, depth)


def _of_type(schema: dict[str, Any], name: str, root: object, depth: int) -> Any:
    match _type(schema):
        case "object":
            return _object(schema, root, depth)
        case "array":
            count = max(1, schema.get("minItems", 1))
            return [sample(schema.get("items", True), name, root=root, depth=depth + 1) for _ in range(count)]
        case "integer":
            return int(_within(schema, 7))
        case "number":
            return float(_within(schema, 1.5))
        case "boolean":
            return True
        case "null":
            return None
        case _:
            text: str = _STRINGS.get(schema.get("format", ""), f"mock {name}")
            return text.ljust(schema.get("minLength", 0), "x")[: schema.get("maxLength")]


def _type(schema: dict[str, Any]) -> str:
    kind = schema.get("type")
    if isinstance(kind, list):
        kind = next((member for member in kind if member != "null"), "null")
    return kind if isinstance(kind, str) else "object" if "properties" in schema else "string"


def _object(schema: dict[str, Any], root: object, depth: int) -> dict[str, Any]:
    properties: dict[str, Any] = schema.get("properties", {})
    required = schema.get("required", [])
    # A schema that contains itself through an optional property must come to an end.
    names = properties if depth < _MAX_DEPTH // 2 else [key for key in properties if key in required]
    return {key: sample(properties[key], key, root=root, depth=depth + 1) for key in names}


def _within(schema: dict[str, Any], number: float) -> float:
    low: float = max(schema.get("minimum", -math.inf), schema.get("exclusiveMinimum", -math.inf) + 1)
    high: float = min(schema.get("maximum", math.inf), schema.get("exclusiveMaximum", math.inf) - 1)
    return min(max(number, low), high)


def _resolve(root: object, reference: str) -> object:
    target = root
    for part in reference.removeprefix("#").strip("/").split("/"):
        target = target.get(part, {}) if isinstance(target, dict) else {}
    return target
