"""No time-out, pause or limit may go by the wall clock, which jumps; a source that reads it is listed here with why."""

import re
from pathlib import Path

ROOT = Path(__file__).parents[2]
WALL_CLOCK = re.compile(r"\btime\.time(_ns)?\(|default_factory=time\.time|\bdatetime\.(now|utcnow|today)\(")
READERS = {
    "brightstaff/telemetry/decisions.py": "when a span began",
    "hermesllm/prices.py": "the prices of today",
    "hermesllm/translate/chat_to_anthropic_response.py": "`created` of an answer",
    "hermesllm/translate/chat_to_gemini_response.py": "`created` of an answer",
    "hermesllm/translate/chat_to_responses_response.py": "`created` of an answer",
    "hermesllm/translate/chat_writer.py": "`created` of an answer",
    "hermesllm/translate/responses_object.py": "`created_at` of an answer",
    "planoctl/cli/trace_query.py": "how old the traces may be that a person asks for",
    "planoctl/config/edge_files.py": "whether a certificate has run out",
    "planoctl/obs/calls.py": "the time of a call whose span tells none",
    "planoctl/rollout/clusters.py": "since when a cluster is retired, across processes; a jump only keeps it longer",
    "planoctl/config/reloads.py": "when the last reload was, for people",
    "planoctl/cli/status.py": "how long a process has run, beside the start time that the system tells",
    "planoctl/supervise/child.py": "since when a process is in its phase, for people",
    "planoctl/supervise/state.py": "the same",
    "planoctl/supervise/supervisor.py": "the same",
}


def test_only_what_shows_a_date_reads_the_wall_clock() -> None:
    found = set()
    for package in ("hermesllm", "planoctl", "extproc", "brightstaff"):
        for path in (ROOT / package).rglob("*.py"):
            name = path.relative_to(ROOT).as_posix()
            if "mock_provider" not in name and WALL_CLOCK.search(path.read_text(encoding="utf-8")):
                found.add(name)
    assert found == set(READERS)
