"""The checks that OpenAI's APIs share, and how they word their refusals."""

from collections.abc import Collection, Mapping

from planoctl.mock_provider.validation import InvalidRequestError, Json, is_integer, is_number


def refuse_unknown(mapping: Json, known: Collection[str], where: str = "") -> None:
    """Raises `InvalidRequestError` for a member that the API does not know."""
    for name in mapping:
        if name not in known:
            param = f"{where}.{name}" if where else name
            raise InvalidRequestError(f"Unknown parameter: '{param}'.", param, "unknown_parameter")


def check_numbers(request: Json, ranges: Mapping[str, tuple[float, float]], least_integers: Mapping[str, int]) -> None:
    """Raises `InvalidRequestError` for a decimal out of its range, or an integer below its least value."""
    for name, (low, high) in ranges.items():
        value = request.get(name)
        if value is not None and not is_number(value):
            raise wrong_type(name, "a decimal", value)
        if value is not None and not low <= value <= high:
            raise InvalidRequestError(
                f"Invalid '{name}': decimal value out of range. Expected a value between {low} and {high}.", name
            )
    for name, minimum in least_integers.items():
        value = request.get(name)
        if value is not None and not is_integer(value):
            raise wrong_type(name, "an integer", value)
        if value is not None and value < minimum:
            raise InvalidRequestError(
                f"Invalid '{name}': integer below minimum value. Expected a value >= {minimum}, but got {value}"
                " instead.",
                name,
                "integer_below_min_value",
            )


def missing(param: str) -> InvalidRequestError:
    return InvalidRequestError(f"Missing required parameter: '{param}'.", param, "missing_required_parameter")


def wrong_type(param: str, expected: str, value: object) -> InvalidRequestError:
    got = "null" if value is None else f"a {type(value).__name__}"
    return InvalidRequestError(
        f"Invalid type for '{param}': expected {expected}, but got {got} instead.", param, "invalid_type"
    )


def wrong_value(param: str, value: object, supported: tuple[str, ...]) -> InvalidRequestError:
    names = ", ".join(f"'{name}'" for name in supported)
    return InvalidRequestError(f"Invalid value: '{value}'. Supported values are: {names}.", param, "invalid_value")
