"""The service with its faults and a tally: what stands behind every face."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from enum import Enum, auto
from random import Random

import msgspec

from provisioner.emulator.faults import FaultDice, FaultKind, FaultPlan
from provisioner.emulator.quota import PeakRate
from provisioner.emulator.refusal import (
    Refusal,
    failure,
    signature_expired,
    throttled,
    unavailable,
)
from provisioner.emulator.requests import SUCCESS, Answer, ProxySessionAnswer
from provisioner.emulator.service import Service
from provisioner.emulator.settings import EmulatorSettings

OK = 200


class Delivery(Enum):
    """How the caller gets the reply, or does not."""

    WHOLE = auto()
    UNREADABLE = auto()
    CLOSED = auto()
    RESET = auto()
    NEVER = auto()


class Reply(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """What becomes of one request: `body` None is an empty one; `delay` is seconds it takes."""

    number: int
    status: int
    body: Answer | Refusal | None
    delivery: Delivery = Delivery.WHOLE
    delay: float = 0.0


_BEFORE = {
    FaultKind.THROTTLE: throttled,
    FaultKind.UNAVAILABLE: unavailable,
    FaultKind.FAILURE_BEFORE: failure,
}
_AFTER = {FaultKind.UNAVAILABLE_AFTER: unavailable, FaultKind.FAILURE_AFTER: failure}
_DELIVERIES = {
    FaultKind.LOST: Delivery.CLOSED,
    FaultKind.RESET: Delivery.RESET,
    FaultKind.UNREADABLE: Delivery.UNREADABLE,
    FaultKind.HANG: Delivery.NEVER,
}
_HEARD = {Delivery.WHOLE, Delivery.UNREADABLE}


class Tally:
    """What happened so far: requests by operation and by status, faults by kind, peak rates."""

    def __init__(self) -> None:
        self.requests = 0
        self.operations: Counter[str] = Counter()
        self.statuses: Counter[int] = Counter()
        self.faults: Counter[FaultKind] = Counter()
        self.peaks: dict[str, PeakRate] = {}

    def arrived(self, operation: str, now: float) -> int:
        """Count a request; its number, from 1."""
        self.requests += 1
        self.operations[operation] += 1
        peak = self.peaks.get(operation)
        if peak is None:
            peak = self.peaks[operation] = PeakRate()
        peak.note(now)
        return self.requests


class Emulator:
    """One emulated service, shared by whatever faces it is shown through."""

    def __init__(self, settings: EmulatorSettings) -> None:
        self.settings = settings
        self.service = Service(settings, Random(settings.seed))  # noqa: S311 - repeatable on purpose
        self.tally = Tally()
        self._dice = FaultDice(settings.faults, settings.seed)
        self._id_prefix = f"{settings.seed & 0xFFFFFFFF:08x}-0000-4000-8000-"

    @property
    def faults(self) -> FaultPlan:
        """The plan in force."""
        return self._dice.plan

    def change_faults(self, plan: FaultPlan) -> None:
        """Another plan from the next request on."""
        self._dice = FaultDice(plan, self.settings.seed)

    def call(
        self,
        operation: str,
        parameters: Mapping[str, object],
        now: float,
        *,
        signed_at: float | None = None,
    ) -> Reply:
        """One request, arriving at `now`; `signed_at` None skips the signature's age."""
        number = self.tally.arrived(operation, now)
        fault = self._dice.kind(operation, number)
        try:
            self._check_age(now, signed_at)
            if fault is not None:
                self._strike(fault, number)
            answer = self.service.call(operation, parameters, now)
        except Refusal as refusal:
            return self._reply(number, refusal.status, refusal, fault)
        if fault is not None:
            return self._spoiled(number, operation, answer, fault)
        return self._reply(number, SUCCESS.get(operation, OK), answer)

    def request_id(self, number: int) -> str:
        """A reply's id, unlike any other of this emulator and the same at every run."""
        return f"{self._id_prefix}{number:012x}"

    def latency(self, number: int) -> float:
        """Seconds that the request of this number takes under the plan in force."""
        return self._dice.latency(number)

    def refuse(self, operation: str, refusal: Refusal, now: float) -> Reply:
        """The reply to a request that a face turned away before it reached the service."""
        return self._reply(self.tally.arrived(operation, now), refusal.status, refusal)

    def _check_age(self, now: float, signed_at: float | None) -> None:
        age = self.settings.signature_age
        if signed_at is not None and age is not None and abs(now - signed_at) > age:
            raise signature_expired(f"Signature expired: it is good for {age:g} seconds")

    def _strike(self, fault: FaultKind, number: int) -> None:
        """Count a fault, and refuse the request if it strikes before the deed."""
        self.tally.faults[fault] += 1
        if fault in _BEFORE:
            refusal = _BEFORE[fault]()
            raise refusal
        if fault is FaultKind.RESET and self._dice.coin(number):
            raise failure()

    def _spoiled(
        self, number: int, operation: str, answer: Answer | None, fault: FaultKind
    ) -> Reply:
        """The reply after a deed that a fault keeps from being told, or from being listed."""
        if fault in _AFTER:
            refusal = _AFTER[fault]()
            return self._reply(number, refusal.status, refusal)
        if fault is FaultKind.SLOW_LISTING and isinstance(answer, ProxySessionAnswer):
            session_id = answer.proxy_session.proxy_session_id
            self.service.hide_from_lists(session_id, self.faults.listing_lag)
        return self._reply(number, SUCCESS.get(operation, OK), answer, fault)

    def _reply(
        self,
        number: int,
        status: int,
        body: Answer | Refusal | None,
        fault: FaultKind | None = None,
    ) -> Reply:
        delivery = _delivery(fault, body) if fault else Delivery.WHOLE
        if delivery in _HEARD:
            self.tally.statuses[status] += 1
        delay = self._dice.latency(number)
        return Reply(number=number, status=status, body=body, delivery=delivery, delay=delay)


def _delivery(fault: FaultKind, body: Answer | Refusal | None) -> Delivery:
    """A refusal stays readable."""
    delivery = _DELIVERIES.get(fault, Delivery.WHOLE)
    if delivery is Delivery.UNREADABLE and isinstance(body, Refusal):
        return Delivery.WHOLE
    return delivery
