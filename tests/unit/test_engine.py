"""The worker pool: each job once, its intent first."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import anyio
import msgspec
import pytest

from provisioner.events import (
    CallSent,
    ConcurrencyChanged,
    OutcomeRecorded,
)
from provisioner.job import JobState
from provisioner.settings import PaceSettings
from tests.unit.sending_night import (
    CREATED,
    LOST,
    THROTTLED,
    UNAVAILABLE,
    Night,
    always,
    first,
)


def test_every_pending_job_is_called_once(night: Night) -> None:
    night.run(always(CREATED))
    assert sorted(night.called) == sorted(f"j{number}" for number in range(1, 21))
    assert night.counts == {JobState.CREATED: 20}


def test_an_intent_is_durable_before_its_call(night: Night) -> None:
    night.prepare(always(CREATED))

    def check() -> None:
        in_flight = night.core.counts()[JobState.IN_FLIGHT]
        assert in_flight == night.gateway.in_flight + 1

    night.gateway.at_call = check
    night.clock.run(night.engine.run())
    assert night.counts == {JobState.CREATED: 20}


def test_no_more_calls_are_in_flight_than_there_are_connections(night: Night) -> None:
    night.run(always(CREATED))
    assert night.gateway.most_in_flight == 4


def test_the_rate_is_kept(night: Night) -> None:
    night.pace = PaceSettings(rate=2.0)
    night.run(always(CREATED))
    times = [at for at, _ in night.gateway.calls]
    gaps = [later - earlier for earlier, later in pairwise(times)]
    assert gaps == pytest.approx([0.5] * 19)


def test_attempts_of_earlier_runs_do_not_count_towards_the_most(night: Night) -> None:
    patient = msgspec.structs.replace(UNAVAILABLE, retry_after=100.0)
    night.pace = PaceSettings(rate=1000.0, max_attempts=2, retry_budget=100.0)
    night.run_and_drain(always(patient), after=50.0)
    assert night.counts == {JobState.PENDING: 20}
    night.core.select(1)
    night.run(lambda _name, nth: UNAVAILABLE if nth == 1 else CREATED)
    assert night.counts == {JobState.CREATED: 20}


def test_an_ambiguous_job_is_never_sent_again(night: Night) -> None:
    night.run(always(LOST))
    assert night.counts == {JobState.AMBIGUOUS: 20}
    assert len(night.called) == 20


def test_a_limit_bounds_the_jobs_of_a_run(night: Night) -> None:
    night.run(always(CREATED), limit=7)
    assert night.counts == {JobState.CREATED: 7, JobState.PENDING: 13}


def test_a_limit_bounds_the_jobs_of_all_runs_together(night: Night) -> None:
    night.prepare(always(CREATED))
    night.clock.run(night.engine.run(limit=7))
    night.clock.run(night.engine.run(limit=7))
    assert night.counts == {JobState.CREATED: 7, JobState.PENDING: 13}


def test_a_job_that_is_sent_again_counts_once_towards_the_limit(night: Night) -> None:
    night.prepare(always(LOST))
    night.clock.run(night.engine.run(limit=7))
    night.send_one_back()
    night.clock.run(night.engine.run(limit=7))
    assert len(night.called) == 8
    assert len(set(night.called)) == 7


def test_a_limit_of_more_than_a_claim_is_kept(tmp_path: Path) -> None:
    with Night(tmp_path, jobs=600) as night:
        night.latency, night.pace = 0.0, PaceSettings(rate=100_000.0)
        night.run(always(CREATED), limit=400)
        assert night.counts == {JobState.CREATED: 400, JobState.PENDING: 200}


def test_as_many_more_calls_are_in_flight_as_are_asked_for_within_the_pool(night: Night) -> None:
    night.pool, night.latency = 10, 1.0
    night.prepare(always(CREATED))

    async def both() -> None:
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(night.engine.run)
            await night.clock.sleep(0.5)
            before = night.gateway.in_flight
            for wanted in (7, 3, 40, 50):
                night.engine.widen(wanted)
                await night.clock.sleep(0.05)
            assert (before, night.gateway.in_flight) == (4, 10)

    night.clock.run(both())
    assert [
        event.connections for event in night.events if isinstance(event, ConcurrencyChanged)
    ] == [7, 10]


def test_every_call_is_told_before_and_after(night: Night) -> None:
    night.run(first(THROTTLED))
    sent = [(e.job_key, e.attempt) for e in night.events if isinstance(e, CallSent)]
    recorded = [(e.job_key, e.attempt) for e in night.events if isinstance(e, OutcomeRecorded)]
    assert sorted(sent) == sorted(recorded)
    assert len(sent) == 40


def test_a_recorded_outcome_tells_what_the_ledger_took(night: Night) -> None:
    night.prepare(always(CREATED))
    night.stop_between_intent_and_call(2.0)
    night.clock.run(night.engine.run())
    recorded = [e.recording for e in night.events if isinstance(e, OutcomeRecorded)]
    assert max(recorded) == pytest.approx(2.0, abs=0.01)


def test_a_session_is_sure_however_long_it_took(night: Night) -> None:
    night.latency = 301.0
    night.run(always(CREATED))
    assert night.counts == {JobState.CREATED: 20}
