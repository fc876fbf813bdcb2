"""The whole table, by section, in the order of the document."""

from tests.faults import clients, machine, processes, providers, smuggling
from tests.faults.case import Case

SECTIONS: dict[str, list[Case]] = {
    "The provider fails": providers.CASES,
    "The client is wrong, slow or hostile": clients.CASES,
    "Requests that two readers could read differently": smuggling.CASES,
    "The gateway's own processes and stores fail": processes.CASES,
    "The machine fails": machine.CASES,
}
