"""The console's few styles, by name; they also have to read well without colours."""

from functools import cache

from rich.style import Style

BRAND = "#969FF4"

_STYLES = {
    "": "",
    "dim": "#8a8a8a",
    "head": "bold #b8b8b8",
    "brand": BRAND,
    "strong": "bold",
    "good": "#5fd787",
    "fair": "#e5c07b",
    "poor": "#ff6b6b",
    "warn": "bold #e5c07b",
    "bad": "bold #ff6b6b",
    "cursor": "bold on #3a3d5c",
    "wait": "#e5c07b",
    "generate": "#5fd787",
}


@cache
def style(name: str) -> Style:
    return Style.parse(_STYLES[name])
