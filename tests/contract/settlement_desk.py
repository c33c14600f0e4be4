"""A ledger of a few rows, for those who settle what is in doubt in it."""

from __future__ import annotations

import sqlite3
from typing import Any

import msgspec

from provisioner.entry import Entry, entry
from provisioner.job import Job, JobState, Outcome, Verdict
from provisioner.ledger import LedgerSettlement, SqliteLedger
from provisioner.ports import Ledger
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


def row(number: int) -> Entry:
    request = SessionRequest(
        voice_connector_id=CONNECTOR,
        participants=participants(number),
        capabilities=("Voice",),
        name=name(number),
    )
    return entry(number=number, line=number, cells="[]", key=f"k{number}", request=request)


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
        await self.settlement.look_for_doubts()
        await self.settlement.note(CONNECTOR, sessions)
        await self.settlement.end_listing()

    async def rule(self, ruling: Ruling, question: Question, **more: Any) -> None:
        decision = Decision(question=question, ruling=ruling, listed_at=7.0, **more)
        await self.settlement.record([decision])

    async def row(self, number: int) -> dict[str, Any]:
        found = self.core.reader().results(1)
        return next(msgspec.structs.asdict(row) for row in found if row.number == number)


def fail(_: SqliteLedger) -> None:
    raise sqlite3.OperationalError("disk full")
