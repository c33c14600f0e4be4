"""Settling ambiguous jobs: wait until they are due, list what the service has, decide, record."""

from __future__ import annotations

import math
from array import array
from collections import Counter
from collections.abc import AsyncIterator, Sequence

import anyio
import msgspec

from provisioner.events import EventSink, JobSettled, SettlingStarted
from provisioner.job import Outcome
from provisioner.listing import Lister
from provisioner.ports import Clock, Settlement
from provisioner.rulings import (
    STATE_AFTER,
    Decision,
    Listing,
    Question,
    Ruling,
    SettlePolicy,
    decide,
    is_ours,
    likeness,
)
from provisioner.session import Session

_AT_ONCE = 1_000
_LONGEST_SLEEP = 60.0
_JUST_AFTER = 0.001


class Outlook(msgspec.Struct, frozen=True, kw_only=True):
    """The open questions: how many, and when the first of each connector is due, epoch seconds.

    At `best` those that are due soon after the first are due, too: one listing serves them all.
    `rivals` counts those that have a Name of their own by what may tell them apart.
    """

    ambiguous: int
    due: dict[str, float]
    best: float
    rivals: dict[object, int]


class Settler:
    """Settles one campaign's ambiguous jobs, a listing for all of a connector's.

    A connector that cannot be listed is left alone from then on.
    """

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
        self._resent: Counter[int] = Counter()
        self._looked_at = -math.inf

    @property
    def unlisted(self) -> dict[str, Outcome]:
        """The connectors that could not be listed, and why."""
        return self._lister.unlisted

    async def settle(self) -> int:
        """Wait and list until a job may be sent again, or nothing is left that can be settled.

        The first listing does not wait: a session that shows is adopted at once, only absence
        takes time to prove.

        Returns:
            How many jobs went back to pending.
        """
        if again := await self._glance(await self.outlook()):
            return again
        while (outlook := await self.outlook()).due:
            until = max(outlook.best, self._looked_at + self._policy.again)
            await self._wait_until(max(until, self._lister.steady_at()), outlook.ambiguous)
            if again := await self.look(outlook):
                return again
        return 0

    async def _glance(self, outlook: Outlook) -> int:
        if not outlook.due:
            return 0
        return await self._decide(await self._lister.list(outlook.due), outlook)

    async def outlook(self) -> Outlook:
        """What is ambiguous at connectors that can be listed, as far as is known."""
        due: dict[str, float] = {}
        rivals: Counter[object] = Counter()
        times = array("d")
        async for questions in self._questions():
            for each in questions:
                connector = each.job.request.voice_connector_id
                if connector not in self.unlisted:
                    times.append(self._policy.due(each))
                    due[connector] = min(due.get(connector, math.inf), times[-1])
                if not is_ours(each.job.request.name):
                    rivals[likeness(each.job.request)] += 1
        soon = min(times, default=0.0) + self._policy.again
        best = max((each for each in times if each <= soon), default=0.0)
        return Outlook(ambiguous=len(times), due=due, best=best, rivals=rivals)

    async def look(self, outlook: Outlook) -> int:
        """Settle what is due now; how many jobs went back to pending."""
        self._looked_at = self._clock.time()
        due = [connector for connector, at in outlook.due.items() if at <= self._looked_at]
        return await self._decide(await self._lister.list(due), outlook) if due else 0

    async def decide_all(self, listings: dict[str, Listing]) -> int:
        """Settle what listings made already can; how many jobs went back to pending."""
        return await self._decide(listings, await self.outlook())

    async def _decide(self, listings: dict[str, Listing], outlook: Outlook) -> int:
        again = 0
        async for questions in self._questions():
            listed = [each for each in questions if each.job.request.voice_connector_id in listings]
            candidates = await self._settlement.candidates(listed)
            decisions = [
                self._decision(question, sessions, listings, outlook)
                for question, sessions in zip(listed, candidates, strict=True)
            ]
            again += await self._record([each for each in decisions if each.ruling != Ruling.WAIT])
        return again

    def _decision(
        self,
        question: Question,
        sessions: Sequence[Session],
        listings: dict[str, Listing],
        outlook: Outlook,
    ) -> Decision:
        return decide(
            question,
            sessions,
            listings[question.job.request.voice_connector_id],
            self._policy,
            contested=outlook.rivals.get(likeness(question.job.request), 0) > 1,
            exhausted=self._resent[question.job.id] >= self._policy.resends,
        )

    async def _record(self, decisions: Sequence[Decision]) -> int:
        """One transaction; told once it is durable."""
        with anyio.CancelScope(shield=True):
            await self._settlement.record(decisions)
        resent = [each.question.job.id for each in decisions if each.ruling is Ruling.RESEND]
        self._resent.update(resent)
        for decision in decisions:
            self._tell(decision)
        return len(resent)

    def _tell(self, decision: Decision) -> None:
        state = STATE_AFTER[decision.ruling]
        if state is not None:
            self._emit(
                JobSettled(
                    job_key=decision.question.job.key,
                    ruling=decision.ruling,
                    state=state,
                    session_id=decision.session.proxy_session_id if decision.session else None,
                    reason=decision.reason,
                    at=self._clock.time(),
                )
            )

    async def _questions(self) -> AsyncIterator[Sequence[Question]]:
        after = 0
        while questions := await self._settlement.questions(after, _AT_ONCE):
            after = questions[-1].job.id
            yield questions

    async def _wait_until(self, until: float, ambiguous: int) -> None:
        """Sleep in steps: the clock may be set meanwhile."""
        now = self._clock.time()
        if now < until:
            self._emit(SettlingStarted(ambiguous=ambiguous, until=until, at=now))
        while (left := until - self._clock.time()) > 0:
            await self._clock.sleep(min(left + _JUST_AFTER, _LONGEST_SLEEP))
