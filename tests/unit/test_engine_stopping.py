"""The worker pool, when it is to stop."""

from __future__ import annotations

import msgspec
import pytest

from provisioner.errors import CannotWriteError
from provisioner.events import (
    DrainStarted,
    OutcomeUnrecorded,
)
from provisioner.job import JobState, Outcome
from provisioner.pacing import BucketLimiter
from tests.unit.sending_night import (
    CREATED,
    FORBIDDEN,
    THROTTLED,
    UNREACHABLE,
    Night,
    always,
)


def test_a_fatal_verdict_stops_the_lane_and_leaves_the_rest_pending(night: Night) -> None:
    assert night.run(lambda name, _: FORBIDDEN if name == "j6" else CREATED) == FORBIDDEN
    counts = night.counts
    assert counts[JobState.CREATED] + counts[JobState.PENDING] == 20
    assert len(night.called) <= 6 + night.connections


def test_draining_records_what_is_in_flight_and_starts_nothing(night: Night) -> None:
    night.run_and_drain(always(CREATED), after=0.05)
    assert night.counts == {JobState.CREATED: 4, JobState.PENDING: 16}


def test_draining_leaves_a_waiting_retry_pending_and_does_not_wait_for_it(night: Night) -> None:
    patient = msgspec.structs.replace(THROTTLED, retry_after=100.0)
    night.run_and_drain(always(patient), after=50.0)
    assert night.counts == {JobState.PENDING: 20}
    assert len(night.called) == 20
    assert night.clock.monotonic() == 50.0


def test_draining_does_not_wait_for_a_service_that_is_unwell(night: Night) -> None:
    night.run_and_drain(always(UNREACHABLE), after=200.5)
    assert night.counts == {JobState.PENDING: 20}
    assert night.clock.monotonic() == pytest.approx(200.5, abs=0.2)


def test_a_token_that_comes_with_the_drain_is_not_used(night: Night) -> None:
    class Draining(BucketLimiter):
        async def take(self) -> None:
            await super().take()
            night.engine.drain("told")

    night.prepare(always(CREATED))
    night.lane.limiter.__class__ = Draining
    night.clock.run(night.engine.run())
    assert night.called == []
    assert night.counts == {JobState.PENDING: 20}


def test_draining_says_how_many_calls_are_in_flight(night: Night) -> None:
    night.run_and_drain(always(CREATED), after=0.05)
    assert [e.in_flight for e in night.events if isinstance(e, DrainStarted)] == [4]


def test_draining_before_the_start_sends_nothing(night: Night) -> None:
    night.prepare(always(CREATED))
    night.engine.drain("told")
    night.engine.drain("told again")
    night.clock.run(night.engine.run())
    assert night.counts == {JobState.PENDING: 20}
    assert len(night.events) == 1


def test_a_ledger_that_fails_stops_the_run_and_says_so(night: Night) -> None:
    night.prepare(always(CREATED))
    night.gateway.at_call = lambda: night.core._connection.execute("PRAGMA query_only = 1")
    with pytest.raises(CannotWriteError):
        night.clock.run(night.engine.run())
    night.core._connection.execute("PRAGMA query_only = 0")
    assert night.counts[JobState.IN_FLIGHT] == len(night.called)


def test_an_outcome_that_cannot_be_recorded_is_told(night: Night) -> None:
    night.prepare(always(CREATED))
    night.gateway.at_call = lambda: night.core._connection.execute("PRAGMA query_only = 1")
    with pytest.raises(CannotWriteError):
        night.clock.run(night.engine.run())
    night.core._connection.execute("PRAGMA query_only = 0")
    told = [event for event in night.events if isinstance(event, OutcomeUnrecorded)]
    assert sorted(event.job_key for event in told) == sorted(night.called)
    assert {(event.attempt, event.outcome) for event in told} == {(1, CREATED)}


def test_a_limiter_that_fails_finds_the_outcome_recorded(night: Night) -> None:
    class Failing(BucketLimiter):
        def observe(self, outcome: Outcome, *, sent_at: float) -> None:
            raise ZeroDivisionError(outcome, sent_at)

    night.prepare(always(CREATED))
    night.lane.limiter.__class__ = Failing
    with pytest.raises(ZeroDivisionError):
        night.clock.run(night.engine.run())
    assert night.counts[JobState.CREATED] == len(night.called)
