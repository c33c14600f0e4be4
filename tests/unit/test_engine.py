from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from itertools import pairwise
from pathlib import Path
from random import Random
from typing import Self

import anyio
import msgspec
import pytest

from provisioner.clock import VirtualClock
from provisioner.engine import Engine
from provisioner.errors import CannotWriteError, ExitCode
from provisioner.events import (
    BreakerClosed,
    BreakerOpened,
    CallSent,
    ConcurrencyChanged,
    ConnectorSetAside,
    DrainStarted,
    Event,
    OutcomeRecorded,
    OutcomeUnrecorded,
    RateChanged,
)
from provisioner.gateway import BackoffPolicy
from provisioner.job import TOO_LATE, Attempt, Job, JobState, Outcome, Row, Verdict
from provisioner.lane import Lane
from provisioner.ledger import ImmediateLedger, LedgerSettlement, SqliteLedger
from provisioner.pacing import BucketLimiter, CircuitBreaker, build_limiter
from provisioner.record import Layout, NewCampaign
from provisioner.rulings import Decision, Ruling
from provisioner.session import ConnectorProxy, Session, SessionPage, SessionRequest
from provisioner.settings import PaceSettings

CREATED = Outcome(verdict=Verdict.CREATED, session=Session(proxy_session_id="s"))
THROTTLED = Outcome(verdict=Verdict.RETRYABLE, status=429, throttled=True)
UNREACHABLE = Outcome(verdict=Verdict.RETRYABLE, error_code="ConnectionRefused", answered=False)
UNAVAILABLE = Outcome(
    verdict=Verdict.RETRYABLE, status=503, error_code="ServiceUnavailableException"
)
BROKEN = Outcome(verdict=Verdict.AMBIGUOUS, status=500, error_code="ServiceFailureException")
LOST = Outcome(verdict=Verdict.AMBIGUOUS, answered=False)
SICKNESSES = (UNAVAILABLE, UNREACHABLE, BROKEN, LOST)
REFUSED = Outcome(verdict=Verdict.REFUSED, status=400, error_code="BadRequestException")
MISSING = Outcome(
    verdict=Verdict.FATAL,
    status=404,
    error_code="NotFoundException",
    message="no such connector",
    connector_only=True,
)
FORBIDDEN = Outcome(verdict=Verdict.FATAL, status=403, error_code="ForbiddenException")

Script = Callable[[str, int], Outcome]


class ScriptedGateway:
    """Answers each call as a script says, after a latency in virtual seconds."""

    def __init__(self, clock: VirtualClock, script: Script, latency: float) -> None:
        self.calls: list[tuple[float, str]] = []
        self.at_call: Callable[[], None] = lambda: None
        self.in_flight = self.most_in_flight = 0
        self._clock = clock
        self._script = script
        self._latency = latency

    async def create(self, request: SessionRequest, *, not_after: float) -> Outcome:
        if self._clock.time() > not_after:
            return TOO_LATE
        name = request.name or ""
        self.calls.append((self._clock.monotonic(), name))
        self.at_call()
        self.in_flight += 1
        self.most_in_flight = max(self.most_in_flight, self.in_flight)
        await self._clock.sleep(self._latency)
        self.in_flight -= 1
        return self._script(name, [each for _, each in self.calls].count(name))

    async def connector_proxy(self, connector_id: str) -> ConnectorProxy:
        raise NotImplementedError(connector_id)

    async def list_sessions(
        self, connector_id: str, next_token: str | None = None
    ) -> SessionPage | Outcome:
        raise NotImplementedError(connector_id, next_token)


class Night:
    """An engine over a real ledger of `jobs` rows, in virtual time."""

    def __init__(self, folder: Path, jobs: int, connectors: Sequence[str] = ("c",)) -> None:
        self._connectors = connectors
        self.clock = VirtualClock()
        self.events: list[Event] = []
        self.core = SqliteLedger(folder / "ledger.db", self.clock.time)
        self.jobs = jobs
        self.pace = PaceSettings(rate=1000.0, max_attempts=3)
        self.connections = 4
        self.pool: int | None = None
        self.latency = 0.1

    def __enter__(self) -> Self:
        self.core.__enter__()
        campaign = NewCampaign(name="n", input_name="n", input_sha256="0", defaults="{}")
        with self.core.begin_intake(campaign) as intake:
            intake.add([self._row(number) for number in range(1, self.jobs + 1)])
            self.core.select(intake.commit(Layout(format="csv")).id)
        return self

    def __exit__(self, *_: object) -> None:
        self.core.__exit__(None, None, None)

    def _row(self, number: int) -> Row:
        request = SessionRequest(
            voice_connector_id=self._connectors[number % len(self._connectors)],
            participants=("+1", "+2"),
            capabilities=(),
            name=f"j{number}",
        )
        return Row(number=number, line=number, cells="[]", key=f"j{number}", request=request)

    def stop_between_intent_and_call(self, seconds: float) -> None:
        """The first intent takes so long to become durable."""
        ledger, clock = self.engine._sender._ledger, self.clock
        pauses = [seconds]

        class Stopping(ImmediateLedger):
            async def open_attempt(self, job: Job) -> Attempt:
                attempt = await ledger.open_attempt(job)
                clock.now += pauses.pop() if pauses else 0.0
                return attempt

        self.engine._sender._ledger = Stopping(self.core)

    def send_one_back(self) -> None:
        """Settling finds that the first ambiguous job has no session."""
        settlement = LedgerSettlement(ImmediateLedger(self.core))

        async def settle() -> None:
            (question,) = await settlement.questions(0, 1)
            decision = Decision(question=question, ruling=Ruling.RESEND, listed_at=0.0)
            await settlement.record([decision])

        self.clock.run(settle())

    def prepare(self, script: Script) -> None:
        self.gateway = ScriptedGateway(self.clock, script, self.latency)
        self.lane = lane = Lane(
            gateway=self.gateway,
            limiter=build_limiter(self.pace, self.clock, self.events.append),
            breaker=CircuitBreaker(give_up=self.pace.give_up, budget=self.pace.retry_budget),
            retry=BackoffPolicy(self.pace.max_attempts, Random(1)),
            connections=self.connections,
            pool=self.pool,
        )
        self.engine = Engine(ImmediateLedger(self.core), lane, self.clock, self.events.append)

    def run(self, script: Script, limit: int | None = None) -> Outcome | None:
        self.prepare(script)
        return self.clock.run(self.engine.run(limit))

    def run_and_drain(self, script: Script, *, after: float) -> None:
        self.prepare(script)

        async def both() -> None:
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(self.engine.run)
                await self.clock.sleep(after)
                self.engine.drain("told")

        self.clock.run(both())

    @property
    def counts(self) -> dict[JobState, int]:
        return self.core.counts()

    @property
    def most_calls_while_sick(self) -> float:
        """The budget, what was in flight when it was spent, and the probes of ten minutes."""
        return self.pace.retry_budget + self.connections + 16

    @property
    def called(self) -> list[str]:
        return [name for _, name in self.gateway.calls]


@pytest.fixture
def night(tmp_path: Path) -> Iterator[Night]:
    with Night(tmp_path, jobs=20) as night:
        yield night


def always(outcome: Outcome) -> Script:
    return lambda _name, _nth: outcome


def first(outcome: Outcome) -> Script:
    """The outcome at each job's first call, a session at the next."""
    return lambda _name, nth: outcome if nth == 1 else CREATED


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


def test_attempts_of_earlier_runs_do_not_count_towards_the_most(night: Night) -> None:
    patient = msgspec.structs.replace(UNAVAILABLE, retry_after=100.0)
    night.pace = PaceSettings(rate=1000.0, max_attempts=2, retry_budget=100.0)
    night.run_and_drain(always(patient), after=50.0)
    assert night.counts == {JobState.PENDING: 20}
    night.core.select(1)
    night.run(lambda _name, nth: UNAVAILABLE if nth == 1 else CREATED)
    assert night.counts == {JobState.CREATED: 20}


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


def test_an_ambiguous_job_is_never_sent_again(night: Night) -> None:
    night.run(always(LOST))
    assert night.counts == {JobState.AMBIGUOUS: 20}
    assert len(night.called) == 20


def test_a_fatal_verdict_stops_the_lane_and_leaves_the_rest_pending(night: Night) -> None:
    assert night.run(lambda name, _: FORBIDDEN if name == "j6" else CREATED) == FORBIDDEN
    counts = night.counts
    assert counts[JobState.CREATED] + counts[JobState.PENDING] == 20
    assert len(night.called) <= 6 + night.connections


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


def test_a_session_is_sure_however_long_it_took(night: Night) -> None:
    night.latency = 301.0
    night.run(always(CREATED))
    assert night.counts == {JobState.CREATED: 20}
