"""Contents that probes send: small files as base64, their URLs, a JSON schema."""

PICTURE = "iVBORw0KGgoAAAANSUhEUg=="
PICTURE_DATA = f"data:image/png;base64,{PICTURE}"
PICTURE_URL = "https://example.com/cat.png"
PDF = "JVBERi0xLjQKJSVFT0Y="
PDF_DATA = f"data:application/pdf;base64,{PDF}"
PDF_URL = "https://example.com/plan.pdf"
SOUND = "UklGRiQAAABXQVZF"
SCHEMA = {
    "type": "object",
    "properties": {"city": {"type": "string"}},
    "required": ["city"],
    "additionalProperties": False,
}
