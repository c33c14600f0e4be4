"""Nights that put a safeguard to the test which most nights get by without."""

from __future__ import annotations

from collections.abc import Callable
from random import Random

import msgspec

from provisioner.emulator.faults import FaultKind
from tests.simulation.scenario import Life, Scenario, scenario


def faulty(seed: int, fault: FaultKind) -> Scenario:
    """A night of one fault, with sessions listed late, and later still in copies that lag."""
    night = scenario(seed)
    faults = msgspec.structs.replace(night.emulator.faults, rates={fault: 0.2})
    emulator = msgspec.structs.replace(night.emulator, listing_delay=55.0, faults=faults)
    return msgspec.structs.replace(night, emulator=emulator, stale=0.5, moving=0.0, settle=900.0)


def forgetful(seed: int) -> Scenario:
    """A night of a service that does what it says it failed to do."""
    return faulty(seed, FaultKind.FAILURE_AFTER)


def lying(seed: int) -> Scenario:
    """A night of a service that does what it says it is unavailable for."""
    return faulty(seed, FaultKind.UNAVAILABLE_AFTER)


def tardy(seed: int) -> Scenario:
    """A night of requests that are held up for longer than anybody waits."""
    return msgspec.structs.replace(scenario(seed), late=0.3, timeout=5.0)


def sleepy(seed: int) -> Scenario:
    """A night of processes that are taken for dead, one after the other, while they stand still."""
    night, random = scenario(seed), Random(seed)
    lives = [Life(stolen_at=random.randint(5, 100)) for _ in range(4)]
    return msgspec.structs.replace(night, lives=tuple(lives), late=0.1)


HARDER: dict[str, Callable[[int], Scenario]] = {
    "the settle wait": tardy,
    "the second listing": forgetful,
    "the audit's wait": lying,
    "the fence": sleepy,
}
"""By the safeguard; the first line of each tells what is harder about it."""
