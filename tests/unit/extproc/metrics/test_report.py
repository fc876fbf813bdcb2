"""Reports to brightstaff, which may be away."""

from extproc.latency import Latencies
from extproc.metrics.report import Reporter
from extproc.metrics.tally import Tally
from extproc.routing import RoutingClient
from plano_pb import routing_pb2 as pb
from planoctl.config.metric_families import FAILOVERS


class _Brightstaff(RoutingClient):
    def __init__(self) -> None:
        super().__init__("unix:/nowhere")
        self.away = False
        self.taken: list[pb.Tally] = []

    async def observe(self, observations: pb.Observations) -> bool:
        if not self.away:
            self.taken.append(observations.tally)
        return not self.away


def told(family: str, tallies: list[pb.Tally], *labels: str) -> list[float]:
    return [
        sum(count.value for count in each.counts if count.family == family and tuple(count.labels) == labels)
        for each in tallies
    ]


def failovers(tally: pb.Tally) -> float:
    return sum(count.value for count in tally.counts if count.family == FAILOVERS.name)


async def test_what_was_not_taken_is_sent_again_as_it_was_and_the_rest_behind_it() -> None:
    brightstaff, tally = _Brightstaff(), Tally()
    reporter = Reporter("extproc-0", tally, Latencies(), brightstaff, faults=lambda: 0, lost_spans=lambda: 0)
    counter = tally.counter(FAILOVERS, "openai", "a")
    brightstaff.away = True
    for _ in range(3):
        counter.add()
        await reporter.report()
    brightstaff.away = False
    await reporter.report()
    assert [(each.number, failovers(each)) for each in brightstaff.taken] == [(1, 1.0), (2, 2.0)]
    assert len({each.process for each in brightstaff.taken}) == 1


async def test_a_worker_tells_of_itself() -> None:
    brightstaff = _Brightstaff()
    faults, lost = [2, 2, 5], [0, 4, 4]
    reporter = Reporter(
        "extproc-3", Tally(), Latencies(), brightstaff,
        faults=lambda: faults.pop(0), lost_spans=lambda: lost.pop(0),
    )  # fmt: skip
    for _ in range(3):
        await reporter.report()
    levels = {level.family: level.value for level in brightstaff.taken[0].levels}
    assert {level.labels[0] for level in brightstaff.taken[0].levels} == {"extproc-3"}
    assert levels["extproc_active_callouts"] == 0
    assert levels["extproc_resident_memory_bytes"] > 1e6
    assert 1.5e9 < levels["extproc_start_time_seconds"] < 1e11
    assert told("extproc_access_log_faults_total", brightstaff.taken) == [2, 0, 3]
    assert told("plano_spans_lost_total", brightstaff.taken, "sidecar") == [0, 4, 0]
    assert [each.number for each in brightstaff.taken] == [1, 2, 3]
