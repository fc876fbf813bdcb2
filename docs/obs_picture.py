"""Draws the console as docs/obs.md shows it: `python docs/obs_picture.py [FILE.svg [COLUMNS ROWS [KEYS...]]]`.

The calls come from tests/data/obs/spans.jsonl. KEYS are pressed before the picture is taken, such as `tab` or `enter`.
"""

import asyncio
import re
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))

from planoctl.obs.app import ObsApp  # noqa: E402 — after the path is set
from planoctl.obs.pricing import Prices  # noqa: E402
from planoctl.obs.sources import FileSource  # noqa: E402
from planoctl.obs.store import CallStore  # noqa: E402

SPANS = ROOT / "tests" / "data" / "obs" / "spans.jsonl"
_WEB_FONTS = re.compile(r"@font-face \{.*?\}\n?", re.DOTALL)


async def picture(columns: int, rows: int, keys: list[str]) -> str:
    """The console in SVG."""
    prices = Prices()
    store = CallStore(1000, prices)
    app = ObsApp(store, FileSource(SPANS), price_source=prices.source, clock=lambda: _newest(store) + 4_000_000_000)
    async with app.run_test(size=(columns, rows)) as pilot:
        await app.workers.wait_for_complete()
        app.draw()
        await pilot.press(*keys)
        await pilot.pause()
        drawn = app.export_screenshot(title="planoctl obs")
    # The picture must not fetch anything, and is to be drawn in the font of whoever looks at it.
    return re.sub(_WEB_FONTS, "", drawn).replace("Fira Code", "monospace")


def _newest(store: CallStore) -> int:
    return max(call.start_ns for call in store.snapshot())


if __name__ == "__main__":
    target = Path(sys.argv[1]) if len(sys.argv) > 1 else ROOT / "docs" / "images" / "obs.svg"
    size = [int(argument) for argument in sys.argv[2:4]] or [120, 38]
    target.write_text(asyncio.run(picture(size[0], size[1], sys.argv[4:])), encoding="utf-8")
