"""A lane, and who settles and audits over it, from settings."""

from __future__ import annotations

import math
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from random import Random

from provisioner import defaults
from provisioner.audit import Auditor
from provisioner.errors import ConfigurationError
from provisioner.events import EventSink
from provisioner.gateway import BackoffPolicy, is_loopback, open_gateway
from provisioner.lane import Lane
from provisioner.listing import Lister
from provisioner.pacing import CircuitBreaker, build_limiter
from provisioner.ports import Clock, Settlement
from provisioner.quotas import known_rate
from provisioner.record import LearnedRate
from provisioner.rulings import SettlePolicy
from provisioner.settings import Settings
from provisioner.settler import Settler

SIGNATURE_LIFE = 300.0
"""Seconds for which the service accepts a signature, give or take its clock and ours."""

_PREFLIGHT_ATTEMPTS = 4
_STOPPED = 60.0


@asynccontextmanager
async def open_lane(
    settings: Settings, clock: Clock, emit: EventSink, rates: Sequence[LearnedRate] = ()
) -> AsyncIterator[Lane]:
    """The service and its pace; raises as `open_gateway` and `build_limiter` do.

    `rates` are what lanes were found to allow, this one perhaps among them.
    """
    service, pace = settings.service, settings.pace
    jitter = Random()  # noqa: S311  # spreads retries, guards nothing
    patience = BackoffPolicy(_PREFLIGHT_ATTEMPTS, jitter)
    async with open_gateway(service, retry=patience, clock=clock) as gateway:
        yield Lane(
            gateway=gateway,
            limiter=build_limiter(pace, clock, emit, known_rate(rates, gateway.scope)),
            breaker=CircuitBreaker(give_up=pace.give_up, budget=pace.retry_budget),
            retry=BackoffPolicy(pace.max_attempts, jitter),
            connections=service.connections or defaults.CONNECTIONS,
            pool=service.pool,
            name=gateway.scope,
            patience=call_patience(service.timeout),
        )


def call_patience(timeout: float) -> float:
    """Seconds after which a call, given up after `timeout`, was made by a process that stopped."""
    return min(timeout + _STOPPED, SIGNATURE_LIFE)


def settling(
    settlement: Settlement, lane: Lane, clock: Clock, policy: SettlePolicy, emit: EventSink
) -> tuple[Settler, Auditor]:
    """Who settles and who audits, with one lister."""
    lister = Lister(settlement, lane, clock, emit, patience=policy.settle)
    settler = Settler(settlement, lister, clock, policy, emit)
    return settler, Auditor(settlement, lister, clock, policy, emit)


def settle_policy(settings: Settings) -> SettlePolicy:
    """How long to wait for proof; an emulator, on loopback, lists at once."""
    return SettlePolicy(
        settle=settings.settle,
        audit=0.0 if _at_loopback(settings) else None,
        skew=settings.clock_skew,
        resends=settings.pace.max_attempts - 1,
    )


def refuse_haste(settings: Settings) -> None:
    """Refuse to take a request for lost that may still arrive.

    Raises:
        ConfigurationError: `settle` is too short for a service that is not on loopback.
    """
    shortest = SIGNATURE_LIFE + settings.clock_skew
    if settings.settle < shortest and not _at_loopback(settings):
        raise ConfigurationError(
            f"--settle {settings.settle:g}s is too short: a request may arrive up to "
            f"{shortest:g} seconds after it was signed, and would be made twice",
            hint=f"give {math.ceil(shortest / 60)}m or more; only a service on loopback may "
            "have less",
        )


def _at_loopback(settings: Settings) -> bool:
    return is_loopback(settings.service.endpoint_url or "")
