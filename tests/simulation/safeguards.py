"""Where a simulation may take a safeguard away: every seam of a run, as the product has it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from provisioner.engine import Engine, Lane
from provisioner.ledger import SqliteLedger
from provisioner.ports import Clock, Gateway, Limiter, Settlement
from provisioner.rulings import SettlePolicy
from tests.simulation.ports import Shell


class Safeguards:
    """All of them, as the product has them. An ablation overrides one."""

    def core(self, path: Path, now: Callable[[], float]) -> SqliteLedger:
        """The ledger's core on a file."""
        return Quick(path, now)

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
        """Between the settler and its ledger."""
        return settlement

    def policy(self, policy: SettlePolicy) -> SettlePolicy:
        """The settler's patience."""
        return policy

    def engine(self, ledger: Shell, lane: Lane, clock: Clock) -> Engine:
        """The engine itself."""
        return Engine(ledger, lane, clock, lambda _: None)


class Quick(SqliteLedger):
    """A crash here is a copy of the files, not a loss of power: nothing need reach a disk."""

    def _recover(self) -> None:
        self._connection.execute("PRAGMA synchronous = OFF")
        super()._recover()


class Around:
    """Whatever it is wrapped around, where a subclass does not say otherwise."""

    def __init__(self, inner: Any) -> None:  # any port
        self._inner = inner

    def __getattr__(self, name: str) -> Any:  # any method of it
        return getattr(self._inner, name)
