"""Listing whole connectors into the ledger, paced, and knowing whether to trust the clock."""

from __future__ import annotations

import math
from collections.abc import Iterable

import msgspec

from provisioner.errors import ProvisionerError
from provisioner.events import EventSink, ListingFailed
from provisioner.job import Outcome, Verdict
from provisioner.lane import Lane
from provisioner.ports import Clock, Settlement
from provisioner.rulings import Listing, ended_at, is_ours, likeness
from provisioner.session import SessionPage

LONGEST_SLEEP = 60.0
"""Seconds after which who waits for a time of day looks at the clock again: it may be set."""
JUST_AFTER = 0.001

_JUMP = 5.0
_FIRST_PAUSE = 0.2
_LONGEST_PAUSE = 20.0
_LONGEST_RETRY_AFTER = 300.0
_LISTED = Outcome(verdict=Verdict.CREATED, status=200)
_ENDLESS = Outcome(
    verdict=Verdict.REFUSED,
    error_code="EndlessListing",
    message="The listing's NextToken leads back to a page that was listed before.",
)


class Lister:
    """Lists connectors through a lane, each page a paced call.

    A page that fails is asked for again for `patience` seconds, and for as long as the service
    only asks for less speed. `unlisted` has the connectors that could not be listed, and why. For
    `patience` seconds after the clock has jumped, listings are not steady.
    """

    def __init__(
        self,
        settlement: Settlement,
        lane: Lane,
        clock: Clock,
        emit: EventSink,
        *,
        patience: float,
    ) -> None:
        self.unlisted: dict[str, Outcome] = {}
        self._settlement = settlement
        self._lane = lane
        self._clock = clock
        self._emit = emit
        self._patience = patience
        self._watch = _ClockWatch(clock, patience)
        self._lifetimes: dict[str, int | None] = {}

    def steady_at(self) -> float:
        """From when on listings will be steady, epoch seconds, if they are not yet."""
        return self._watch.steady_at()

    async def list(
        self, connectors: Iterable[str], *, everything: bool = False, again: bool = False
    ) -> dict[str, Listing]:
        """List connectors into the ledger; the listings that were complete.

        With `again`, a connector that may be listable later is not given up.
        """
        listings: dict[str, Listing] = {}
        await self._settlement.begin_listing(everything=everything)
        for connector in connectors:
            listed = await self._list(connector)
            if isinstance(listed, Listing):
                listings[connector] = listed
            elif not (again and listed.verdict is Verdict.RETRYABLE):
                self.unlisted[connector] = listed
                self._emit(
                    ListingFailed(connector_id=connector, outcome=listed, at=self._clock.time())
                )
        under_way = await self._under_way()
        await self._settlement.end_listing()
        return {
            connector: msgspec.structs.replace(listing, under_way=under_way)
            for connector, listing in listings.items()
        }

    async def _under_way(self) -> frozenset[object]:
        """The likeness of calls whose session was perhaps listed, though no job has it yet."""
        requests = await self._settlement.under_way()
        return frozenset(likeness(each) for each in requests if not is_ours(each.name))

    async def _list(self, connector_id: str) -> Listing | Outcome:
        """Every page of one connector."""
        lifetime = await self._lifetime(connector_id)
        began, steady = self._clock.time(), self._watch.is_steady()
        # Other connectors may have taken long: what is in doubt by now is looked for.
        await self._settlement.look_for_doubts()
        first_ended, token, trail = math.inf, None, _Trail()
        while True:
            page = await self._page(connector_id, token)
            if isinstance(page, Outcome):
                return page
            await self._settlement.note(connector_id, page.sessions)
            first_ended = min([first_ended, *filter(None, map(ended_at, page.sessions))])
            token = page.next_token
            if token is None:
                return Listing(
                    began=began,
                    ended=self._clock.time(),
                    first_ended=None if first_ended == math.inf else first_ended,
                    steady=steady,
                    default_expiry_minutes=lifetime,
                )
            if trail.has_seen(token):
                return _ENDLESS

    async def _page(self, connector_id: str, token: str | None) -> SessionPage | Outcome:
        """One page. What is throttled is no failure: the pace learns of it, patience does not."""
        tries, failing_since = 0, self._clock.monotonic()
        while True:
            await self._lane.limiter.take()
            await self._lane.limiter.depart()
            sent_at = self._clock.monotonic()
            page = await self._lane.gateway.list_sessions(connector_id, token)
            outcome = page if isinstance(page, Outcome) else _LISTED
            self._lane.limiter.observe(outcome, sent_at=sent_at)
            if outcome.verdict is not Verdict.RETRYABLE:
                return page
            if outcome.throttled:
                tries, failing_since = 0, self._clock.monotonic()
            pause = _pause(outcome, tries)
            if self._clock.monotonic() + pause - failing_since > self._patience:
                return page
            await self._clock.sleep(pause)
            tries += 1

    async def _lifetime(self, connector_id: str) -> int | None:
        """Minutes that a session lives whose request does not say; None where nobody knows."""
        if connector_id not in self._lifetimes:
            await self._lane.limiter.take()
            await self._lane.limiter.depart()
            try:
                proxy = await self._lane.gateway.connector_proxy(connector_id)
            except ProvisionerError:
                return None
            self._lifetimes[connector_id] = proxy.default_expiry_minutes
        return self._lifetimes[connector_id]


class _Trail:
    """Notices that a listing's tokens go in a circle, keeping one of them.

    The token kept is renewed after 1, 2, 4, 8 … pages, so a circle is noticed within three times
    the pages it takes to close it: R. P. Brent, "An improved Monte Carlo factorization
    algorithm", BIT 20 (1980).
    """

    def __init__(self) -> None:
        self._kept: str | None = None
        self._left = self._stretch = 1

    def has_seen(self, token: str) -> bool:
        """Whether this token is the one that is kept; goes one page further."""
        if token == self._kept:
            return True
        self._left -= 1
        if not self._left:
            self._kept = token
            self._stretch *= 2
            self._left = self._stretch
        return False


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


def _pause(outcome: Outcome, tries: int) -> float:
    """Seconds before a page is asked for again; one at a time needs no jitter."""
    doubled = min(_FIRST_PAUSE * 2.0 ** min(tries, 10), _LONGEST_PAUSE)
    return doubled + min(outcome.retry_after or 0.0, _LONGEST_RETRY_AFTER)
