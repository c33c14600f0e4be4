"""The Settlement port: what is in doubt, what was listed, what was decided."""

from __future__ import annotations

import sqlite3
from contextlib import closing

import pytest

from provisioner.entry import fingerprint
from provisioner.errors import CannotWriteError
from provisioner.job import JobState, Outcome, Verdict
from provisioner.ledger import GroupCommitLedger, ImmediateLedger, LedgerSettlement, SqliteLedger
from provisioner.ledger.statements import LISTING_SCHEMA, SCHEMA, SQL
from provisioner.rulings import Decision, Ruling
from tests.contract.settlement_desk import (
    BROKEN,
    LOST,
    Desk,
    fail,
    name,
    participants,
    row,
    session,
)


async def test_a_question_tells_what_is_known_of_its_attempt(desk: Desk) -> None:
    question = await desk.doubted()
    assert (question.job.key, question.answered, question.absent_at) == ("k1", False, None)
    assert question.first_opened_at == question.opened_at <= (question.closed_at or 0)
    assert question.job.request == row(1).request


async def test_a_question_tells_that_the_service_answered(desk: Desk) -> None:
    assert (await desk.doubted(BROKEN)).answered


async def test_a_call_under_way_is_known_until_its_outcome_is(desk: Desk) -> None:
    job = (await desk.ledger.claim(1))[0]
    attempt = await desk.ledger.open_attempt(job)
    assert await desk.settlement.under_way() == [job.request]
    await desk.ledger.close_attempt(attempt, LOST, JobState.AMBIGUOUS)
    assert await desk.settlement.under_way() == []


async def test_questions_come_by_job_in_pages(desk: Desk) -> None:
    asked = [await desk.doubted() for _ in range(3)]
    first = await desk.settlement.questions(0, 2)
    rest = await desk.settlement.questions(first[-1].job.id, 2)
    assert [*first, *rest] == asked


async def test_the_questions_of_a_dead_process_have_no_end(core: SqliteLedger) -> None:
    ledger = ImmediateLedger(core)
    await ledger.open_attempt((await ledger.claim(1))[0])
    core._recover()
    (question,) = await LedgerSettlement(ledger).questions(0, 9)
    assert (question.closed_at, question.answered) == (None, False)


async def test_candidates_are_the_sessions_with_the_jobs_name(desk: Desk) -> None:
    first, second = await desk.doubted(), await desk.doubted()
    await desk.scan(session(1), session(3))
    assert await desk.settlement.candidates([first, second]) == [[session(1)], []]


async def test_a_session_seen_on_two_pages_is_one_candidate(desk: Desk) -> None:
    question = await desk.doubted()
    await desk.scan(session(1, status="Open"), session(1, status="Closed"))
    assert await desk.settlement.candidates([question]) == [[session(1, status="Closed")]]


async def test_a_session_of_another_connector_is_no_candidate(desk: Desk) -> None:
    question = await desk.doubted()
    await desk.settlement.begin_listing(everything=True)
    await desk.settlement.note("elsewhere", [session(1)])
    await desk.settlement.end_listing()
    assert await desk.settlement.candidates([question]) == [[]]


async def test_a_session_that_a_job_owns_is_no_candidate(desk: Desk) -> None:
    owned = Outcome(verdict=Verdict.CREATED, status=201, session=session(1, name=name(2)))
    await desk.sent(owned, JobState.CREATED)
    await desk.doubted()
    desk.core._connection.execute(
        "UPDATE jobs SET request = json_set(request, '$.Name', ?), fingerprint = ? WHERE id = 1",
        (name(2), fingerprint(name(2), participants(1))),
    )
    await desk.scan(session(1, name=name(2)))
    (question,) = await desk.settlement.questions(0, 9)
    assert await desk.settlement.candidates([question]) == [[]]


async def test_a_new_scan_forgets_the_last(desk: Desk) -> None:
    question = await desk.doubted()
    await desk.scan(session(1))
    await desk.scan()
    assert await desk.settlement.candidates([question]) == [[]]


async def test_a_scan_for_questions_keeps_no_other_sessions(desk: Desk) -> None:
    await desk.doubted()
    await desk.scan(*(session(number) for number in range(1, 6)))
    kept = desk.core._connection.execute("SELECT session_id FROM temp.sightings").fetchall()
    assert kept == [("s1",)]


async def test_an_absence_is_remembered_with_the_listings_beginning(desk: Desk) -> None:
    await desk.rule(Ruling.ABSENT_ONCE, await desk.doubted())
    (question,) = await desk.settlement.questions(0, 9)
    assert question.absent_at == 7.0


async def test_what_is_to_be_sent_again_can_be_claimed_again_with_its_attempts(desk: Desk) -> None:
    question = await desk.doubted()
    await desk.rule(Ruling.RESEND, question)
    jobs = await desk.ledger.claim(9)
    assert jobs[0].key == "k1"
    attempt = await desk.ledger.open_attempt(jobs[0])
    assert attempt.number == 2


async def test_each_job_is_claimed_once_after_some_were_sent_back(desk: Desk) -> None:
    asked = [await desk.doubted() for _ in range(3)]
    for question in asked:
        await desk.rule(Ruling.RESEND, question)
    claimed = [job.key for _ in range(4) for job in await desk.ledger.claim(2)]
    assert sorted(claimed) == ["k1", "k2", "k3", "k4", "k5"]


async def test_a_job_sent_back_that_the_claims_have_not_reached_is_claimed_once(
    core: SqliteLedger,
) -> None:
    ledger = ImmediateLedger(core)
    await ledger.open_attempt((await ledger.claim(1))[0])
    core._recover()
    core.select(1)
    settlement = LedgerSettlement(ledger)
    (question,) = await settlement.questions(0, 9)
    await settlement.record([Decision(question=question, ruling=Ruling.RESEND, listed_at=0.0)])
    assert [job.key for job in await ledger.claim(9)] == ["k1", "k2", "k3", "k4", "k5"]
    assert list(await ledger.claim(9)) == []


async def test_a_job_given_up_has_failed(desk: Desk) -> None:
    await desk.rule(Ruling.GIVE_UP, await desk.doubted())
    assert (await desk.row(1))["state"] is JobState.FAILED


async def test_a_review_says_why(desk: Desk) -> None:
    await desk.rule(Ruling.REVIEW, await desk.doubted(), reason="two of them")
    found = await desk.row(1)
    assert (found["state"], found["error_message"]) == (JobState.NEEDS_REVIEW, "two of them")
    assert list(await desk.settlement.questions(0, 9)) == []


async def test_reviewed_rows_can_be_looked_at_again(desk: Desk) -> None:
    await desk.rule(Ruling.REVIEW, await desk.doubted(), reason="")
    await desk.settlement.reopen_reviewed()
    assert len(await desk.settlement.questions(0, 9)) == 1


async def test_decisions_are_recorded_all_or_none(desk: Desk) -> None:
    first, second = await desk.doubted(), await desk.doubted()
    await desk.rule(Ruling.RESEND, second)
    both = [Decision(question=q, ruling=Ruling.RESEND, listed_at=0.0) for q in (first, second)]
    with pytest.raises(CannotWriteError):
        await desk.settlement.record(both)
    assert (await desk.row(1))["state"] is JobState.AMBIGUOUS


async def test_a_question_is_settled_once(desk: Desk) -> None:
    question = await desk.doubted()
    await desk.rule(Ruling.GIVE_UP, question)
    with pytest.raises(CannotWriteError):
        await desk.rule(Ruling.GIVE_UP, question)


async def test_a_deed_that_fails_fails_nobody_else(core: SqliteLedger) -> None:
    async with GroupCommitLedger(core) as ledger:
        job = (await ledger.claim(1))[0]
        attempt = ledger.open_attempt(job)
        with pytest.raises(CannotWriteError):
            await ledger.perform(fail)
        assert (await attempt).job_id == job.id


@pytest.mark.parametrize(
    "statement", ["mark_owners", "mark_jobs", "want_suspects", "suspects", "suspected"]
)
def test_a_scan_is_matched_without_reading_every_job_or_attempt(statement: str) -> None:
    with closing(sqlite3.connect(":memory:")) as connection:
        connection.executescript(SCHEMA + LISTING_SCHEMA)
        connection.execute(SQL["index_fingerprints"])
        plan = connection.execute(f"EXPLAIN QUERY PLAN {SQL[statement]}", {"campaign_id": 1})
        steps = {step for *_, step in plan}
    every = {
        "SCAN jobs",
        "SCAN attempts",
        "SEARCH jobs USING INDEX jobs_of_campaign (campaign_id=?)",
    }
    assert not every & steps, steps
