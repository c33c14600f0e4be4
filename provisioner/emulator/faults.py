"""What goes wrong, how often, and for which request: decided by a seed and the request's number."""

from __future__ import annotations

import re
from enum import StrEnum

import msgspec

from provisioner.errors import ConfigurationError

_MASK = (1 << 64) - 1
_UNITS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0}
_DURATION = re.compile(r"(\d+(?:\.\d+)?)(ms|s|m|h)")
_RATE = re.compile(r"(\d+(?:\.\d+)?)(%?)")


class FaultKind(StrEnum):
    """The kinds; "created" tells what the service did, whatever the caller learns of it.

    `THROTTLE` 429, `UNAVAILABLE` 503 and `FAILURE_BEFORE` 500: not created. `UNAVAILABLE_AFTER`
    503 and `FAILURE_AFTER` 500: created. `LOST`: created, the connection closed without a reply.
    `RESET`: created or not, the connection reset. `UNREADABLE`: created, 201 with a body that is
    no JSON. `HANG`: created, never answered. `SLOW_LISTING`: created and answered, but listed late.
    """

    THROTTLE = "throttle"
    UNAVAILABLE = "unavailable"
    UNAVAILABLE_AFTER = "unavailable_after"
    FAILURE_BEFORE = "failure_before"
    FAILURE_AFTER = "failure_after"
    LOST = "lost"
    RESET = "reset"
    UNREADABLE = "unreadable"
    HANG = "hang"
    SLOW_LISTING = "slow_listing"


_OPERATIONS = {
    "create": "CreateProxySession",
    "list": "ListProxySessions",
    "get": "GetProxySession",
    "update": "UpdateProxySession",
    "delete": "DeleteProxySession",
    "get_proxy": "GetVoiceConnectorProxy",
    "put_proxy": "PutVoiceConnectorProxy",
}
_ALLOWED = (
    f"rates such as 1% or 0.01 for {', '.join(FaultKind)} (hang and slow_listing may add @30s), "
    f"latency=20ms or latency=20ms~10ms, on=all or on={'+'.join(_OPERATIONS)}"
)


class FaultPlan(msgspec.Struct, frozen=True, kw_only=True):
    """Chances by kind (0 to 1, at most 1 together) for the calls of `operations`.

    Every call, of any operation, takes `latency` ± `jitter` seconds. A hanging connection is
    closed after `hang_seconds`, None leaves that to the client. A session listed late shows
    `listing_lag` seconds after its creation.
    """

    rates: dict[FaultKind, float] = {}
    latency: float = 0.0
    jitter: float = 0.0
    hang_seconds: float | None = None
    listing_lag: float = 60.0
    operations: tuple[str, ...] = ("CreateProxySession",)


class FaultDice:
    """A plan's throws: the same seed and request number always give the same fault."""

    def __init__(self, plan: FaultPlan, seed: int) -> None:
        self.plan = plan
        self._seed = seed
        self._steps: list[tuple[float, FaultKind]] = []
        total = 0.0
        for kind, rate in plan.rates.items():
            total += rate
            self._steps.append((total, kind))

    def kind(self, operation: str, number: int) -> FaultKind | None:
        """The fault that befalls this request, if any."""
        if not self._steps or operation not in self.plan.operations:
            return None
        throw = _uniform(self._seed, number, 0)
        return next((kind for step, kind in self._steps if throw < step), None)

    def latency(self, number: int) -> float:
        """Seconds that this request takes."""
        if not self.plan.jitter:
            return self.plan.latency
        swing = self.plan.jitter * (2 * _uniform(self._seed, number, 1) - 1)
        return max(0.0, self.plan.latency + swing)

    def coin(self, number: int) -> bool:
        """Whether a reset request did its deed before."""
        return _uniform(self._seed, number, 2) < 0.5  # noqa: PLR2004 - a fair coin


def parse_faults(text: str) -> FaultPlan:
    """A plan from text such as `throttle=1%,lost=0.1%,latency=20ms~10ms`; empty text is no fault.

    Raises:
        ConfigurationError: a part that is not understood, or chances above 1 together.
    """
    fields: dict[str, object] = {}
    rates: dict[FaultKind, float] = {}
    for part in filter(None, (part.strip() for part in text.split(","))):
        name, _, value = part.partition("=")
        if name in FaultKind.__members__.values():
            rates[FaultKind(name)] = _rate(name, value, fields)
        elif name == "latency":
            _latency(value, fields)
        elif name == "on":
            fields["operations"] = _operations(value)
        else:
            raise _refused(part)
    if sum(rates.values()) > 1:
        raise _refused(text)
    return msgspec.convert({"rates": rates, **fields}, FaultPlan)


def _rate(name: str, value: str, fields: dict[str, object]) -> float:
    text, at, seconds = value.partition("@")
    match = _RATE.fullmatch(text)
    field = {"hang": "hang_seconds", "slow_listing": "listing_lag"}.get(name)
    if not match or (at and not field):
        raise _refused(f"{name}={value}")
    if at and field:
        fields[field] = _seconds(seconds)
    return float(match[1]) / (100 if match[2] else 1)


def _latency(value: str, fields: dict[str, object]) -> None:
    base, swings, jitter = value.partition("~")
    fields["latency"] = _seconds(base)
    fields["jitter"] = _seconds(jitter) if swings else 0.0


def _operations(value: str) -> tuple[str, ...]:
    names = tuple(_OPERATIONS) if value == "all" else tuple(value.split("+"))
    if unknown := next((name for name in names if name not in _OPERATIONS), None):
        raise _refused(f"on={unknown}")
    return tuple(_OPERATIONS[name] for name in names)


def _seconds(text: str) -> float:
    match = _DURATION.fullmatch(text)
    if not match:
        raise _refused(text)
    return float(match[1]) * _UNITS[match[2]]


def _refused(part: str) -> ConfigurationError:
    return ConfigurationError(f"cannot read the fault {part!r}", hint=f"allowed: {_ALLOWED}")


def _uniform(seed: int, number: int, stream: int) -> float:
    """A number in [0, 1): splitmix64 (Steele, Lea, Flood 2014) of its arguments."""
    mixed = (seed * 0x9E3779B97F4A7C15 + number * 4 + stream + 1) * 0x9E3779B97F4A7C15 & _MASK
    mixed = (mixed ^ mixed >> 30) * 0xBF58476D1CE4E5B9 & _MASK
    mixed = (mixed ^ mixed >> 27) * 0x94D049BB133111EB & _MASK
    return (mixed ^ mixed >> 31) / 2**64
