"""What is known of a lane's quota: out of the ledger as a run begins, into it once it has sent."""

from __future__ import annotations

from collections.abc import Sequence
from urllib.parse import urlsplit

from provisioner.events import EventSink, RateLearned
from provisioner.lane import Lane
from provisioner.ledger import GroupCommitLedger
from provisioner.ports import Clock
from provisioner.record import LearnedRate
from provisioner.settings import ServiceSettings

OPERATION = "CreateProxySession"

_PUBLIC = ".amazonaws.com"


def known_rate(rates: Sequence[LearnedRate], lane: str) -> LearnedRate | None:
    """What this lane was last found to allow, None if it never was."""
    return next((each for each in rates if (each.lane, each.operation) == (lane, OPERATION)), None)


def likely_rate(rates: Sequence[LearnedRate], service: ServiceSettings) -> LearnedRate | None:
    """What this service was last found to allow, told from the names of lanes without a call.

    Only credentials know their account: of several in the region the one learned last counts, and
    of several regions where `service` names none.
    """
    fitting = (each for each in rates if each.operation == OPERATION)
    return next((each for each in fitting if _may_be(each.lane, service)), None)


def _may_be(lane: str, service: ServiceSettings) -> bool:
    """Whether the gateway could have named the lane of `service` so."""
    host = urlsplit(service.endpoint_url or "").hostname or ""
    account, _, where = lane.rpartition(" ")
    if not account or host == where:
        return host == where
    if host and not host.endswith(_PUBLIC):
        return False
    named = f"profile {service.profile or 'default'}"
    ours = account == named or not account.startswith("profile ")
    return ours and (where == service.region if service.region else "." not in where)


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
