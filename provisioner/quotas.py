"""What is known of a lane's quota: out of the ledger as a run begins, into it once it has sent."""

from __future__ import annotations

from collections.abc import Sequence

from provisioner.events import EventSink, RateLearned
from provisioner.lane import Lane
from provisioner.ledger import GroupCommitLedger
from provisioner.ports import Clock
from provisioner.record import LearnedRate

OPERATION = "CreateProxySession"


def known_rate(rates: Sequence[LearnedRate], lane: str) -> LearnedRate | None:
    """What this lane was last found to allow, None if it never was."""
    return next((each for each in rates if (each.lane, each.operation) == (lane, OPERATION)), None)


async def keep_rate(ledger: GroupCommitLedger, lane: Lane, clock: Clock, emit: EventSink) -> None:
    """Record what the lane's limiter has learned, if it has.

    Raises:
        CannotWriteError: the ledger failed.
    """
    rate = lane.limiter.learned
    if rate is None:
        return
    now = clock.time()
    found = LearnedRate(lane=lane.name, operation=OPERATION, rate=rate, learned_at=now)
    await ledger.perform(lambda core: core.record_rate(found))
    emit(RateLearned(lane=lane.name, rate=rate, at=now))
