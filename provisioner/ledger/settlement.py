"""Settling what is ambiguous: open questions, what a listing found, what was decided."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any, Protocol, TypeVar

import msgspec

from provisioner.entry import fingerprint
from provisioner.job import Job
from provisioner.ledger.sqlite import SqliteLedger
from provisioner.ledger.statements import LISTING_SCHEMA
from provisioner.rulings import STATE_AFTER, Decision, Question, Ruling, Stray, Unsent, created_at
from provisioner.session import Session, SessionRequest, pair

T = TypeVar("T")

_OURS = "p" + "[0-9a-f]" * 28
_ENCODER = msgspec.json.Encoder()
_REQUESTS = msgspec.json.Decoder(SessionRequest)
_SESSION = msgspec.json.Decoder(Session)
_SESSIONS = msgspec.json.Decoder(tuple[Session, ...])


class Shell(Protocol):
    """What drives the core: either of the ledger's shells."""

    async def perform(self, deed: Callable[[SqliteLedger], T]) -> T:
        """Do something with the core, where it may be touched."""


class LedgerSettlement:
    """The Settlement port over a shell of the ledger."""

    def __init__(self, shell: Shell) -> None:
        self._shell = shell

    async def reopen_reviewed(self) -> None:
        """Let rows that need review be ambiguous once more, to be looked at again."""
        await self._shell.perform(_reopen_reviewed)

    async def questions(self, after: int, limit: int) -> list[Question]:
        """See the port."""
        return await self._shell.perform(lambda core: _questions(core, after, limit))

    async def begin_listing(self, *, everything: bool) -> None:
        """See the port."""
        self._everything = everything
        await self._shell.perform(_begin_listing)

    async def look_for_doubts(self) -> None:
        """See the port."""
        await self._shell.perform(_look_for_doubts)

    async def note(self, connector_id: str, sessions: Sequence[Session]) -> None:
        """See the port."""
        rows = [_sighting(each, connector_id, self._everything) for each in sessions if each.name]
        await self._shell.perform(lambda core: _write(core, "note", rows))

    async def under_way(self) -> list[SessionRequest]:
        """See the port."""
        return await self._shell.perform(
            lambda core: [_REQUESTS.decode(text) for (text,) in core.execute("under_way", {})]
        )

    async def end_listing(self) -> None:
        """See the port."""
        await self._shell.perform(_end_listing)

    async def candidates(self, questions: Sequence[Question]) -> list[list[Session]]:
        """See the port."""
        return await self._shell.perform(
            lambda core: [_candidates(core, each.job.request) for each in questions]
        )

    async def record(self, decisions: Sequence[Decision]) -> None:
        """See the port."""
        await self._shell.perform(lambda core: _record(core, decisions))

    async def suspects(self) -> dict[str, float]:
        """See the port."""
        return await self._shell.perform(lambda core: dict(core.execute("suspects", {})))

    async def suspected(self) -> list[SessionRequest]:
        """See the port."""
        return await self._shell.perform(
            lambda core: [_REQUESTS.decode(text) for _, text in core.execute("suspected", {})]
        )

    async def strays(self, after: str, limit: int) -> list[Stray]:
        """See the port."""
        return await self._shell.perform(lambda core: _strays(core, after, limit))

    async def unsent(self, after: int, limit: int) -> list[Unsent]:
        """See the port."""
        return await self._shell.perform(lambda core: _unsent(core, after, limit))

    async def adopt(self, adopted: Sequence[tuple[Job, Session]]) -> None:
        """See the port."""
        await self._shell.perform(lambda core: _adopt(core, adopted))


def _reopen_reviewed(core: SqliteLedger) -> None:
    with core.transaction():
        core.execute("reopen_reviewed", {})


def _questions(core: SqliteLedger, after: int, limit: int) -> list[Question]:
    found = core.execute("questions", {"after": after, "limit": limit})
    return [_question(*row) for row in found]


def _question(*row: Any) -> Question:  # noqa: ANN401  # SQLite's columns
    job_id, key, request, attempts, attempt_id, first, opened, closed, answered, absent = row
    return Question(
        attempt_id=attempt_id,
        job=Job(id=job_id, key=key, request=_REQUESTS.decode(request), attempts=attempts),
        first_opened_at=first,
        opened_at=opened,
        closed_at=closed,
        answered=bool(answered),
        absent_at=absent,
    )


def _begin_listing(core: SqliteLedger) -> None:
    with core.transaction():
        core.execute("index_fingerprints", {})
    core.prepare(LISTING_SCHEMA)


def _look_for_doubts(core: SqliteLedger) -> None:
    core.execute("want_ambiguous", {})
    core.execute("want_suspects", {})


def _sighting(session: Session, connector_id: str, everything: bool) -> tuple[object, ...]:
    numbers = [each.phone_number for each in session.participants]
    return (
        session.proxy_session_id,
        connector_id,
        session.name,
        " ".join(sorted(pair(numbers))),
        fingerprint(session.name, ["+" + number.lstrip("+") for number in numbers]),
        created_at(session),
        _ENCODER.encode(session).decode(),
        everything,
    )


def _write(core: SqliteLedger, statement: str, rows: Sequence[tuple[object, ...]]) -> None:
    with core.transaction():
        core.execute_each(statement, rows)


def _end_listing(core: SqliteLedger) -> None:
    with core.transaction():
        core.execute("mark_owners", {})
        core.execute("mark_jobs", {})


def _candidates(core: SqliteLedger, request: SessionRequest) -> list[Session]:
    where = {"name": request.name, "connector_id": request.voice_connector_id}
    return [_SESSION.decode(text) for (text,) in core.execute("candidates", where)]


def _record(core: SqliteLedger, decisions: Sequence[Decision]) -> None:
    with core.transaction():
        core.write_each("own_sighting", [_ownership(each) for each in _of(decisions, Ruling.ADOPT)])
        for ruling, (statement, columns) in _ATTEMPT.items():
            core.write_each(statement, [columns(each) for each in _of(decisions, ruling)])
        states = [(STATE_AFTER[each.ruling], each.question.job.id) for each in decisions]
        core.write_each("settle_job", [row for row in states if row[0] is not None])
    for each in _of(decisions, Ruling.RESEND):
        core.release(each.question.job.id)


def _of(decisions: Iterable[Decision], ruling: Ruling) -> list[Decision]:
    return [each for each in decisions if each.ruling is ruling]


def _ownership(decision: Decision) -> tuple[object, ...]:
    return (decision.question.job.id, _found(decision).proxy_session_id)


def _adopted(decision: Decision) -> tuple[object, ...]:
    session = _found(decision)
    text = _ENCODER.encode(session).decode()
    return (session.proxy_session_id, text, decision.question.attempt_id)


def _found(decision: Decision) -> Session:
    assert decision.session is not None  # noqa: S101  # ADOPT has one
    return decision.session


_ATTEMPT: dict[Ruling, tuple[str, Callable[[Decision], tuple[object, ...]]]] = {
    Ruling.ADOPT: ("adopt_attempt", _adopted),
    Ruling.ABSENT_ONCE: ("absent_attempt", lambda each: (each.listed_at, each.question.attempt_id)),
    Ruling.RESEND: ("disprove_attempt", lambda each: (each.question.attempt_id,)),
    Ruling.GIVE_UP: ("disprove_attempt", lambda each: (each.question.attempt_id,)),
    Ruling.REVIEW: ("explain_attempt", lambda each: (each.reason, each.question.attempt_id)),
}


def _strays(core: SqliteLedger, after: str, limit: int) -> list[Stray]:
    where = {"after": after, "limit": limit, "ours": _OURS}
    return [
        Stray(
            connector_id=connector_id,
            session=_SESSION.decode(session),
            job_key=key,
            request=_REQUESTS.decode(request) if request else None,
            since=since,
            owned=owned,
        )
        for _, connector_id, session, key, request, since, owned in core.execute("strays", where)
    ]


def _unsent(core: SqliteLedger, after: int, limit: int) -> list[Unsent]:
    found = core.execute("unsent", {"after": after, "limit": limit})
    return [
        Unsent(
            job=Job(id=job_id, key=key, request=_REQUESTS.decode(request), attempts=attempts),
            sessions=_SESSIONS.decode(sessions),
        )
        for job_id, key, request, attempts, sessions in found
    ]


def _adopt(core: SqliteLedger, adopted: Sequence[tuple[Job, Session]]) -> None:
    with core.transaction():
        core.adopt_sessions(adopted)
        core.write_each("own_sighting", [(job.id, s.proxy_session_id) for job, s in adopted])
