"""The rate an operator asks for while a run goes on: an order in a file beside the ledger.

`provisioner.db.rate` holds calls a second as text, 0 to pause. The run takes it away as it obeys:
that is how the operator knows. A text that is no rate is taken away, too.
"""

from __future__ import annotations

from pathlib import Path

from provisioner.pacing import RATES
from provisioner.ports import Clock, Limiter

LOOK_EVERY = 0.5
"""Seconds between two looks for an order."""

STALE = 10.0
"""Seconds after which nobody waits for an order to be obeyed any more."""


def order_file(ledger: Path) -> Path:
    """Where the orders for a run on `ledger` are."""
    ledger = ledger.resolve()
    return ledger.with_name(ledger.name + ".rate")


def is_rate(rate: float) -> bool:
    """Whether a run can obey: within the limiter's rates, or 0."""
    slowest, fastest = RATES
    return rate == 0 or slowest <= rate <= fastest


async def obey(orders: Path, limiter: Limiter, clock: Clock) -> None:
    """Set the limiter's ceiling to what is ordered, until cancelled.

    An order left long ago is none: it was for a run that has ended.
    """
    if _age(orders, clock.time()) > STALE:
        take_order(orders)
    while True:
        await clock.sleep(LOOK_EVERY)
        rate = take_order(orders)
        if rate is not None:
            limiter.set_ceiling(rate, "operator")


def take_order(orders: Path) -> float | None:
    """The rate that is ordered, and the file gone; None without a readable order."""
    try:
        # An empty file is still being written.
        if not orders.read_bytes().strip():
            return None
        taken = orders.rename(orders.with_name(orders.name + ".taken"))
        text = taken.read_bytes()
        taken.unlink()
        rate = float(text)
    except (OSError, ValueError):
        return None
    return rate if is_rate(rate) else None


def _age(orders: Path, now: float) -> float:
    try:
        return abs(now - orders.stat().st_mtime)
    except OSError:
        return 0.0
