"""The settler over a real ledger and the emulated service, in virtual time."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from random import Random
from typing import Any, Self

import anyio
import msgspec
import pytest

from provisioner.clock import VirtualClock
from provisioner.emulator.emulator import Emulator
from provisioner.emulator.faults import parse_faults
from provisioner.emulator.gateway import EmulatedGateway
from provisioner.emulator.settings import CONNECTOR, EmulatorSettings
from provisioner.engine import Engine
from provisioner.errors import ServiceError
from provisioner.events import (
    AuditAwaited,
    Event,
    JobSettled,
    ListingFailed,
    OutcomeRecorded,
    SettlingStarted,
    StrayFound,
)
from provisioner.gateway import BackoffPolicy
from provisioner.job import JobState, Outcome, Row, Verdict
from provisioner.lane import Lane
from provisioner.ledger import ImmediateLedger, LedgerSettlement, SqliteLedger
from provisioner.pacing import CircuitBreaker, build_limiter
from provisioner.record import Layout, NewCampaign
from provisioner.rulings import Decision, Ruling, SettlePolicy, Stray
from provisioner.session import ConnectorProxy, SessionPage, SessionRequest, session_name
from provisioner.settings import PaceSettings
from provisioner.wiring import settling

FORBIDDEN = Outcome(verdict=Verdict.FATAL, status=403, error_code="AccessDenied", fatal_exit=77)
SILENCE = Outcome(verdict=Verdict.AMBIGUOUS, answered=False)
THROTTLED = Outcome(verdict=Verdict.RETRYABLE, status=429, throttled=True)
UNWELL = Outcome(verdict=Verdict.RETRYABLE, status=503, error_code="ServiceUnavailableException")


class Gateway(EmulatedGateway):
    """Counts listings; a script may answer one instead."""

    def __init__(self, *arguments: Any, **more: Any) -> None:
        super().__init__(*arguments, **more)
        self.listed: list[str] = []
        self.script: Callable[[str | None], SessionPage | Outcome | None] = lambda _: None

    async def list_sessions(
        self, connector_id: str, next_token: str | None = None
    ) -> SessionPage | Outcome:
        self.listed.append(connector_id)
        return self.script(next_token) or await super().list_sessions(connector_id, next_token)


class Night:
    """A campaign of `jobs` rows against an emulated service."""

    def __init__(self, folder: Path, jobs: int = 20, **service: Any) -> None:
        self.clock = VirtualClock()
        self.wall = 0.0
        self.events: list[Event] = []
        self.core = SqliteLedger(folder / "ledger.db", self.time)
        self.emulator = Emulator(EmulatorSettings(pool_size=400, **service))
        self.gateway = Gateway(self.emulator, self)
        self.jobs = jobs
        self.connectors = [CONNECTOR]
        self.name: Callable[[int], str] = lambda number: session_name("n", f"j{number}")
        self.policy = SettlePolicy(settle=900.0)

    def time(self) -> float:
        """A wall clock that can be set: `wall` seconds ahead."""
        return self.clock.time() + self.wall

    def monotonic(self) -> float:
        return self.clock.monotonic()

    async def sleep(self, seconds: float) -> None:
        await self.clock.sleep(seconds)

    def __enter__(self) -> Self:
        self.core.__enter__()
        campaign = NewCampaign(name="n", input_name="n", input_sha256="0", defaults="{}")
        with self.core.begin_intake(campaign) as intake:
            intake.add([self._row(number) for number in range(1, self.jobs + 1)])
            self.core.select(intake.commit(Layout(format="csv")).id)
        pace = PaceSettings(rate=100.0, max_attempts=3)
        self.lane = Lane(
            gateway=self.gateway,
            limiter=build_limiter(pace, self, self.events.append),
            breaker=CircuitBreaker(give_up=900.0, budget=10_000.0),
            retry=BackoffPolicy(3, Random(1)),
            connections=4,
        )
        self.ledger = ImmediateLedger(self.core)
        self.settlement = LedgerSettlement(self.ledger)
        self.prepare()
        return self

    def __exit__(self, *_: object) -> None:
        self.core.__exit__(None, None, None)

    def prepare(self) -> None:
        self.engine = Engine(self.ledger, self.lane, self, self.events.append)
        self.settler, self.auditor = settling(
            self.settlement, self.lane, self, self.policy, self.events.append
        )

    def _row(self, number: int) -> Row:
        request = SessionRequest(
            voice_connector_id=self.connectors[number % len(self.connectors)],
            participants=(f"+1206555{number:04}", f"+1312555{number:04}"),
            capabilities=("Voice",),
            name=self.name(number),
        )
        return Row(number=number, line=number, cells="[]", key=f"j{number}", request=request)

    def slow(self, rate: float) -> None:
        """Send so many calls a second from now on."""
        pace = PaceSettings(rate=rate)
        limiter = build_limiter(pace, self, self.events.append)
        self.lane = msgspec.structs.replace(self.lane, limiter=limiter)
        self.prepare()

    def faults(self, text: str) -> None:
        self.emulator.change_faults(parse_faults(text))

    def send(self, faults: str = "") -> None:
        """Send what is pending under faults, then have none."""
        self.faults(faults)
        self.clock.run(self.engine.run())
        self.faults("")

    def settle(self) -> int:
        return self.clock.run(self.settler.settle())

    def finish(self) -> None:
        while self.settle():
            self.send()

    def strays(self) -> list[Stray]:
        async def found() -> list[Stray]:
            await self.auditor.list_all(self.connectors)
            return [each async for each in self.auditor.strays()]

        return self.clock.run(found())

    @property
    def counts(self) -> dict[JobState, int]:
        return self.core.counts()

    @property
    def made(self) -> list[str]:
        return [record.request.name or "" for record in self.emulator.service.records()]

    def told(self, kind: type[Any]) -> list[Any]:
        return [event for event in self.events if isinstance(event, kind)]


class Twins(Night):
    """Two rows of the same Name and numbers that ask for different capabilities, unless `alike`."""

    def __init__(self, folder: Path, jobs: int = 20, *, alike: bool = False, **more: Any) -> None:
        super().__init__(folder, jobs, **more)
        self.alike = alike

    def _row(self, number: int) -> Row:
        row = super()._row(1)
        capabilities = ("Voice",) if number == 1 or self.alike else ("Voice", "SMS")
        request = msgspec.structs.replace(row.request, name="Smith", capabilities=capabilities)
        return msgspec.structs.replace(row, number=number, key=f"j{number}", request=request)


async def _unreachable(_: str) -> ConnectorProxy:
    raise ServiceError("nobody answers")


@pytest.fixture
def night(tmp_path: Path) -> Iterator[Night]:
    with Night(tmp_path) as night:
        yield night


@pytest.mark.parametrize("fault", ["lost", "failure_after", "unreadable", "hang"])
def test_sessions_nobody_heard_of_are_adopted(night: Night, fault: str) -> None:
    night.send(f"{fault}=100%")
    assert night.settle() == 0
    assert night.counts == {JobState.CREATED: 20}
    assert len(night.made) == 20


def test_what_was_not_created_is_sent_again_and_made_once(night: Night) -> None:
    night.send("failure_before=50%,reset=50%")
    night.finish()
    assert night.counts == {JobState.CREATED: 20}
    assert sorted(night.made) == sorted(set(night.made))
    assert len(night.made) == 20


def test_a_session_that_is_listed_is_adopted_without_waiting(night: Night) -> None:
    night.send("lost=100%")
    sent = night.clock.now
    night.settle()
    assert night.clock.now - sent < 2


def test_an_unanswered_attempt_is_left_alone_until_it_is_due(tmp_path: Path) -> None:
    with Night(tmp_path, listing_delay=300.0) as night:
        night.send("lost=100%")
        sent = night.clock.now
        night.settle()
        assert 899 <= night.clock.now - sent < 902


def test_an_answered_attempt_is_due_earlier(tmp_path: Path) -> None:
    with Night(tmp_path, listing_delay=30.0) as night:
        night.send("failure_after=100%")
        sent = night.clock.now
        night.settle()
        assert 59 <= night.clock.now - sent < 62


def test_one_listing_settles_all_of_a_connector(night: Night) -> None:
    night.send("lost=100%")
    night.settle()
    assert night.gateway.listed == [CONNECTOR]


def test_an_absence_needs_two_due_listings_a_minute_apart(night: Night) -> None:
    night.send("failure_before=100%")
    first = night.clock.now
    assert night.settle() == 20
    assert len(night.gateway.listed) == 1 + 2
    assert night.clock.now - first >= 119


def test_every_page_is_read(tmp_path: Path) -> None:
    with Night(tmp_path, jobs=250) as night:
        night.send("lost=100%")
        night.settle()
        assert night.counts == {JobState.CREATED: 250}
        assert len(night.gateway.listed) == 3


def test_a_page_that_fails_is_asked_for_again(night: Night) -> None:
    answers = [UNWELL, UNWELL]
    night.gateway.script = lambda _: answers.pop() if answers else None
    night.send("lost=100%")
    night.settle()
    assert night.counts == {JobState.CREATED: 20}


@pytest.mark.parametrize("outcome", [FORBIDDEN, UNWELL])
def test_a_connector_that_cannot_be_listed_settles_nothing_and_ends(
    night: Night, outcome: Outcome
) -> None:
    night.gateway.script = lambda _: outcome
    night.send("lost=100%")
    assert night.settle() == 0
    assert night.counts == {JobState.AMBIGUOUS: 20}
    assert [event.outcome for event in night.told(ListingFailed)] == [outcome]


def test_a_listing_that_never_ends_is_given_up(night: Night) -> None:
    night.gateway.script = lambda _: SessionPage(sessions=(), next_token="again")
    night.send("lost=100%")
    night.settle()
    assert night.counts == {JobState.AMBIGUOUS: 20}


@pytest.mark.parametrize("length", [1, 2, 7, 100])
@pytest.mark.parametrize("before", [0, 1, 50])
def test_a_listing_that_goes_in_circles_is_given_up(night: Night, before: int, length: int) -> None:
    def script(token: str | None) -> SessionPage:
        page = int(token or 0) + 1
        return SessionPage(
            sessions=(), next_token=str(page if page < before + length else before or length)
        )

    night.gateway.script = script
    night.send("lost=100%")
    night.settle()
    (told,) = night.told(ListingFailed)
    assert told.outcome.error_code == "EndlessListing"
    assert len(night.gateway.listed) <= 3 * (before + length) + 3


def test_a_listing_is_throttled_for_hours_without_being_given_up(night: Night) -> None:
    night.send("lost=100%")
    over = night.clock.now + 7200.0
    night.gateway.script = lambda _: THROTTLED if night.clock.now < over else None
    night.settle()
    assert night.counts == {JobState.CREATED: 20}


def test_a_page_that_fails_is_asked_for_as_long_as_an_attempt_is_left_alone(night: Night) -> None:
    night.gateway.script = lambda _: UNWELL
    night.send("lost=100%")
    began = night.clock.now
    night.settle()
    assert 850 < night.clock.now - began <= 901
    assert len(night.gateway.listed) < 60


def test_a_listing_waits_as_long_as_the_service_asks(night: Night) -> None:
    patient = msgspec.structs.replace(UNWELL, retry_after=100.0)
    night.gateway.script = lambda _: patient
    night.send("lost=100%")
    night.settle()
    assert len(night.gateway.listed) <= 9


def test_without_a_known_life_no_absence_is_proven(night: Night) -> None:
    night.send("failure_before=100%")
    night.gateway.connector_proxy = _unreachable  # type: ignore[method-assign]
    night.settle()
    assert night.counts == {JobState.NEEDS_REVIEW: 20}


def test_one_connector_that_cannot_be_listed_keeps_no_other_from_it(tmp_path: Path) -> None:
    night = Night(tmp_path, any_connector=True)
    night.connectors = ["one", "two"]
    with night:
        night.gateway.script = lambda _: FORBIDDEN if night.gateway.listed[-1] == "one" else None
        night.send("lost=100%")
        night.settle()
        assert night.counts == {JobState.CREATED: 10, JobState.AMBIGUOUS: 10}


def test_a_session_that_is_listed_late_is_found_by_the_second_listing(tmp_path: Path) -> None:
    with Night(tmp_path, listing_delay=930.0) as night:
        night.send("lost=100%")
        night.finish()
        assert night.counts == {JobState.CREATED: 20}
        assert len(night.made) == 20


def test_a_job_that_fails_again_and_again_is_given_up(night: Night) -> None:
    night.policy = SettlePolicy(settle=900.0, resends=2)
    night.prepare()
    night.send("failure_before=100%")
    while night.settle():
        night.send("failure_before=100%")
    assert night.counts == {JobState.FAILED: 20}
    assert night.emulator.tally.operations["CreateProxySession"] == 60


def test_a_clock_that_jumps_ahead_proves_nothing_before_a_whole_settle(night: Night) -> None:
    night.send("failure_before=100%")
    at = night.clock.now
    night.wall = 1800.0
    assert night.settle() == 20
    assert night.clock.now - at >= 900


def test_a_clock_that_jumps_ahead_still_lets_sessions_be_adopted(night: Night) -> None:
    night.send("lost=100%")
    night.wall = 3600.0
    night.settle()
    assert night.counts == {JobState.CREATED: 20}


def test_rows_that_share_a_name_are_told_apart_by_their_numbers(tmp_path: Path) -> None:
    night = Night(tmp_path)
    night.name = lambda _: "everybody"
    with night:
        night.send("lost=30%,failure_before=30%")
        night.finish()
        assert night.counts == {JobState.CREATED: 20}
        assert len(night.made) == 20


def test_what_it_waits_for_is_told(tmp_path: Path) -> None:
    with Night(tmp_path, listing_delay=300.0) as night:
        night.send("lost=100%")
        night.settle()
        (told,) = night.told(SettlingStarted)
        assert told.ambiguous == 20
        assert told.until - told.at == pytest.approx(900, abs=1)


def test_every_settled_job_is_told_with_its_session(night: Night) -> None:
    night.send("lost=100%")
    night.settle()
    told = night.told(JobSettled)
    assert {event.job_key for event in told} == {f"j{number}" for number in range(1, 21)}
    assert {event.ruling for event in told} == {Ruling.ADOPT}
    records = night.emulator.service.records()
    assert {event.session_id for event in told} == {record.id for record in records}


def test_an_audit_finds_what_a_503_created(night: Night) -> None:
    night.send("unavailable_after=20%")
    night.clock.run(night.auditor.audit())
    told = night.told(StrayFound)
    assert len(told) == len(night.made) - 20 > 0
    assert all(event.owned for event in told)


def test_an_audit_lists_nothing_where_no_503_was_seen(night: Night) -> None:
    night.send("throttle=20%")
    night.clock.run(night.auditor.audit())
    assert night.gateway.listed == []


def test_an_audit_waits_until_what_a_503_made_is_listed(tmp_path: Path) -> None:
    with Night(tmp_path, listing_delay=110.0) as night:
        night.send("unavailable_after=20%")
        sent = night.clock.now
        night.clock.run(night.auditor.audit())
        assert 119 < night.clock.now - sent < 122
        assert len(night.told(StrayFound)) == len(night.made) - 20 > 0
        (awaited,) = night.told(AuditAwaited)
        assert awaited.until - awaited.at == pytest.approx(120, abs=1)


def test_an_audit_long_after_the_last_503_waits_for_nothing(night: Night) -> None:
    night.send("unavailable_after=20%")
    night.clock.now += 3600.0
    before = night.clock.now
    night.clock.run(night.auditor.audit())
    assert night.clock.now - before < 2
    assert night.told(AuditAwaited) == []


def test_what_is_in_doubt_is_settled_while_others_are_sent(tmp_path: Path) -> None:
    with Night(tmp_path, jobs=40) as night:
        night.slow(0.02)
        night.faults("failure_before=100%")

        async def recover() -> None:
            await night.sleep(200.0)
            night.faults("")

        async def send_beside() -> None:
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(night.settler.attend)
                tasks.start_soon(recover)
                await night.engine.run()
                tasks.cancel_scope.cancel()

        night.clock.run(send_beside())
        settled = max(event.at for event in night.told(JobSettled))
        assert settled < night.told(OutcomeRecorded)[-1].at - 700.0
        night.finish()
        assert night.counts == {JobState.CREATED: 40}
        assert len(night.made) == 40


def test_attending_lists_only_what_is_due(night: Night) -> None:
    night.send("lost=100%")

    async def attend() -> None:
        with anyio.move_on_after(840.0):
            await night.settler.attend()

    night.clock.run(attend())
    assert night.gateway.listed == []


def test_attending_gives_no_connector_up_that_may_be_listable_later(night: Night) -> None:
    night.send("lost=100%")
    over = night.clock.now + 4000.0
    night.gateway.script = lambda _: UNWELL if night.clock.now < over else None

    async def attend() -> None:
        with anyio.move_on_after(8000.0):
            await night.settler.attend()

    night.clock.run(attend())
    assert night.counts == {JobState.CREATED: 20}
    assert night.told(ListingFailed) == []


def test_what_attending_sent_back_is_told_by_settling(night: Night) -> None:
    night.send("failure_before=100%")

    async def attend() -> None:
        with anyio.move_on_after(300.0):
            await night.settler.attend()

    night.clock.run(attend())
    assert night.settle() == 20


def test_a_cancelled_settling_still_records_what_it_is_recording(night: Night) -> None:
    night.send("lost=100%")
    record = night.settlement.record

    async def slowly(decisions: Sequence[Decision]) -> None:
        await night.sleep(10.0)
        await record(decisions)

    night.settlement.record = slowly  # type: ignore[method-assign]

    async def settle() -> None:
        with anyio.move_on_after(5.0):
            await night.settler.settle()

    night.clock.run(settle())
    assert night.counts == {JobState.CREATED: 20}


def test_a_row_does_not_take_what_a_call_under_way_has_made(tmp_path: Path) -> None:
    with Twins(tmp_path, jobs=2, alike=True) as night:

        async def one_in_doubt_one_under_way() -> int:
            first, second = await night.ledger.claim(2)
            doubted = await night.ledger.open_attempt(first)
            await night.ledger.close_attempt(doubted, SILENCE, JobState.AMBIGUOUS)
            await night.ledger.open_attempt(second)
            await night.gateway.create(second.request, not_after=math.inf)
            return await night.settler._glance()

        assert night.clock.run(one_in_doubt_one_under_way()) == 0
        assert night.counts == {JobState.AMBIGUOUS: 1, JobState.IN_FLIGHT: 1}


def test_a_row_does_not_take_what_another_rows_503_may_have_made(tmp_path: Path) -> None:
    with Twins(tmp_path, jobs=2, alike=True) as night:

        async def one_in_doubt_one_refused() -> int:
            first, second = await night.ledger.claim(2)
            doubted = await night.ledger.open_attempt(first)
            await night.ledger.close_attempt(doubted, SILENCE, JobState.AMBIGUOUS)
            refused = await night.ledger.open_attempt(second)
            await night.gateway.create(second.request, not_after=math.inf)
            await night.ledger.close_attempt(refused, UNWELL, JobState.FAILED)
            return await night.settler._glance()

        assert night.clock.run(one_in_doubt_one_refused()) == 0
        assert night.counts == {JobState.NEEDS_REVIEW: 1, JobState.FAILED: 1}


def test_the_strays_of_everybody_are_found(night: Night) -> None:
    orphan = SessionRequest(
        voice_connector_id=CONNECTOR,
        participants=("+12065559998", "+12065559999"),
        capabilities=("Voice",),
        name=session_name("forgotten", "x"),
    )
    night.clock.run(night.gateway.create(orphan, not_after=math.inf))
    night.clock.run(
        night.gateway.create(
            msgspec.structs.replace(orphan, name="somebody elses"), not_after=math.inf
        )
    )
    night.send()
    (stray,) = night.strays()
    assert (stray.session.name, stray.owned) == (orphan.name, None)


def test_sessions_of_rows_with_their_own_names_from_before_are_no_strays(tmp_path: Path) -> None:
    night = Night(tmp_path)
    night.name = lambda _: "everybody"
    with night:
        request = night._row(1).request
        assert request is not None
        night.clock.run(night.gateway.create(request, not_after=math.inf))
        night.clock.now += 3600
        night.send()
        assert night.strays() == []


def test_a_duplicate_is_told_though_another_row_shares_its_name_and_numbers(tmp_path: Path) -> None:
    with Twins(tmp_path, jobs=2) as night:
        night.clock.run(night.gateway.create(night._row(1).request, not_after=math.inf))
        night.clock.run(night.gateway.create(night._row(2).request, not_after=math.inf))
        night.send()
        assert len(night.strays()) == 2


class Rebuilding(Night):
    """A ledger made anew while the service has the sessions of the first `kept` rows."""

    def rebuild(self, kept: int) -> int:
        async def create_then_adopt() -> int:
            for number in range(1, kept + 1):
                request = self._row(number).request
                assert request is not None
                await self.gateway.create(request, not_after=math.inf)
            await self.auditor.list_all(self.connectors)
            return await self.auditor.adopt()

        return self.clock.run(create_then_adopt())


def test_a_new_ledger_adopts_the_sessions_that_are_there(tmp_path: Path) -> None:
    with Rebuilding(tmp_path) as night:
        assert night.rebuild(12) == 12
        assert night.counts == {JobState.CREATED: 12, JobState.PENDING: 8}
        night.send()
        assert len(night.made) == len(set(night.made)) == 20


def test_a_new_ledger_adopts_by_numbers_where_rows_share_a_name(tmp_path: Path) -> None:
    night = Rebuilding(tmp_path)
    night.name = lambda _: "everybody"
    with night:
        assert night.rebuild(12) == 12


def test_closed_sessions_are_not_adopted_by_rows_that_were_never_sent(tmp_path: Path) -> None:
    with Rebuilding(tmp_path, default_expiry_minutes=1) as night:
        night.rebuild(0)
        night.faults("latency=2m")
        assert night.rebuild(1) == 0
        assert night.counts == {JobState.PENDING: 20}


def test_of_two_sessions_under_a_rows_own_name_the_newest_is_adopted(tmp_path: Path) -> None:
    night = Rebuilding(tmp_path)
    night.name = lambda _: "everybody"
    with night:
        request = night._row(1).request
        assert request is not None
        night.clock.run(night.gateway.create(request, not_after=math.inf))
        night.clock.now += 3600.0
        assert night.rebuild(1) == 1
        newest = list(night.emulator.service.records())[-1]
        (told,) = night.told(JobSettled)
        assert told.session_id == newest.id


class RebuildingTwins(Twins, Rebuilding):
    pass


def test_rows_that_share_name_and_numbers_adopt_a_session_each(tmp_path: Path) -> None:
    with RebuildingTwins(tmp_path, jobs=2) as night:
        assert night.rebuild(2) == 2


def test_a_session_is_adopted_by_one_of_two_equal_rows(tmp_path: Path) -> None:
    night = RebuildingTwins(tmp_path, jobs=3)
    with night:
        assert night.rebuild(2) == 2
        assert night.counts == {JobState.CREATED: 2, JobState.PENDING: 1}
