from __future__ import annotations

import anyio
import pytest
from hypothesis import given
from hypothesis import strategies as st

from provisioner.clock import VirtualClock
from provisioner.events import OutcomeRecorded, RunStarted, SettlingStarted
from provisioner.job import JobState, Outcome, Verdict
from provisioner.report import RunTally
from provisioner.stopping import Stop
from provisioner.window import DeadlineWatch, Window

NIGHT = Window(start=0.0, deadline=1_000.0, timeout=30.0)
seconds = st.floats(0, 100)


def answered(latency: float) -> OutcomeRecorded:
    return OutcomeRecorded(
        job_key="k",
        attempt=1,
        outcome=Outcome(verdict=Verdict.CREATED),
        state=JobState.CREATED,
        latency=latency,
        retry_in=None,
        at=0.0,
    )


def test_before_the_first_answer_calls_get_their_timeout() -> None:
    assert NIGHT.last_start(None, 0) == 970.0


def test_in_a_short_window_they_get_a_tenth_of_it() -> None:
    assert Window(start=0.0, deadline=10.0, timeout=30.0).last_start(None, 0) == 9.0


def test_fast_answers_leave_more_time() -> None:
    assert NIGHT.last_start(0.5, 0) == 998.0


def test_many_rows_take_time_to_write() -> None:
    assert NIGHT.last_start(0.5, 200_000) == 988.0


@given(seconds, seconds, st.integers(0, 10**6))
def test_slower_answers_never_leave_more_time(one: float, other: float, rows: int) -> None:
    faster, slower = sorted((one, other))
    assert NIGHT.last_start(slower, rows) <= NIGHT.last_start(faster, rows) <= NIGHT.deadline


@pytest.mark.parametrize(("latency", "at"), [(None, 970.0), (0.5, 998.0)])
def test_the_run_is_stopped_at_the_last_start(latency: float | None, at: float) -> None:
    clock, tally, stop = VirtualClock(epoch=0.0), RunTally(), Stop(anyio.Event())
    if latency is not None:
        tally(answered(latency))
    clock.run(DeadlineWatch(NIGHT, tally, stop, None).keep(clock))
    assert clock.time() == pytest.approx(at, abs=0.1)
    assert "leaves no time for another call" in stop.reason
    assert stop.error is None


@pytest.mark.parametrize(("until", "stopped"), [(900.0, False), (980.0, True)])
def test_what_would_be_settled_too_late_is_left(until: float, *, stopped: bool) -> None:
    stop = Stop(anyio.Event())
    watch = DeadlineWatch(NIGHT, RunTally(), stop, None)
    watch(RunStarted(campaign="c", counts={}, rate=1.0, concurrency=1, at=0.0))
    watch(SettlingStarted(ambiguous=1, until=until, at=100.0))
    assert stop.is_set() == stopped
