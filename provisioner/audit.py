"""What a listing has that the ledger lacks: duplicates, orphans, and sessions to adopt."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable

import anyio

from provisioner.events import AuditAwaited, EventSink, JobSettled, StrayFound
from provisioner.job import Job, JobState
from provisioner.listing import JUST_AFTER, LONGEST_SLEEP, Lister
from provisioner.ports import Clock, Settlement
from provisioner.rulings import (
    Listing,
    Ruling,
    SettlePolicy,
    Stray,
    Unsent,
    belongs,
    created_at,
    earliest,
    is_ours,
)
from provisioner.session import Session

_AT_ONCE = 1_000
_CLOSED = "Closed"


class Auditor:
    """Compares what a lister finds with one campaign's ledger."""

    def __init__(
        self,
        settlement: Settlement,
        lister: Lister,
        clock: Clock,
        policy: SettlePolicy,
        emit: EventSink,
    ) -> None:
        self._settlement = settlement
        self._lister = lister
        self._clock = clock
        self._policy = policy
        self._emit = emit

    async def list_all(self, connectors: Iterable[str]) -> dict[str, Listing]:
        """List connectors, keeping every session whose Name may matter to anybody."""
        listable = [each for each in connectors if each not in self._lister.unlisted]
        return await self._lister.list(listable, everything=True)

    async def audit(self) -> None:
        """Look for sessions that a 503 made after all, once any of them should be listed."""
        suspects = await self._settlement.suspects()
        suspects = {each: at for each, at in suspects.items() if each not in self._lister.unlisted}
        if suspects:
            await self._wait_until(max(suspects.values()) + self._policy.audit_after)
            await self._lister.list(suspects)
            async for _ in self.strays():
                pass

    async def _wait_until(self, until: float) -> None:
        """Sleep in steps: the clock may be set meanwhile."""
        if (now := self._clock.time()) < until:
            self._emit(AuditAwaited(until=until, at=now))
        while (left := until - self._clock.time()) > 0:
            await self._clock.sleep(min(left + JUST_AFTER, LONGEST_SLEEP))

    async def strays(self) -> AsyncIterator[Stray]:
        """The duplicates and orphans of the last listing, each told as an event, too."""
        after = ""
        while found := await self._settlement.strays(after, _AT_ONCE):
            after = found[-1].session.proxy_session_id
            for stray in filter(self._is_stray, found):
                self._emit(
                    StrayFound(
                        connector_id=stray.connector_id,
                        session_id=stray.session.proxy_session_id,
                        job_key=stray.job_key,
                        owned=stray.owned,
                        at=self._clock.time(),
                    )
                )
                yield stray

    async def adopt(self) -> int:
        """Give unsent jobs the open sessions of the last listing that are theirs; how many."""
        after = adopted = 0
        while found := await self._settlement.unsent(after, _AT_ONCE):
            after = found[-1].job.id
            pairs = _matched(found)
            with anyio.CancelScope(shield=True):
                await self._settlement.adopt(pairs)
            for job, session in pairs:
                self._emit(
                    JobSettled(
                        job_key=job.key,
                        ruling=Ruling.ADOPT,
                        state=JobState.CREATED,
                        session_id=session.proxy_session_id,
                        at=self._clock.time(),
                    )
                )
            adopted += len(pairs)
        return adopted

    def _is_stray(self, stray: Stray) -> bool:
        """Whether it is no session from before that happens to have a row's own Name and numbers.

        Its capabilities may be another row's of the same Name and numbers.
        """
        created = created_at(stray.session)
        if stray.since is None or created is None:
            return True
        return created >= stray.since - self._policy.skew


def _matched(found: Iterable[Unsent]) -> list[tuple[Job, Session]]:
    """A session for each job that has one of its own, none for two."""
    taken: dict[str, tuple[Job, Session]] = {}
    for unsent in found:
        request = unsent.job.request
        own = [
            each
            for each in unsent.sessions
            if each.status != _CLOSED
            and each.proxy_session_id not in taken
            and belongs(each, request, since=None)
        ]
        if own:
            # A Name that others may share may be an earlier night's: the newest is likelier ours.
            session = earliest(own) if is_ours(request.name) else own[-1]
            taken[session.proxy_session_id] = (unsent.job, session)
    return list(taken.values())
