"""The safeguards, and each taken away: by wrapping ports, never by a flag in the product."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from provisioner.engine import Engine, Lane
from provisioner.ledger import SqliteLedger
from provisioner.ports import Clock, Gateway, Ledger, Limiter, Settlement
from provisioner.settling import SettlePolicy
from tests.simulation.ports import Shell


class Safeguards:
    """All of them, as the product has them. An ablation overrides one."""

    def core(self, path: Path, now: Callable[[], float]) -> SqliteLedger:
        """The ledger's core on a file."""
        return SqliteLedger(path, now)

    def ledger(self, ledger: Shell) -> Shell:
        """Between the engine and its ledger."""
        return ledger

    def gateway(self, gateway: Gateway) -> Gateway:
        """Between the engine and the wire."""
        return gateway

    def limiter(self, limiter: Limiter) -> Limiter:
        """Between the engine and its pace."""
        return limiter

    def lane(self, lane: Lane) -> Lane:
        """The whole lane."""
        return lane

    def settlement(self, settlement: Settlement) -> Settlement:
        """Between the reconciler and its ledger."""
        return settlement

    def policy(self, policy: SettlePolicy) -> SettlePolicy:
        """The reconciler's patience."""
        return policy

    def engine(self, ledger: Ledger, lane: Lane, clock: Clock) -> Engine:
        """The engine itself."""
        return Engine(ledger, lane, clock, lambda _: None)
