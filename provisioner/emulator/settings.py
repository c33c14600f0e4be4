"""One frozen value for everything the emulated service can be told."""

from __future__ import annotations

import msgspec

from provisioner.emulator.faults import FaultPlan
from provisioner.errors import ConfigurationError

CONNECTOR = "abcdef1ghij2klmno3pqr4"
"""The voice connector that exists unless told otherwise."""


class Quota(msgspec.Struct, frozen=True, kw_only=True):
    """Requests allowed, for each operation on its own.

    A token bucket of `rate` requests/s and `burst` requests; with `window`, instead, at most
    `rate * window` requests in each aligned window of that many seconds. All are above zero.

    Raises:
        ConfigurationError: one is not.
    """

    rate: float
    burst: int = 1
    window: float | None = None

    def __post_init__(self) -> None:
        """Refuse a quota that lets nothing through."""
        if not (self.rate > 0 and self.burst > 0 and (self.window is None or self.window > 0)):
            hint = "leave the quota out for none"
            raise ConfigurationError("a quota's rate, burst and window are above zero", hint=hint)


class EmulatorSettings(msgspec.Struct, frozen=True, kw_only=True):
    """A service with these connectors, limits and faults.

    `any_connector` makes every connector id exist. `disabled_connectors` exist with their proxy
    switched off, `bare_connectors` without any proxy configuration. `pool_size` is proxy numbers
    per country. `listing_delay` is seconds from a session's creation until lists show it;
    `closed_retention` is seconds a closed one is still shown, None for ever. `signature_age` is
    the seconds a signature is good for, None for ever. `retry_after` is sent in seconds with
    every 429 and 503, None leaves the header out.
    """

    seed: int = 1
    connectors: tuple[str, ...] = (CONNECTOR,)
    disabled_connectors: tuple[str, ...] = ()
    bare_connectors: tuple[str, ...] = ()
    any_connector: bool = False
    countries: tuple[str, ...] = ("US",)
    pool_size: int = 200
    default_expiry_minutes: int = 60
    maximum_expiry_minutes: int | None = None
    quota: Quota | None = None
    listing_delay: float = 0.0
    closed_retention: float | None = None
    signature_age: float | None = 300.0
    retry_after: int | None = None
    faults: FaultPlan = FaultPlan()
