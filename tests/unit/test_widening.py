from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from provisioner.clock import VirtualClock
from provisioner.events import ConcurrencyLimits, Event, OutcomeRecorded
from provisioner.job import JobState, Outcome, Verdict
from provisioner.lane import Lane
from provisioner.pacing import build_limiter
from provisioner.report import RunTally
from provisioner.settings import PaceSettings
from provisioner.widening import Widening, connections_for


@pytest.mark.parametrize(
    ("rate", "p99", "connections"),
    [(50.0, 0.1, 8), (1000.0, 0.4, 600), (1000.0, None, 0), (0.0, 0.4, 0)],
)
def test_it_is_rate_times_latency_and_half_as_much_again(
    rate: float, p99: float | None, connections: int
) -> None:
    assert connections_for(rate, p99) == connections


@given(st.floats(0.01, 1e5), st.floats(0.0, 30.0), st.floats(0.0, 30.0))
def test_slower_answers_never_ask_for_fewer(rate: float, one: float, other: float) -> None:
    faster, slower = sorted((one, other))
    assert connections_for(rate, faster) <= connections_for(rate, slower)


class Night:
    """A lane of 64 connections, 512 at most, at 1,000/s, whose calls take `latency` seconds."""

    def __init__(self, latency: float | None) -> None:
        self.asked, self.events = list[int](), list[Event]()
        limiter = build_limiter(PaceSettings(rate=1000.0), VirtualClock(), self.events.append)
        lane = Lane(
            gateway=None,  # type: ignore[arg-type]
            limiter=limiter,
            breaker=None,  # type: ignore[arg-type]
            retry=None,  # type: ignore[arg-type]
            connections=64,
            pool=512,
        )
        tally = RunTally()
        for _ in range(10 if latency else 0):
            tally(_answered(latency or 0.0))
        self.widening = Widening(self, lane, tally, self.events.append)  # type: ignore[arg-type]

    def widen(self, wanted: int) -> None:
        self.asked.append(wanted)


def _answered(latency: float) -> OutcomeRecorded:
    return OutcomeRecorded(
        job_key="k",
        attempt=1,
        outcome=Outcome(verdict=Verdict.CREATED),
        state=JobState.CREATED,
        latency=latency,
        retry_in=None,
        at=0.0,
    )


@pytest.mark.parametrize(("latency", "asked"), [(None, 0), (0.1, 150), (0.4, 600)])
def test_an_engine_is_asked_for_what_rate_and_latency_need(
    latency: float | None, asked: int
) -> None:
    night = Night(latency)
    night.widening.look(1.0)
    assert night.asked == [pytest.approx(asked, rel=0.02)]
    assert night.events == []


def test_a_rate_that_the_most_connections_cannot_reach_is_told_once() -> None:
    night = Night(1.0)
    night.widening.look(1.0)
    night.widening.look(2.0)
    assert night.events == [
        ConcurrencyLimits(connections=512, reachable=pytest.approx(512, rel=0.02), at=1.0)
    ]
