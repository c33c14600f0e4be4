"""One quota scope, an AWS account and region, as those see it who make calls there."""

from __future__ import annotations

import msgspec

from provisioner.ports import Breaker, Gateway, Limiter, RetryPolicy


class Lane(msgspec.Struct, frozen=True, kw_only=True):
    """The way to a service, its pace, what it takes for health, its patience.

    `connections` bounds the calls on the wire at once, until more are asked for: `pool` at most,
    None for no more. A request leaves within `fence` seconds of
    its intent, or not at all: when it counts as too old to arrive is told from the intent. A call
    that took more than `patience` seconds by the wall clock was made by a process that had been
    stopped.
    """

    gateway: Gateway
    limiter: Limiter
    breaker: Breaker
    retry: RetryPolicy
    connections: int
    pool: int | None = None
    name: str = ""
    fence: float = 60.0
    patience: float = 300.0

    @property
    def most(self) -> int:
        """The calls on the wire at once that may be asked for."""
        return self.pool or self.connections
