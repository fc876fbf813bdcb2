"""Values made from JSON Schemas satisfy them."""

import jsonschema
import pytest

from planoctl.mock_provider.samples import sample


@pytest.mark.parametrize(
    "schema",
    [
        {"type": "object", "properties": {"a": {"type": "string", "minLength": 20, "maxLength": 25}}},
        {"type": "integer", "minimum": 10, "maximum": 12},
        {"type": "number", "exclusiveMaximum": 0},
        {"type": "array", "items": {"type": "boolean"}, "minItems": 3},
        {"enum": ["x", "y"]},
        {"const": {"a": 1}},
        {"type": ["null", "string"]},
        {"anyOf": [{"type": "null"}, {"type": "integer"}]},
        {"properties": {"day": {"type": "string", "format": "date"}}, "required": ["day"]},
        {"$ref": "#/$defs/point", "$defs": {"point": {"type": "object", "properties": {"x": {"type": "number"}}}}},
        {
            "$ref": "#/$defs/node",
            "$defs": {
                "node": {
                    "type": "object",
                    "properties": {"name": {"type": "string"}, "next": {"$ref": "#/$defs/node"}},
                    "required": ["name"],
                }
            },
        },
    ],
)
def test_sample_satisfies_the_schema(schema):
    jsonschema.validate(sample(schema), schema)
