"""Sessions that no row has, and those that a ledger made anew adopts."""

from __future__ import annotations

import math
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from provisioner.emulator.settings import CONNECTOR
from provisioner.events import (
    AuditAwaited,
    JobSettled,
    StrayFound,
)
from provisioner.job import JobState
from provisioner.session import SessionRequest, session_name
from tests.unit.settled_night import (
    Night,
    Rebuilding,
    RebuildingTwins,
    Twins,
)


@pytest.fixture
def night(tmp_path: Path) -> Iterator[Night]:
    with Night(tmp_path) as night:
        yield night


def test_an_audit_finds_what_a_503_created(night: Night) -> None:
    night.send("unavailable_after=10%")
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
        night.send("unavailable_after=10%")
        sent = night.clock.now
        night.clock.run(night.auditor.audit())
        assert 119 < night.clock.now - sent < 122
        assert len(night.told(StrayFound)) == len(night.made) - 20 > 0
        (awaited,) = night.told(AuditAwaited)
        assert awaited.until - awaited.at == pytest.approx(120, abs=1)


def test_an_audit_long_after_the_last_503_waits_for_nothing(night: Night) -> None:
    night.send("unavailable_after=10%")
    night.clock.now += 3600.0
    before = night.clock.now
    night.clock.run(night.auditor.audit())
    assert night.clock.now - before < 2
    assert night.told(AuditAwaited) == []


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


def test_rows_that_share_name_and_numbers_adopt_a_session_each(tmp_path: Path) -> None:
    with RebuildingTwins(tmp_path, jobs=2) as night:
        assert night.rebuild(2) == 2


def test_a_session_is_adopted_by_one_of_two_equal_rows(tmp_path: Path) -> None:
    night = RebuildingTwins(tmp_path, jobs=3)
    with night:
        assert night.rebuild(2) == 2
        assert night.counts == {JobState.CREATED: 2, JobState.PENDING: 1}
