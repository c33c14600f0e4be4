"""The safeguards, and each taken away: by wrapping ports, never by a flag in the product."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Self

import anyio
import msgspec

from provisioner.engine import Engine
from provisioner.entry import Entry, entry
from provisioner.job import Attempt, Job, JobState, Outcome, Verdict
from provisioner.lane import Lane
from provisioner.ledger import SqliteLedger
from provisioner.ledger.intake import SqliteIntake
from provisioner.ledger.lock import LedgerLock
from provisioner.ports import Clock, Gateway, Limiter, Settlement
from provisioner.record import NewCampaign
from provisioner.rulings import Question, SettlePolicy, is_ours
from provisioner.sending import Tries
from provisioner.session import SessionRequest
from tests.simulation.ports import Shell
from tests.simulation.safeguards import Around, Quick, Safeguards


class IntentAfterTheCall(Safeguards):
    """The attempt is written together with its outcome."""

    def ledger(self, ledger: Shell) -> Shell:
        return _LateIntent(ledger)


class _LateIntent(Around):
    async def open_attempt(self, job: Job) -> Attempt:
        self._jobs = {**getattr(self, "_jobs", {}), job.id: job}
        return Attempt(id=0, job_id=job.id, number=job.attempts + 1, opened_at=math.inf)

    async def close_attempt(self, attempt: Attempt, outcome: Outcome, state: JobState) -> None:
        opened = await self._inner.open_attempt(self._jobs[attempt.job_id])
        await self._inner.close_attempt(opened, outcome, state)


class NoOutcome(Safeguards):
    """Outcomes are not written."""

    def ledger(self, ledger: Shell) -> Shell:
        return _Forgetful(ledger)


class _Forgetful(Around):
    async def close_attempt(self, *_: object) -> None:
        pass


class AmbiguousIsRetried(Safeguards):
    """No third outcome: what nobody knows counts as not created, and is tried again."""

    def gateway(self, gateway: Gateway) -> Gateway:
        return _Optimist(gateway)


class _Optimist(Around):
    async def create(self, request: SessionRequest, *, not_after: float) -> Outcome:
        outcome = await self._inner.create(request, not_after=not_after)
        if outcome.verdict is Verdict.AMBIGUOUS:
            return msgspec.structs.replace(outcome, verdict=Verdict.RETRYABLE, answered=True)
        return outcome


class SdkRetries(Safeguards):
    """The client repeats by itself what it got no answer to, as botocore does."""

    def gateway(self, gateway: Gateway) -> Gateway:
        return _Repeating(gateway)


class _Repeating(Around):
    async def create(self, request: SessionRequest, *, not_after: float) -> Outcome:
        for _ in range(2):
            outcome = await self._inner.create(request, not_after=not_after)
            if outcome.verdict is not Verdict.AMBIGUOUS:
                return outcome
        return await self._inner.create(request, not_after=not_after)


class NoLimiter(Safeguards):
    """Calls start when they like."""

    def limiter(self, limiter: Limiter) -> Limiter:
        return _Unlimited(limiter)


class _Unlimited(Around):
    async def take(self) -> None:
        await anyio.lowlevel.checkpoint()

    async def depart(self) -> None:
        """At once."""


class NoSettling(Safeguards):
    """Absence is believed at once, though a request may still be on the wire."""

    def policy(self, policy: SettlePolicy) -> SettlePolicy:
        return _Impatient(**msgspec.structs.asdict(policy))


class _Impatient(SettlePolicy, frozen=True, kw_only=True):
    def due(self, question: Question) -> float:
        if question.absent_at is not None:
            return question.absent_at + self.again
        return question.opened_at


class NoIndex(Safeguards):
    """The database does not object to a second attempt."""

    def core(self, path: Path, now: Callable[[], float]) -> SqliteLedger:
        return _Unindexed(path, now)


class _Unindexed(Quick):
    def _recover(self) -> None:
        self._connection.execute("DROP INDEX IF EXISTS attempts_at_most_one")
        super()._recover()


class OpenAttemptsForgotten(Safeguards):
    """After a crash what was in flight is simply pending again."""

    def core(self, path: Path, now: Callable[[], float]) -> SqliteLedger:
        return _Amnesiac(path, now)


class _Amnesiac(Quick):
    def _recover(self) -> None:
        statement = "UPDATE jobs SET state = 'pending' WHERE state = 'in_flight'"
        self._connection.execute(statement)
        super()._recover()


class NoLock(Safeguards):
    """Any number of processes may work on a ledger."""

    def core(self, path: Path, now: Callable[[], float]) -> SqliteLedger:
        return _Unlocked(path, now)


class _Unlocked(Quick):
    def __init__(self, path: Path, now: Callable[[], float]) -> None:
        super().__init__(path, now)
        self._lock = _Open(path)


class _Open(LedgerLock):
    def __enter__(self) -> Self:
        return self


class HastyAudit(Safeguards):
    """What a 503 may have made is looked for at once."""

    def policy(self, policy: SettlePolicy) -> SettlePolicy:
        return msgspec.structs.replace(policy, audit=0.0)


class OneListing(Safeguards):
    """The first listing that lacks a session proves its absence."""

    def settlement(self, settlement: Settlement) -> Settlement:
        return _Seen(settlement)


class _Seen(Around):
    async def questions(self, after: int, limit: int) -> Sequence[Question]:
        found = await self._inner.questions(after, limit)
        return [msgspec.structs.replace(each, absent_at=0.0) for each in found]


class NoFence(Safeguards):
    """A process that was stopped sends however old its intent is."""

    def lane(self, lane: Lane) -> Lane:
        return msgspec.structs.replace(lane, fence=math.inf)


class NoShield(Safeguards):
    """A drain cancels calls in flight."""

    def engine(self, ledger: Shell, lane: Lane, clock: Clock) -> Engine:
        return _Exposed(ledger, lane, clock, lambda _: None)


class _Exposed(Engine):
    async def _attempt(self, job: Job, tries: Tries) -> float | None:
        done: list[float | None] = []
        # The scope that is cancelled by a drain, entered again inside of the shield.
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(self._watch, tasks.cancel_scope)
            done.append(await super()._attempt(job, tries))
            tasks.cancel_scope.cancel()
        return done[0] if done else None

    async def _watch(self, scope: anyio.CancelScope) -> None:
        while not self._draining:
            await self._clock.sleep(0.05)
        scope.cancel()


class NoNames(Safeguards):
    """Rows without a Name are sent without one."""

    def core(self, path: Path, now: Callable[[], float]) -> SqliteLedger:
        return _Nameless(path, now)


class _Nameless(Quick):
    def begin_intake(self, campaign: NewCampaign) -> SqliteIntake:
        return _NamelessIntake(self._connection, self._path, campaign)


class _NamelessIntake(SqliteIntake):
    def add(self, rows: Sequence[Entry]) -> list[Any]:
        return super().add([_unnamed(row) for row in rows])


def _unnamed(row: Entry) -> Entry:
    request = row.request
    if request is None or not is_ours(request.name):
        return row
    unnamed = msgspec.structs.replace(request, name=None)
    return entry(row.number, row.line, row.cells, request=unnamed, key=row.key or "")


ABLATIONS: dict[str, type[Safeguards]] = {
    "the intent before the send": IntentAfterTheCall,
    "the unique index": NoIndex,
    "the outcome write": NoOutcome,
    "the third outcome (ambiguous is retried)": AmbiguousIsRetried,
    "SDK retries switched off": SdkRetries,
    "the settle wait": NoSettling,
    "the second listing": OneListing,
    "the audit's wait": HastyAudit,
    "deterministic Names": NoNames,
    "the fence": NoFence,
    "the shield around call and record": NoShield,
    "recovery of open attempts": OpenAttemptsForgotten,
    "the lock": NoLock,
    "the rate limiter": NoLimiter,
}
"""What is taken away, and the safeguards that are left."""
