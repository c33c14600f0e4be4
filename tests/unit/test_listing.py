"""Listing connectors, page by page."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import anyio
import msgspec
import pytest

from provisioner.events import (
    ListingFailed,
)
from provisioner.job import JobState, Outcome
from provisioner.listing import Lister
from provisioner.session import SessionPage
from tests.unit.settled_night import (
    FORBIDDEN,
    THROTTLED,
    UNWELL,
    Night,
)


@pytest.fixture
def night(tmp_path: Path) -> Iterator[Night]:
    with Night(tmp_path) as night:
        yield night


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


def test_one_connector_that_cannot_be_listed_keeps_no_other_from_it(tmp_path: Path) -> None:
    night = Night(tmp_path, any_connector=True)
    night.connectors = ["one", "two"]
    with night:
        night.gateway.script = lambda _: FORBIDDEN if night.gateway.listed[-1] == "one" else None
        night.send("lost=100%")
        night.settle()
        assert night.counts == {JobState.CREATED: 10, JobState.AMBIGUOUS: 10}


def test_what_comes_into_doubt_while_one_connector_is_listed_is_found_at_the_next(
    tmp_path: Path,
) -> None:
    night = Night(tmp_path, any_connector=True)
    night.connectors = ["one", "two"]

    async def list_while_others_are_sent() -> None:
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(night.engine.run)
            lister = Lister(
                night.settlement, night.lane, night, night.events.append, patience=900.0
            )
            await night.settler.decide_all(await lister.list(night.connectors))

    with night:
        night.faults("failure_after=100%")
        over = night.clock.now + 300.0
        night.gateway.script = lambda _: UNWELL if night.clock.now < over else None
        night.clock.run(list_while_others_are_sent())
        assert night.counts == {JobState.CREATED: 10, JobState.AMBIGUOUS: 10}
        assert all(each.absent_at is None for each in night.questions())
