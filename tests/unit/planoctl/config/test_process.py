import subprocess
import sys

_PROGRAM = """
import logging
from planoctl.config.process import start_logging
start_logging("info")
logging.getLogger("httpx").info("HTTP Request: POST https://collector/v1/traces?api-key=SECRET")
logging.getLogger("brightstaff").info("shown")
"""


def test_urls_that_are_called_stay_out_of_the_log() -> None:
    done = subprocess.run([sys.executable, "-c", _PROGRAM], capture_output=True, text=True, timeout=60, check=True)
    assert "SECRET" not in done.stderr
    assert "shown" in done.stderr
