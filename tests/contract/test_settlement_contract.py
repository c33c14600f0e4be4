"""What every Settlement keeps, whichever shell of the ledger it is over."""

from __future__ import annotations

import sqlite3
from collections.abc import AsyncIterator, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import msgspec
import pytest

from provisioner.errors import CannotWriteError
from provisioner.job import Job, JobState, Outcome, Row, Verdict
from provisioner.ledger import GroupCommitLedger, ImmediateLedger, LedgerSettlement, SqliteLedger
from provisioner.ledger.fingerprint import fingerprint
from provisioner.ledger.statements import LISTING_SCHEMA, SCHEMA, SQL
from provisioner.ports import Ledger
from provisioner.record import Layout, NewCampaign
from provisioner.rulings import Decision, Question, Ruling
from provisioner.session import Participant, Session, SessionRequest, session_name

LOST = Outcome(verdict=Verdict.AMBIGUOUS, error_code="ReadTimeout", answered=False)
BROKEN = Outcome(verdict=Verdict.AMBIGUOUS, status=500, error_code="ServiceFailureException")
UNAVAILABLE = Outcome(verdict=Verdict.RETRYABLE, status=503)
CONNECTOR = "connector"


def name(number: int) -> str:
    return session_name("night", f"k{number}")


def participants(number: int) -> tuple[str, str]:
    return ("+12065550100", f"+1206555{number:04}")


def row(number: int) -> Row:
    request = SessionRequest(
        voice_connector_id=CONNECTOR,
        participants=participants(number),
        capabilities=("Voice",),
        name=name(number),
    )
    return Row(number=number, line=number, cells="[]", key=f"k{number}", request=request)


def session(number: int, identity: str = "", **more: Any) -> Session:
    members = {
        "created_at": "2030-01-01T00:00:00.000Z",
        "participants": tuple(Participant(phone_number=each) for each in participants(number)),
        "name": name(number),
    }
    return Session(proxy_session_id=identity or f"s{number}", **(members | more))


class Desk:
    """A ledger of five jobs and its settlement."""

    def __init__(self, ledger: Ledger, settlement: LedgerSettlement, core: SqliteLedger) -> None:
        self.ledger = ledger
        self.settlement = settlement
        self.core = core

    async def sent(self, outcome: Outcome, state: JobState) -> Job:
        job = (await self.ledger.claim(1))[0]
        await self.ledger.close_attempt(await self.ledger.open_attempt(job), outcome, state)
        return job

    async def doubted(self, outcome: Outcome = LOST) -> Question:
        job = await self.sent(outcome, JobState.AMBIGUOUS)
        return (await self.settlement.questions(job.id - 1, 1))[0]

    async def scan(self, *sessions: Session, everything: bool = False) -> None:
        await self.settlement.begin_listing(everything=everything)
        await self.settlement.note(CONNECTOR, sessions)
        await self.settlement.end_listing()

    async def rule(self, ruling: Ruling, question: Question, **more: Any) -> None:
        decision = Decision(question=question, ruling=ruling, listed_at=7.0, **more)
        await self.settlement.record([decision])

    async def row(self, number: int) -> dict[str, Any]:
        found = self.core.reader().results(1)
        return next(msgspec.structs.asdict(row) for row in found if row.number == number)


@pytest.fixture
def core(tmp_path: Path) -> Iterator[SqliteLedger]:
    with SqliteLedger(tmp_path / "ledger.db") as core:
        new = NewCampaign(name="night", input_name="a.csv", input_sha256="00", defaults="{}")
        with core.begin_intake(new) as intake:
            intake.add([row(number) for number in range(1, 6)])
            core.select(intake.commit(Layout(format="csv")).id)
        yield core


@pytest.fixture(params=["group commit", "immediate"])
async def desk(request: pytest.FixtureRequest, core: SqliteLedger) -> AsyncIterator[Desk]:
    if request.param == "immediate":
        shell = ImmediateLedger(core)
        yield Desk(shell, LedgerSettlement(shell), core)
        return
    async with GroupCommitLedger(core) as grouped:
        yield Desk(grouped, LedgerSettlement(grouped), core)


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


async def test_an_adopted_session_is_the_jobs(desk: Desk) -> None:
    question = await desk.doubted()
    await desk.scan(session(1))
    await desk.rule(Ruling.ADOPT, question, session=session(1))
    found = await desk.row(1)
    assert found["state"] is JobState.CREATED
    assert found["session_json"] == msgspec.json.encode(session(1))
    assert found["error_code"] is None
    assert desk.core.reader().calls(1).adopted == 1


async def test_a_session_is_adopted_by_one_job_only(desk: Desk) -> None:
    first, second = await desk.doubted(), await desk.doubted()
    await desk.scan(session(1))
    await desk.rule(Ruling.ADOPT, first, session=session(1))
    with pytest.raises(CannotWriteError):
        await desk.rule(Ruling.ADOPT, second, session=session(1))
    assert (await desk.row(2))["state"] is JobState.AMBIGUOUS


async def test_the_database_itself_refuses_a_second_adoption(desk: Desk) -> None:
    first, second = await desk.doubted(), await desk.doubted()
    await desk.scan(session(1))
    await desk.rule(Ruling.ADOPT, first, session=session(1))
    with pytest.raises(sqlite3.IntegrityError):
        desk.core._connection.execute(
            "UPDATE attempts SET adopted = 1, session_id = 's1', session = ? WHERE id = ?",
            (msgspec.json.encode(session(1)).decode(), second.attempt_id),
        )


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


async def test_the_connectors_of_jobs_that_saw_a_503_stay_suspect_though_runs_end(
    desk: Desk,
) -> None:
    assert await desk.settlement.suspects() == {}
    await desk.sent(UNAVAILABLE, JobState.FAILED)
    assert list(await desk.settlement.suspects()) == [CONNECTOR]
    desk.core.record_run(1, b"{}")
    assert list(await desk.settlement.suspects()) == [CONNECTOR]


async def test_what_saw_a_503_is_suspected_unless_it_is_in_question(desk: Desk) -> None:
    failed = await desk.sent(UNAVAILABLE, JobState.FAILED)
    await desk.sent(UNAVAILABLE, JobState.AMBIGUOUS)
    assert await desk.settlement.suspected() == [failed.request]


async def test_a_second_session_of_a_created_job_is_a_duplicate(desk: Desk) -> None:
    created = Outcome(verdict=Verdict.CREATED, status=201, session=session(1))
    await desk.sent(created, JobState.CREATED)
    await desk.scan(session(1), session(1, "again"), everything=True)
    (stray,) = await desk.settlement.strays("", 9)
    assert (stray.session, stray.owned, stray.job_key) == (session(1, "again"), "s1", "k1")


async def test_a_session_of_a_failed_job_is_an_orphan(desk: Desk) -> None:
    await desk.sent(UNAVAILABLE, JobState.FAILED)
    await desk.scan(session(1), everything=False)
    (stray,) = await desk.settlement.strays("", 9)
    assert (stray.job_key, stray.owned) == ("k1", None)
    assert stray.since is not None


async def test_a_session_with_a_name_of_ours_and_no_job_is_an_orphan(desk: Desk) -> None:
    await desk.scan(session(99), session(98, name="their own"), everything=True)
    (stray,) = await desk.settlement.strays("", 9)
    assert (stray.session, stray.job_key, stray.request) == (session(99), None, None)


async def test_a_session_of_a_job_in_doubt_is_no_stray(desk: Desk) -> None:
    await desk.doubted()
    await desk.scan(session(1), everything=True)
    assert await desk.settlement.strays("", 9) == []


async def test_strays_come_by_session_id_in_pages(desk: Desk) -> None:
    await desk.scan(session(99), session(97), session(98), everything=True)
    first = await desk.settlement.strays("", 2)
    rest = await desk.settlement.strays(first[-1].session.proxy_session_id, 2)
    assert [each.session.proxy_session_id for each in [*first, *rest]] == ["s97", "s98", "s99"]


async def test_unsent_jobs_come_with_their_sessions_oldest_first(desk: Desk) -> None:
    newer = session(2, "new", created_at="2031-01-01T00:00:00.000Z")
    await desk.scan(newer, session(2), session(4), everything=True)
    found = await desk.settlement.unsent(0, 9)
    assert [(each.job.key, each.sessions) for each in found] == [
        ("k2", (session(2), newer)),
        ("k4", (session(4),)),
    ]


async def test_an_unsent_job_that_adopts_a_session_was_never_on_the_wire(desk: Desk) -> None:
    await desk.scan(session(2), everything=True)
    (unsent,) = await desk.settlement.unsent(0, 9)
    await desk.settlement.adopt([(unsent.job, session(2))])
    found = await desk.row(2)
    assert (found["state"], found["attempts"]) == (JobState.CREATED, 0)
    calls = desk.core.reader().calls(1)
    assert (calls.attempts, calls.adopted) == (0, 1)
    assert "k2" not in {job.key for job in await desk.ledger.claim(9)}


async def test_attempts_go_on_after_an_adoption(desk: Desk) -> None:
    await desk.scan(session(1), everything=True)
    (unsent,) = await desk.settlement.unsent(0, 9)
    await desk.settlement.adopt([(unsent.job, session(1))])
    await desk.doubted()
    assert (await desk.row(2))["state"] is JobState.AMBIGUOUS


async def test_a_deed_that_fails_fails_nobody_else(core: SqliteLedger) -> None:
    async with GroupCommitLedger(core) as ledger:
        job = (await ledger.claim(1))[0]
        attempt = ledger.open_attempt(job)
        with pytest.raises(CannotWriteError):
            await ledger.perform(_fail)
        assert (await attempt).job_id == job.id


def _fail(_: SqliteLedger) -> None:
    raise sqlite3.OperationalError("disk full")


@pytest.mark.parametrize(
    "statement", ["mark_owners", "mark_jobs", "want_suspects", "suspects", "suspected"]
)
def test_a_scan_is_matched_without_reading_every_job_or_attempt(statement: str) -> None:
    with closing(sqlite3.connect(":memory:")) as connection:
        connection.executescript(SCHEMA + LISTING_SCHEMA)
        plan = connection.execute(f"EXPLAIN QUERY PLAN {SQL[statement]}", {"campaign_id": 1})
        steps = {step for *_, step in plan}
    every = {
        "SCAN jobs",
        "SCAN attempts",
        "SEARCH jobs USING INDEX jobs_of_campaign (campaign_id=?)",
    }
    assert not every & steps, steps
