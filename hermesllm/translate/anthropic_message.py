"""What an Anthropic message says, in the shapes a Chat client reads: arguments, annotations."""

from typing import Any

from hermesllm.reading import text_or_empty
from hermesllm.translate.event_stream import encode


def tool_arguments(value: Any) -> str:
    """The arguments text of a tool input. Raises InvalidUpstreamResponse."""
    return encode(value).decode() if isinstance(value, dict) else "{}"


class Annotations:
    """Citations of an answer: those of web pages as Chat's `annotations`, others as they are in `citations`."""

    def __init__(self) -> None:
        self.annotations: list[dict[str, Any]] = []
        self.citations: list[dict[str, Any]] = []

    def add(self, citations: list[dict[str, Any]], start: int, end: int) -> None:
        """The citations of the answer's text from character `start` to `end`."""
        for citation in citations:
            url = text_or_empty(citation.get("url"))
            if url:
                cited = {
                    "url": url,
                    "title": text_or_empty(citation.get("title")),
                    "start_index": start,
                    "end_index": end,
                }
                self.annotations.append({"type": "url_citation", "url_citation": cited})
            else:
                self.citations.append({"start_index": start, "end_index": end, "citation": citation})

    def members(self) -> dict[str, Any]:
        both = {"annotations": self.annotations, "citations": self.citations}
        return {name: found for name, found in both.items() if found}

    def indexed(self, annotations: int, citations: int) -> dict[str, Any]:
        """The members as a stream delta; SDKs merge lists by `index`, counted on from what was sent before."""
        starts = {"annotations": annotations, "citations": citations}
        return {
            name: [{"index": index, **entry} for index, entry in enumerate(found, starts[name])]
            for name, found in self.members().items()
        }
