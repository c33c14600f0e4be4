"""The Settlement port: sessions that no row has, and those that rows are given."""

from __future__ import annotations

import sqlite3

import msgspec
import pytest

from provisioner.errors import CannotWriteError
from provisioner.job import JobState, Outcome, Verdict
from provisioner.rulings import Ruling
from tests.contract.settlement_desk import (
    CONNECTOR,
    UNAVAILABLE,
    Desk,
    session,
)


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
