"""Citations of Claude, in the shapes of the Messages API and of Amazon Bedrock Converse, both ways."""

from typing import Any

from hermesllm.reading import count_or_none, object_or_empty, objects_in, text_or_empty

# Messages type → member of Converse's location, and the Messages names of its index, start and end.
_LOCATIONS = {
    "char_location": ("documentChar", "document_index", "start_char_index", "end_char_index"),
    "page_location": ("documentPage", "document_index", "start_page_number", "end_page_number"),
    "content_block_location": ("documentChunk", "document_index", "start_block_index", "end_block_index"),
    "search_result_location": (
        "searchResultLocation", "search_result_index", "start_block_index", "end_block_index",
    ),
}  # fmt: skip
_TYPES = {member: kind for kind, (member, *_) in _LOCATIONS.items()}


def to_citation(found: dict[str, Any]) -> dict[str, Any]:
    """The Messages citation of a Converse citation."""
    location = object_or_empty(found.get("location"))
    cited = "".join(text_or_empty(piece.get("text")) for piece in objects_in(found.get("sourceContent")))
    title = text_or_empty(found.get("title")) or None
    web = object_or_empty(location.get("web"))
    member = next((name for name in location if name in _TYPES), "")
    if not member:
        url = text_or_empty(web.get("url")) or text_or_empty(found.get("source"))
        kind = "web_search_result_location"
        return {"type": kind, "cited_text": cited, "url": url, "title": title, "encrypted_index": ""}
    kind = _TYPES[member]
    _, index, start, end = _LOCATIONS[kind]
    place = object_or_empty(location[member])
    position = place.get("searchResultIndex" if kind == "search_result_location" else "documentIndex")
    citation: dict[str, Any] = {"type": kind, "cited_text": cited, index: count_or_none(position) or 0}
    if kind == "search_result_location":
        citation |= {"source": text_or_empty(found.get("source")), "title": title}
    else:
        citation["document_title"] = title
    return citation | {start: count_or_none(place.get("start")) or 0, end: count_or_none(place.get("end")) or 0}


def from_citation(citation: dict[str, Any]) -> dict[str, Any]:
    """The Converse citation of a Messages citation."""
    kind = text_or_empty(citation.get("type"))
    found: dict[str, Any] = {}
    title = text_or_empty(citation.get("title")) or text_or_empty(citation.get("document_title"))
    if title:
        found["title"] = title
    if text_or_empty(citation.get("source")):
        found["source"] = citation["source"]
    if text_or_empty(citation.get("cited_text")):
        found["sourceContent"] = [{"text": citation["cited_text"]}]
    if kind in _LOCATIONS:
        member, index, start, end = _LOCATIONS[kind]
        place = "searchResultIndex" if kind == "search_result_location" else "documentIndex"
        wanted = {place: citation.get(index), "start": citation.get(start), "end": citation.get(end)}
        counts = {name: count for name, value in wanted.items() if (count := count_or_none(value)) is not None}
        found["location"] = {member: counts}
    elif text_or_empty(citation.get("url")):
        found["location"] = {"web": {"url": citation["url"]}}
    return found
