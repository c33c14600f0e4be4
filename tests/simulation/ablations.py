"""The safeguards, and each taken away: by wrapping ports, never by a flag in the product."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from provisioner.engine import Engine, Lane
from provisioner.ledger import SqliteLedger
from provisioner.ports import Clock, Gateway, Ledger, Limiter


class Safeguards:
    """All of them, as the product has them. An ablation overrides one."""

    def core(self, path: Path, now: Callable[[], float]) -> SqliteLedger:
        """The ledger's core on a file."""
        return SqliteLedger(path, now)

    def ledger(self, ledger: Ledger) -> Ledger:
        """Between the engine and its ledger."""
        return ledger

    def gateway(self, gateway: Gateway) -> Gateway:
        """Between the engine and the wire."""
        return gateway

    def limiter(self, limiter: Limiter) -> Limiter:
        """Between the engine and its pace."""
        return limiter

    def engine(self, ledger: Ledger, lane: Lane, clock: Clock) -> Engine:
        """The engine itself."""
        return Engine(ledger, lane, clock, lambda _: None)
