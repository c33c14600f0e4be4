"""The table of what a listing says, a test per row and per edge."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import msgspec
import pytest

from provisioner.job import TRANSITIONS, Job, JobState
from provisioner.rulings import (
    STATE_AFTER,
    Decision,
    Listing,
    Question,
    Ruling,
    SettlePolicy,
    belongs,
    decide,
    earliest,
    ended_at,
    is_ours,
    likeness,
)
from provisioner.session import Participant, Session, SessionRequest, session_name

OPENED = 1_700_000_000.0
POLICY = SettlePolicy(settle=900.0, skew=300.0)
DUE = OPENED + 900.0
OURS = session_name("night", "k")
NUMBERS = ("+12065550100", "+12065550101")


def at(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat().replace("+00:00", "Z")


def question(name: str = OURS, expiry_minutes: int | None = None, **more: Any) -> Question:
    request = SessionRequest(
        voice_connector_id="c",
        participants=NUMBERS,
        capabilities=("Voice", "SMS"),
        name=name,
        expiry_minutes=expiry_minutes,
    )
    known = {"attempt_id": 1, "first_opened_at": OPENED, "opened_at": OPENED} | more
    return Question(job=Job(id=1, key="k", request=request), **known)


def session(identity: str = "s", name: str = OURS, **more: Any) -> Session:
    members = {
        "participants": tuple(Participant(phone_number=each) for each in reversed(NUMBERS)),
        "capabilities": ("SMS", "Voice"),
        "created_at": at(OPENED + 1),
    }
    return Session(proxy_session_id=identity, name=name, **(members | more))


def ruled(
    *sessions: Session,
    asked: Question | None = None,
    began: float = DUE,
    **more: Any,
) -> Decision:
    more = {"default_expiry_minutes": 60, "ended": began} | more
    flags = {name: more.pop(name) for name in ("contested", "exhausted") if name in more}
    return decide(asked or question(), sessions, Listing(began=began, **more), POLICY, **flags)


def test_one_session_of_the_job_is_adopted() -> None:
    decision = ruled(session())
    assert (decision.ruling, decision.session) == (Ruling.ADOPT, session())


def test_a_session_is_adopted_even_before_the_attempt_is_due() -> None:
    assert ruled(session(), began=OPENED).ruling is Ruling.ADOPT


def test_a_session_is_adopted_whatever_the_clock_did() -> None:
    assert ruled(session(), steady=False).ruling is Ruling.ADOPT


@pytest.mark.parametrize("status", ["Open", "InProgress", "Closed"])
def test_a_session_is_adopted_in_every_status(status: str) -> None:
    assert ruled(session(status=status)).ruling is Ruling.ADOPT


def test_of_several_under_our_name_the_earliest_is_adopted() -> None:
    later = session("a", created_at=at(OPENED + 2))
    decision = ruled(later, session("b"))
    assert decision.session == session("b")


def test_of_several_created_together_every_listing_adopts_the_same() -> None:
    assert earliest([session("b"), session("a")]) == earliest([session("a"), session("b")])


def test_several_under_the_rows_own_name_need_review() -> None:
    decision = ruled(session("a", "x"), session("b", "x"), asked=question("x"))
    assert (decision.ruling, decision.session) == (Ruling.REVIEW, None)
    assert decision.reason is not None
    assert "2 sessions" in decision.reason


def test_one_under_the_rows_own_name_is_adopted() -> None:
    assert ruled(session(name="x"), asked=question("x")).ruling is Ruling.ADOPT


def test_one_that_another_open_row_may_have_made_needs_review() -> None:
    decision = ruled(session(name="x"), asked=question("x"), contested=True)
    assert decision.ruling is Ruling.REVIEW


def test_rivals_do_not_matter_under_our_name() -> None:
    assert ruled(session(), contested=True).ruling is Ruling.ADOPT


def test_our_name_with_other_numbers_needs_review() -> None:
    other = session(participants=(Participant(phone_number="+13"), Participant(phone_number="+14")))
    assert ruled(other).ruling is Ruling.REVIEW


def test_a_shared_name_with_other_numbers_is_anothers() -> None:
    other = session(name="x", participants=(Participant(phone_number="+13"),))
    assert ruled(other, asked=question("x")).ruling is Ruling.ABSENT_ONCE


def test_a_shared_name_with_other_capabilities_is_anothers() -> None:
    other = session(name="x", capabilities=("SMS",))
    assert ruled(other, asked=question("x")).ruling is Ruling.ABSENT_ONCE


def test_capabilities_do_not_matter_under_our_name() -> None:
    assert ruled(session(capabilities=("SMS",))).ruling is Ruling.ADOPT


@pytest.mark.parametrize("name", [OURS, "x"])
@pytest.mark.parametrize(
    ("created", "ruling"),
    [
        (OPENED - 300, Ruling.ADOPT),
        (OPENED - 301, Ruling.ABSENT_ONCE),
        (OPENED + 3600, Ruling.ADOPT),
    ],
)
def test_a_session_is_at_most_the_skew_older_than_the_first_attempt(
    name: str, created: float, ruling: Ruling
) -> None:
    found = session(name=name, created_at=at(created))
    assert ruled(found, asked=question(name)).ruling is ruling


def test_a_session_that_an_earlier_attempt_made_is_the_jobs() -> None:
    asked = question(first_opened_at=OPENED - 3600)
    found = session(created_at=at(OPENED - 3600))
    assert ruled(found, asked=asked).ruling is Ruling.ADOPT


@pytest.mark.parametrize("text", [None, "yesterday"])
def test_a_session_without_a_time_is_taken_for_new(text: str | None) -> None:
    assert ruled(session(created_at=text)).ruling is Ruling.ADOPT


def test_a_time_without_a_zone_is_in_utc() -> None:
    assert ended_at(session(ended_at="2023-11-14T22:13:20")) == OPENED


def test_numbers_match_without_their_plus() -> None:
    bare = tuple(Participant(phone_number=each[1:]) for each in NUMBERS)
    assert ruled(session(participants=bare)).ruling is Ruling.ADOPT


def test_a_listing_that_began_too_soon_proves_nothing() -> None:
    assert ruled(began=DUE - 1).ruling is Ruling.WAIT


def test_a_listing_by_an_unsteady_clock_proves_nothing() -> None:
    assert ruled(steady=False).ruling is Ruling.WAIT


def test_the_first_listing_without_it_is_remembered() -> None:
    decision = ruled(began=DUE + 5)
    assert (decision.ruling, decision.listed_at) == (Ruling.ABSENT_ONCE, DUE + 5)


def test_a_second_listing_too_soon_after_the_first_proves_nothing() -> None:
    assert ruled(asked=question(absent_at=DUE), began=DUE + 59).ruling is Ruling.WAIT


def test_two_listings_apart_prove_that_there_is_none() -> None:
    assert ruled(asked=question(absent_at=DUE), began=DUE + 60).ruling is Ruling.RESEND


def test_a_session_that_shows_in_the_second_listing_is_adopted() -> None:
    assert ruled(session(), asked=question(absent_at=DUE)).ruling is Ruling.ADOPT


def test_a_job_sent_often_enough_is_given_up() -> None:
    asked = question(absent_at=DUE)
    assert ruled(asked=asked, began=DUE + 60, exhausted=True).ruling is Ruling.GIVE_UP


def test_a_session_that_may_have_closed_may_no_longer_show() -> None:
    assert ruled(asked=question(expiry_minutes=20)).ruling is Ruling.REVIEW


def test_a_session_that_is_open_by_either_clock_must_show() -> None:
    assert ruled(asked=question(expiry_minutes=21)).ruling is Ruling.ABSENT_ONCE


def test_a_session_that_may_have_closed_while_pages_were_read_may_not_show() -> None:
    asked = question(expiry_minutes=21)
    assert ruled(asked=asked, ended=DUE + 60).ruling is Ruling.REVIEW


def test_closed_sessions_as_old_by_either_clock_show_that_they_are_listed() -> None:
    asked = question(expiry_minutes=15)
    early = OPENED + 600
    assert ruled(asked=asked, first_ended=early).ruling is Ruling.ABSENT_ONCE
    assert ruled(asked=asked, first_ended=early + 1).ruling is Ruling.REVIEW


@pytest.mark.parametrize(
    ("default", "ruling"),
    [(None, Ruling.REVIEW), (20, Ruling.REVIEW), (21, Ruling.ABSENT_ONCE)],
)
def test_a_session_whose_request_names_no_life_lives_as_the_connector_says(
    default: int | None, ruling: Ruling
) -> None:
    assert ruled(default_expiry_minutes=default).ruling is ruling


def test_a_life_of_its_own_counts_before_the_connectors() -> None:
    asked = question(expiry_minutes=21)
    assert ruled(asked=asked, default_expiry_minutes=1).ruling is Ruling.ABSENT_ONCE


def test_where_no_life_is_known_closed_sessions_as_old_show_that_they_are_listed() -> None:
    shown = ruled(default_expiry_minutes=None, first_ended=OPENED - 300)
    assert shown.ruling is Ruling.ABSENT_ONCE


@pytest.mark.parametrize("found", [1, 2])
def test_what_another_rows_call_under_way_may_have_made_waits(found: int) -> None:
    asked = question("x")
    sessions = [session(str(number), "x") for number in range(found)]
    under_way = frozenset({likeness(asked.job.request)})
    assert ruled(*sessions, asked=asked, under_way=under_way).ruling is Ruling.WAIT


def test_absence_is_proven_whatever_is_under_way() -> None:
    asked = question("x")
    under_way = frozenset({likeness(asked.job.request)})
    assert ruled(asked=asked, under_way=under_way).ruling is Ruling.ABSENT_ONCE


@pytest.mark.parametrize(
    ("more", "due"),
    [
        ({}, 900.0),
        ({"answered": True}, 60.0),
        ({"closed_at": OPENED + 30}, 900.0),
        ({"closed_at": OPENED + 600}, 1200.0),
        ({"closed_at": OPENED + 50, "answered": True}, 90.0),
        ({"absent_at": OPENED + 1000}, 1060.0),
    ],
)
def test_an_attempt_is_due(more: dict[str, Any], due: float) -> None:
    assert POLICY.due(question(**more)) == OPENED + due


def test_every_ruling_keeps_to_the_life_of_a_job() -> None:
    states = {state for state in STATE_AFTER.values() if state is not None}
    assert states <= TRANSITIONS[JobState.AMBIGUOUS]
    assert set(STATE_AFTER) == set(Ruling)


@pytest.mark.parametrize(("name", "ours"), [(OURS, True), ("p1", False), (None, False)])
def test_our_names_are_known_by_their_form(name: str | None, *, ours: bool) -> None:
    assert is_ours(name) is ours


def test_without_a_time_any_session_with_name_and_numbers_belongs() -> None:
    old = session(created_at=at(0))
    assert belongs(old, question().job.request, since=None)
    assert not belongs(msgspec.structs.replace(old, participants=()), question().job.request, None)
