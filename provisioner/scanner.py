"""Listing whole connectors into the ledger, paced, and knowing whether to trust the clock."""

from __future__ import annotations

import math
from collections.abc import Iterable

from provisioner.engine import Lane
from provisioner.events import EventSink, ListingFailed
from provisioner.job import Outcome, Verdict
from provisioner.ports import Clock, SessionPage, Settlement
from provisioner.settling import Listing, ended_at

_JUMP = 5.0
_LISTED = Outcome(verdict=Verdict.CREATED, status=200)
_ENDLESS = Outcome(
    verdict=Verdict.REFUSED,
    error_code="EndlessListing",
    message="The listing's NextToken leads back to itself.",
)


class Scanner:
    """Lists connectors through a lane, each page a paced call that is retried like any other.

    `unlisted` has the connectors that could not be listed, and why. For `settle` seconds after
    the clock has jumped, listings are not steady.
    """

    def __init__(
        self,
        settlement: Settlement,
        lane: Lane,
        clock: Clock,
        emit: EventSink,
        *,
        settle: float,
    ) -> None:
        self.unlisted: dict[str, Outcome] = {}
        self._settlement = settlement
        self._lane = lane
        self._clock = clock
        self._emit = emit
        self._watch = _ClockWatch(clock, settle)

    def steady_at(self) -> float:
        """From when on listings will be steady, epoch seconds, if they are not yet."""
        return self._watch.steady_at()

    async def scan(
        self, connectors: Iterable[str], *, everything: bool = False
    ) -> dict[str, Listing]:
        """List connectors into the ledger; the listings that were complete."""
        listings: dict[str, Listing] = {}
        await self._settlement.begin_scan(everything=everything)
        for connector in connectors:
            listed = await self._list(connector)
            if isinstance(listed, Listing):
                listings[connector] = listed
            else:
                self.unlisted[connector] = listed
                self._emit(
                    ListingFailed(connector_id=connector, outcome=listed, at=self._clock.time())
                )
        await self._settlement.end_scan()
        return listings

    async def _list(self, connector_id: str) -> Listing | Outcome:
        """Every page of one connector, paced."""
        began, steady = self._clock.time(), self._watch.is_steady()
        first_ended, token = math.inf, None
        while True:
            page = await self._page(connector_id, token)
            if isinstance(page, Outcome):
                return page
            await self._settlement.note(connector_id, page.sessions)
            first_ended = min([first_ended, *filter(None, map(ended_at, page.sessions))])
            if page.next_token is None:
                ended = None if first_ended == math.inf else first_ended
                return Listing(began=began, first_ended=ended, steady=steady)
            if page.next_token == token:
                return _ENDLESS
            token = page.next_token

    async def _page(self, connector_id: str, token: str | None) -> SessionPage | Outcome:
        tries = 0
        while True:
            tries += 1
            await self._lane.limiter.take()
            sent_at = self._clock.monotonic()
            page = await self._lane.gateway.list_sessions(connector_id, token)
            outcome = page if isinstance(page, Outcome) else _LISTED
            self._lane.limiter.observe(outcome, sent_at=sent_at)
            delay = self._lane.retry.delay(outcome, tries)
            if delay is None:
                return page
            await self._clock.sleep(delay)


class _ClockWatch:
    """Notices a wall clock that is set, and a machine that slept: their elapsed time is no proof.

    From then on a whole `settle` has to pass by the clock that cannot be set.
    """

    def __init__(self, clock: Clock, settle: float) -> None:
        self._clock = clock
        self._settle = settle
        self._offset = clock.time() - clock.monotonic()
        self._steady_from = -math.inf

    def is_steady(self) -> bool:
        """Whether no jump forward was noticed within the last `settle` seconds."""
        now = self._clock.monotonic()
        offset = self._clock.time() - now
        if offset - self._offset > _JUMP:
            self._steady_from = now + self._settle
        self._offset = offset
        return now >= self._steady_from

    def steady_at(self) -> float:
        """From when on it will be steady, epoch seconds, if it is not yet."""
        if self.is_steady():
            return -math.inf
        return self._clock.time() + self._steady_from - self._clock.monotonic()
