"""Writes what a case expects, as the library translates it: a draft that its author reviews line by line.

    python -m tests.conformance.expect 'responses-chat/*'

Needs `meta.json`, `request.json` and, unless the gateway refuses the request, `upstream_response.*` in each folder.
"""

import json
import re
import sys
from pathlib import Path
from typing import Any

from hermesllm.error_bodies import read_upstream_error, render_error
from hermesllm.errors import GatewayError
from hermesllm.formats import Format
from hermesllm.providers import PROVIDERS
from hermesllm.translate import Context, translator

CASES = Path(__file__).parent / "cases"


def expect(folder: Path) -> None:
    meta = json.loads((folder / "meta.json").read_bytes())
    request = json.loads((folder / "request.json").read_bytes())
    client, upstream = Format(meta["client"]), Format(meta["upstream"])
    context = Context(PROVIDERS[meta["provider"]], meta["model"])
    cell = translator(client, upstream, context)
    try:
        _write(folder / "upstream_request.json", cell.request(request))
        if context.dropped and client is not upstream and "contains" not in meta:
            meta["response_headers"] = {"x-plano-dropped-params": ", ".join(dict.fromkeys(context.dropped))}
            _write(folder / "meta.json", meta)
        _answer(folder, meta, cell, client, upstream)
    except GatewayError as error:
        report = error.report().about(provider=meta["provider"], model=meta["model"])
        meta["status"] = report.status
        _write(folder / "meta.json", meta)
        _write(folder / "response.json", _without_context(json.loads(render_error(client, report))))


def _answer(folder: Path, meta: dict[str, Any], cell: Any, client: Format, upstream: Format) -> None:
    (path,) = folder.glob("upstream_response.*")
    body = path.read_bytes()
    if meta.get("upstream_status", 200) >= 400:
        kind = meta.get("upstream_headers", {}).get("content-type", "application/json")
        report = read_upstream_error(upstream, meta["upstream_status"], kind, body)
        _write(folder / "response.json", _without_context(json.loads(render_error(client, report))))
    elif path.suffix == ".sse" and meta["stream"]:
        stream = cell.stream()
        out = stream.decode(body) + stream.flush()
        out = re.sub(rb" ?\[provider [^\]]*\](?: [^\"]*)?", b"", out)
        (folder / "response.sse").write_bytes(out.replace(b',"request_id":null', b""))
    elif path.suffix == ".sse":
        _write(folder / "response.json", cell.response_from_stream(body))
    elif meta["stream"]:
        (folder / "response.sse").write_bytes(cell.response_as_stream(json.loads(body)))
    else:
        _write(folder / "response.json", cell.response(json.loads(body)))


def _without_context(document: dict[str, Any]) -> dict[str, Any]:
    """An error without what only this gateway adds to it."""
    error = document["error"]
    error["message"] = error["message"].partition(" [provider")[0]
    for name in ("provider", "model", "remedy"):
        error.pop(name, None)
    document.pop("request_id", None)
    return document


def _write(path: Path, document: Any) -> None:
    path.write_text(json.dumps(document, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")


if __name__ == "__main__":
    for pattern in sys.argv[1:]:
        for found in sorted(CASES.glob(pattern)):
            expect(found)
