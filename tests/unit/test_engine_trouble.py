"""The worker pool, when calls do not go well."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from benchmarks.pacing.service import Gate, Quota
from provisioner import engine
from provisioner.errors import ExitCode
from provisioner.events import (
    BreakerClosed,
    BreakerOpened,
    ConnectorSetAside,
    OutcomeRecorded,
    RateChanged,
)
from provisioner.job import TOO_LATE, JobState, Outcome, Verdict
from provisioner.settings import PaceSettings
from tests.unit.sending_night import (
    CREATED,
    FORBIDDEN,
    MISSING,
    REFUSED,
    SICKNESSES,
    THROTTLED,
    UNAVAILABLE,
    UNREACHABLE,
    Night,
    always,
    first,
)


def test_a_retryable_outcome_is_tried_again(night: Night) -> None:
    night.run(first(THROTTLED))
    assert night.counts == {JobState.CREATED: 20}
    assert len(night.called) == 40


def test_a_retry_is_a_new_attempt_of_the_job(night: Night) -> None:
    night.run(first(THROTTLED))
    assert {row.attempts for row in night.core.reader().results(1)} == {2}


def test_a_job_fails_when_its_attempts_are_exhausted(night: Night) -> None:
    night.run(lambda name, _: UNAVAILABLE if name == "j5" else CREATED)
    assert night.counts == {JobState.CREATED: 19, JobState.FAILED: 1}
    assert night.called.count("j5") == 3


def test_throttles_exhaust_no_job(night: Night) -> None:
    night.run(lambda _name, nth: THROTTLED if nth <= 10 else CREATED)
    assert night.counts == {JobState.CREATED: 20}


def test_throttles_slow_the_lane_down(night: Night) -> None:
    night.pace = PaceSettings(rate=10.0)
    night.run(lambda _name, nth: THROTTLED if nth <= 10 else CREATED)
    changes = [event.rate for event in night.events if isinstance(event, RateChanged)]
    assert min(changes) <= 5.0


def test_throttles_without_end_end_the_run_as_misconfigured(night: Night) -> None:
    night.pace = PaceSettings(rate=10.0)
    stopped = night.run(always(THROTTLED))
    assert stopped is not None
    assert stopped.fatal_exit == ExitCode.CONFIGURATION
    assert night.counts == {JobState.PENDING: 20}
    assert 900.0 <= night.clock.monotonic() < 1000.0


@pytest.mark.parametrize("outcome", SICKNESSES)
def test_a_service_that_recovers_in_time_fails_no_job(night: Night, outcome: Outcome) -> None:
    night.pace = PaceSettings(rate=1000.0, max_attempts=1, retry_budget=1.0)
    night.run(lambda _name, _nth: outcome if night.clock.monotonic() < 300.0 else CREATED)
    ambiguous = night.counts.pop(JobState.AMBIGUOUS, 0)
    assert night.counts[JobState.CREATED] == 20 - ambiguous
    assert ambiguous <= night.most_calls_while_sick


def test_a_pause_and_its_end_are_told(night: Night) -> None:
    night.run(lambda _name, _nth: UNREACHABLE if night.clock.monotonic() < 10.0 else CREATED)
    told = [e for e in night.events if isinstance(e, BreakerOpened | BreakerClosed)]
    assert [type(e) for e in told] == [BreakerOpened] * (len(told) - 1) + [BreakerClosed]
    assert isinstance(told[0], BreakerOpened)
    assert (told[0].reason, told[0].seconds) == ("ConnectionRefused", 1.0)


@pytest.mark.parametrize("outcome", SICKNESSES)
def test_a_service_that_stays_sick_ends_the_run_and_fails_nothing(
    tmp_path: Path, outcome: Outcome
) -> None:
    with Night(tmp_path, jobs=600) as night:
        night.pace = PaceSettings(rate=1000.0, give_up=600.0)
        stopped = night.run(always(outcome))
        assert stopped is not None
        assert (stopped.verdict, stopped.fatal_exit) == (Verdict.FATAL, ExitCode.SERVICE)
        assert stopped.error_code == outcome.error_code
        ambiguous = night.counts.get(JobState.AMBIGUOUS, 0)
        assert night.counts[JobState.PENDING] == 600 - ambiguous
        assert len(night.called) <= night.most_calls_while_sick
        assert 600.0 <= night.clock.monotonic() < 601.0


@pytest.mark.parametrize("sick_from", [1.0, 2.5], ids=["searching", "measuring"])
def test_learning_a_rate_goes_on_after_the_breakers_pause(tmp_path: Path, sick_from: float) -> None:
    gate = Gate(Quota(rate=20.0, burst=4.0))
    with Night(tmp_path, jobs=400) as night:
        night.connections, night.pace = 64, PaceSettings(rate=None, retry_budget=4.0)

        def answer(_name: str, _nth: int) -> Outcome:
            now = night.clock.monotonic()
            if sick_from <= now < 300.0:
                return UNAVAILABLE
            return CREATED if gate.admit(now) else THROTTLED

        night.run(answer)
        assert night.lane.limiter.rate > 18.0
        assert night.clock.monotonic() < 350.0


def test_a_probe_is_alone_on_the_wire(night: Night) -> None:
    night.latency = 0.5
    night.prepare(lambda _name, _nth: UNREACHABLE if night.clock.monotonic() < 200.0 else CREATED)
    beside: list[int] = []

    def look() -> None:
        if night.lane.breaker.open_until is not None:
            beside.append(night.gateway.in_flight)

    night.gateway.at_call = look
    night.clock.run(night.engine.run())
    assert len(beside) >= 3
    assert set(beside) == {0}
    assert night.counts == {JobState.CREATED: 20}


def test_a_refused_job_fails_at_once(night: Night) -> None:
    night.run(always(REFUSED))
    assert night.counts == {JobState.FAILED: 20}
    assert len(night.called) == 20


def test_a_connector_that_is_missing_is_set_aside_alone(tmp_path: Path) -> None:
    with Night(tmp_path, jobs=20, connectors=("c", "gone")) as night:
        gone = {f"j{number}" for number in range(1, 21, 2)}
        assert night.run(lambda name, _: MISSING if name in gone else CREATED) is None
        assert night.counts == {JobState.CREATED: 10, JobState.PENDING: 10}
        assert night.engine.unusable == {"gone": "NotFoundException: no such connector"}
        assert len(gone & set(night.called)) <= night.connections
        set_aside = [event for event in night.events if isinstance(event, ConnectorSetAside)]
        assert [event.connector_id for event in set_aside] == ["gone"]


def test_the_jobs_of_a_connector_set_aside_cost_no_token(night: Night) -> None:
    night.pace = PaceSettings(rate=0.1)
    night.prepare(always(CREATED))
    night.engine.set_aside("c", "it is disabled")
    night.clock.run(night.engine.run())
    assert night.counts == {JobState.PENDING: 20}
    assert night.clock.monotonic() < 1.0


def test_a_job_that_waits_to_retry_holds_no_connection(night: Night) -> None:
    night.connections = 1
    patient = msgspec.structs.replace(THROTTLED, retry_after=100.0)
    night.run(lambda name, nth: patient if (name, nth) == ("j1", 1) else CREATED)
    waited = [name for at, name in night.gateway.calls if at > 90]
    assert waited == ["j1"]


def test_a_retry_that_is_due_goes_before_jobs_that_were_never_sent(night: Night) -> None:
    night.connections = 1
    soon = msgspec.structs.replace(THROTTLED, retry_after=0.5)
    night.run(lambda name, nth: soon if (name, nth) == ("j1", 1) else CREATED)
    assert night.called.index("j1", 1) < 10


def test_of_many_jobs_to_be_retried_the_last_ones_hold_their_connections(
    night: Night, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(engine, "_MOST_PUT_OFF", 2)
    patient = msgspec.structs.replace(THROTTLED, retry_after=100.0)
    night.run(lambda _, nth: patient if nth == 1 else CREATED)
    first_sent = [name for at, name in night.gateway.calls if at < 90]
    assert len(first_sent) == 2 + night.connections
    assert night.counts == {JobState.CREATED: 20}


def test_a_recorded_outcome_tells_latency_and_the_wait_until_the_retry(night: Night) -> None:
    night.run(first(THROTTLED))
    recorded = [e for e in night.events if isinstance(e, OutcomeRecorded)]
    assert {round(e.latency, 6) for e in recorded} == {0.1}
    assert {e.retry_in is None for e in recorded if e.state is JobState.CREATED} == {True}
    assert {e.retry_in is None for e in recorded if e.state is JobState.PENDING} == {False}


def test_an_intent_too_old_is_not_sent_and_its_job_has_another(night: Night) -> None:
    night.prepare(always(CREATED))
    night.stop_between_intent_and_call(61.0)
    night.clock.run(night.engine.run())
    assert night.counts == {JobState.CREATED: 20}
    assert len(night.called) == 20
    assert sorted(row.attempts for row in night.core.reader().results(1)) == [1] * 19 + [2]


def test_an_intent_too_old_fails_no_job_and_stops_no_lane(night: Night) -> None:
    night.pace = PaceSettings(rate=1000.0, max_attempts=1)
    night.prepare(always(CREATED))
    night.stop_between_intent_and_call(61.0)
    assert night.clock.run(night.engine.run()) is None
    assert night.counts == {JobState.CREATED: 20}


def test_a_call_that_was_not_sent_is_told_as_such(night: Night) -> None:
    night.prepare(always(CREATED))
    night.stop_between_intent_and_call(61.0)
    night.clock.run(night.engine.run())
    recorded = [event for event in night.events if isinstance(event, OutcomeRecorded)]
    assert [event.state for event in recorded if event.outcome == TOO_LATE] == [JobState.PENDING]
    assert len(recorded) == 21


def test_an_intent_within_the_fence_is_sent(night: Night) -> None:
    night.prepare(always(CREATED))
    night.stop_between_intent_and_call(59.0)
    night.clock.run(night.engine.run())
    assert {row.attempts for row in night.core.reader().results(1)} == {1}


@pytest.mark.parametrize("outcome", [FORBIDDEN, THROTTLED, REFUSED])
def test_an_answer_to_a_process_that_was_stopped_leaves_its_job_in_doubt(
    night: Night, outcome: Outcome
) -> None:
    night.latency = 301.0
    night.pace = PaceSettings(rate=1000.0, retry_budget=100.0, give_up=1e6)
    assert night.run(always(outcome)) is None
    assert night.counts == {JobState.AMBIGUOUS: 20}
