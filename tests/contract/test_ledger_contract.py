"""What every Ledger keeps, whichever shell drives it."""

from __future__ import annotations

import sqlite3
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from provisioner.entry import Entry, entry
from provisioner.errors import CannotWriteError
from provisioner.job import JobState, Outcome, Verdict
from provisioner.ledger import GroupCommitLedger, ImmediateLedger, SqliteLedger
from provisioner.ports import Ledger
from provisioner.record import Layout, NewCampaign
from provisioner.session import Participant, Session, SessionRequest

CREATED = Outcome(
    verdict=Verdict.CREATED,
    status=201,
    session=Session(
        proxy_session_id="s-1",
        participants=(Participant(phone_number="+12065550100", proxy_phone_number="+12065550199"),),
    ),
)
THROTTLED = Outcome(verdict=Verdict.RETRYABLE, status=429, throttled=True)
LOST = Outcome(verdict=Verdict.AMBIGUOUS, error_code="ReadTimeout", answered=False)


def request(number: int) -> SessionRequest:
    return SessionRequest(
        voice_connector_id="connector",
        participants=("+12065550100", f"+1206555{number:04}"),
        capabilities=("Voice",),
        name=f"n{number}",
    )


def row(number: int) -> Entry:
    return entry(
        number=number,
        line=number + 1,
        cells=f'["{number}"]',
        key=f"k{number}",
        request=request(number),
    )


def campaign(name: str = "night") -> NewCampaign:
    return NewCampaign(name=name, input_name="a.csv", input_sha256="00", defaults="{}")


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "ledger.db"


@pytest.fixture
def core(path: Path) -> Iterator[SqliteLedger]:
    with SqliteLedger(path) as core:
        with core.begin_intake(campaign()) as intake:
            intake.add([row(number) for number in range(1, 6)])
            recorded = intake.commit(Layout(format="csv", columns=("a",)))
        core.select(recorded.id)
        yield core


@pytest.fixture(params=["group commit", "immediate"])
async def ledger(request: pytest.FixtureRequest, core: SqliteLedger) -> AsyncIterator[Ledger]:
    if request.param == "immediate":
        yield ImmediateLedger(core)
        return
    async with GroupCommitLedger(core) as shell:
        yield shell


async def test_claims_come_in_file_order_and_once(ledger: Ledger) -> None:
    first, second, rest = await ledger.claim(2), await ledger.claim(2), await ledger.claim(9)
    assert [job.key for job in [*first, *second, *rest]] == ["k1", "k2", "k3", "k4", "k5"]
    assert list(await ledger.claim(1)) == []


async def test_a_claimed_job_brings_the_request_that_was_recorded(ledger: Ledger) -> None:
    assert (await ledger.claim(1))[0].request == request(1)


async def test_an_open_attempt_puts_its_job_in_flight(ledger: Ledger) -> None:
    await ledger.open_attempt((await ledger.claim(1))[0])
    assert await ledger.counts() == {JobState.PENDING: 4, JobState.IN_FLIGHT: 1}


async def test_what_was_opened_is_on_disk_when_the_call_returns(ledger: Ledger, path: Path) -> None:
    attempt = await ledger.open_attempt((await ledger.claim(1))[0])
    with sqlite3.connect(path) as other:
        assert other.execute("SELECT id, state FROM attempts").fetchall() == [(attempt.id, "open")]
    other.close()


async def test_attempts_of_a_job_are_numbered_from_one(ledger: Ledger) -> None:
    job = (await ledger.claim(1))[0]
    attempt = await ledger.open_attempt(job)
    assert attempt.number == 1


@pytest.mark.parametrize(
    ("outcome", "state"),
    [
        (CREATED, JobState.CREATED),
        (THROTTLED, JobState.PENDING),
        (THROTTLED, JobState.FAILED),
        (LOST, JobState.AMBIGUOUS),
    ],
)
async def test_a_closed_attempt_takes_its_job_where_it_is_told(
    ledger: Ledger, outcome: Outcome, state: JobState
) -> None:
    attempt = await ledger.open_attempt((await ledger.claim(1))[0])
    await ledger.close_attempt(attempt, outcome, state)
    assert (await ledger.counts()).get(state, 0) == (5 if state is JobState.PENDING else 1)


async def test_a_job_back_at_pending_is_not_claimed_again(ledger: Ledger) -> None:
    job = (await ledger.claim(1))[0]
    attempt = await ledger.open_attempt(job)
    await ledger.close_attempt(attempt, THROTTLED, JobState.PENDING)
    assert job.id not in {each.id for each in await ledger.claim(9)}


async def test_a_second_attempt_while_one_is_open_is_refused(ledger: Ledger) -> None:
    job = (await ledger.claim(1))[0]
    await ledger.open_attempt(job)
    with pytest.raises(CannotWriteError):
        await ledger.open_attempt(job)


@pytest.mark.parametrize(("outcome", "state"), [(CREATED, "created"), (LOST, "ambiguous")])
async def test_the_database_itself_refuses_a_second_attempt(
    ledger: Ledger, path: Path, outcome: Outcome, state: str
) -> None:
    job = (await ledger.claim(1))[0]
    attempt = await ledger.open_attempt(job)
    await ledger.close_attempt(attempt, outcome, JobState(state))
    other = sqlite3.connect(path)
    with pytest.raises(sqlite3.IntegrityError), other:
        other.execute(
            "INSERT INTO attempts (job_id, number, state, opened_at) VALUES (?, 2, 'open', 0)",
            (job.id,),
        )
    other.close()


async def test_an_attempt_is_closed_once(ledger: Ledger) -> None:
    attempt = await ledger.open_attempt((await ledger.claim(1))[0])
    await ledger.close_attempt(attempt, CREATED, JobState.CREATED)
    with pytest.raises(CannotWriteError):
        await ledger.close_attempt(attempt, THROTTLED, JobState.PENDING)


async def test_a_refused_order_leaves_the_ledger_usable(ledger: Ledger) -> None:
    job, other = await ledger.claim(2)
    await ledger.open_attempt(job)
    with pytest.raises(CannotWriteError):
        await ledger.open_attempt(job)
    assert (await ledger.open_attempt(other)).job_id == other.id
