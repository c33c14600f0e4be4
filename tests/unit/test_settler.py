"""Settling what is in doubt."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from pathlib import Path

import anyio
import pytest

from provisioner.emulator.settings import CONNECTOR
from provisioner.events import (
    JobSettled,
    ListingFailed,
    OutcomeRecorded,
    SettlingStarted,
)
from provisioner.job import JobState
from provisioner.rulings import Decision, Ruling, SettlePolicy
from tests.unit.settled_night import (
    SILENCE,
    UNWELL,
    Night,
    Twins,
    unreachable,
)


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


def test_without_a_known_life_no_absence_is_proven(night: Night) -> None:
    night.send("failure_before=100%")
    night.gateway.connector_proxy = unreachable  # type: ignore[method-assign]
    night.settle()
    assert night.counts == {JobState.NEEDS_REVIEW: 20}


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
