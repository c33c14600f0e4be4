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
from provisioner.listing import JUST_AFTER, LONGEST_SLEEP, Lister
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


class Outlook(msgspec.Struct, frozen=True, kw_only=True):
    """The open questions: how many, and when the first of each connector is due, epoch seconds.

    At `best` those that are due soon after the first are due, too: one listing serves them all.
    """

    ambiguous: int
    due: dict[str, float]
    best: float


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
        self._turn = anyio.Lock()
        self._resent: Counter[int] = Counter()
        self._sent_back = 0
        self._looked_at = self._rests_until = self._told = -math.inf

    @property
    def unlisted(self) -> dict[str, Outcome]:
        """The connectors that could not be listed, and why."""
        return self._lister.unlisted

    async def attend(self) -> None:
        """Settle what comes due while others send, until cancelled.

        Listings leave at least half of the time to the calls they share the lane with.
        """
        while True:
            async with self._turn:
                outlook = await self.outlook()
                if outlook.due and self._clock.time() >= self._next_look(outlook):
                    self._sent_back += await self._look(outlook, again=True)
                    now = self._clock.time()
                    self._rests_until = now + (now - self._looked_at)
            await self._clock.sleep(self._policy.again)

    async def settle(self) -> int:
        """Wait and list until a job may be sent again, or nothing is left that can be settled.

        The first listing does not wait: a session that shows is adopted at once, only absence
        takes time to prove.

        Returns:
            How many jobs went back to pending, also by `attend` since the last time.
        """
        async with self._turn:
            self._rests_until = -math.inf
            again, self._sent_back = self._sent_back, 0
            return again or await self._glance() or await self._wait_and_look()

    async def _glance(self) -> int:
        outlook = await self.outlook()
        if not outlook.due or self._clock.time() < self._looked_at + self._policy.again:
            return 0
        return await self._look_at(list(outlook.due))

    async def _wait_and_look(self) -> int:
        """In steps, as the clock may be set meanwhile."""
        while (outlook := await self.outlook()).due:
            left = self._next_look(outlook) - self._clock.time()
            if left > 0:
                self._tell_wait(outlook)
                await self._clock.sleep(min(left + JUST_AFTER, LONGEST_SLEEP))
            elif again := await self._look(outlook):
                return again
        return 0

    def _next_look(self, outlook: Outlook) -> float:
        """When the next listing may begin, epoch seconds."""
        soonest = max(self._looked_at + self._policy.again, self._rests_until)
        return max(outlook.best, soonest, self._lister.steady_at())

    async def outlook(self) -> Outlook:
        """What is ambiguous at connectors that can be listed, as far as is known."""
        due: dict[str, float] = {}
        times = array("d")
        async for questions in self._questions():
            for each in questions:
                connector = each.job.request.voice_connector_id
                if connector not in self.unlisted:
                    times.append(self._policy.due(each))
                    due[connector] = min(due.get(connector, math.inf), times[-1])
        soon = min(times, default=0.0) + self._policy.again
        best = max((each for each in times if each <= soon), default=0.0)
        return Outlook(ambiguous=len(times), due=due, best=best)

    async def _look(self, outlook: Outlook, *, again: bool = False) -> int:
        """Settle what is due now; how many jobs went back to pending."""
        now = self._clock.time()
        due = [connector for connector, at in outlook.due.items() if at <= now]
        return await self._look_at(due, again=again) if due else 0

    async def _look_at(self, connectors: Sequence[str], *, again: bool = False) -> int:
        self._looked_at = self._clock.time()
        return await self.decide_all(await self._lister.list(connectors, again=again))

    async def decide_all(self, listings: dict[str, Listing]) -> int:
        """Settle what listings made already can; how many jobs went back to pending."""
        rivals = await self._rivals()
        again = 0
        async for questions in self._questions():
            listed = [each for each in questions if each.job.request.voice_connector_id in listings]
            candidates = await self._settlement.candidates(listed)
            decisions = [
                self._decision(question, sessions, listings, rivals)
                for question, sessions in zip(listed, candidates, strict=True)
            ]
            again += await self._record([each for each in decisions if each.ruling != Ruling.WAIT])
        return again

    async def _rivals(self) -> Counter[object]:
        """How many jobs a session with a row's own Name, and everything else, could be that of.

        Those are the open questions, and the jobs whose 503 may have made one after all.
        """
        suspected = await self._settlement.suspected()
        rivals = Counter(likeness(each) for each in suspected if not is_ours(each.name))
        async for questions in self._questions():
            requests = [each.job.request for each in questions]
            rivals.update(likeness(each) for each in requests if not is_ours(each.name))
        return rivals

    def _decision(
        self,
        question: Question,
        sessions: Sequence[Session],
        listings: dict[str, Listing],
        rivals: Counter[object],
    ) -> Decision:
        return decide(
            question,
            sessions,
            listings[question.job.request.voice_connector_id],
            self._policy,
            contested=rivals[likeness(question.job.request)] > 1,
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

    def _tell_wait(self, outlook: Outlook) -> None:
        """Once for every time that is waited for."""
        until = self._next_look(outlook)
        if until != self._told:
            self._told = until
            at = self._clock.time()
            self._emit(SettlingStarted(ambiguous=outlook.ambiguous, until=until, at=at))
