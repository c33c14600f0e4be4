"""Second lines: safeguards that only a slip elsewhere puts to the test, and the slips."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from provisioner.job import Attempt, JobState, Outcome
from provisioner.ledger import SqliteLedger
from tests.simulation.ports import Shell
from tests.simulation.safeguards import Around, Quick, Safeguards


class OpenAttemptsForgotten(Safeguards):
    """After a crash what was in flight is simply pending again."""

    def core(self, path: Path, now: Callable[[], float]) -> SqliteLedger:
        return _Amnesiac(path, now)


class _Amnesiac(Quick):
    def _recover(self) -> None:
        statement = "UPDATE jobs SET state = 'pending' WHERE state = 'in_flight'"
        self._connection.execute(statement)
        super()._recover()


class DoubtIsPending(Safeguards):
    """A slip of the engine's: a job in doubt goes back to pending, its attempt stays unknown."""

    def ledger(self, ledger: Shell) -> Shell:
        return _Slipping(ledger)


class _Slipping(Around):
    async def close_attempt(self, attempt: Attempt, outcome: Outcome, state: JobState) -> None:
        slips = state is JobState.AMBIGUOUS
        state = JobState.PENDING if slips else state
        await self._inner.close_attempt(attempt, outcome, state)
        if slips:
            await self._inner.perform(lambda core: core.release(attempt.job_id))


class NoIndexUnderForgottenAttempts(OpenAttemptsForgotten):
    """The database does not object to a second attempt, and recovery forgets the first."""

    slip = OpenAttemptsForgotten

    def core(self, path: Path, now: Callable[[], float]) -> SqliteLedger:
        return _Unindexed(path, now)


class _Unindexed(_Amnesiac):
    def _recover(self) -> None:
        self._connection.execute("DROP INDEX IF EXISTS attempts_at_most_one")
        super()._recover()


class NoIndexUnderDoubtThatIsPending(DoubtIsPending):
    """The database does not object to a second attempt, and the engine makes one."""

    slip = DoubtIsPending

    def core(self, path: Path, now: Callable[[], float]) -> SqliteLedger:
        return _BareQuick(path, now)


class _BareQuick(Quick):
    def _recover(self) -> None:
        self._connection.execute("DROP INDEX IF EXISTS attempts_at_most_one")
        super()._recover()
