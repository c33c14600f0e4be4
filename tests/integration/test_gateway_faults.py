"""Each fault of the emulator through the real client: the verdict, and what the service did."""

from __future__ import annotations

import math
from random import Random

import pytest

from provisioner.clock import SystemClock
from provisioner.emulator.faults import FaultKind, parse_faults
from provisioner.emulator.http import serve
from provisioner.emulator.settings import CONNECTOR, EmulatorSettings
from provisioner.gateway import BackoffPolicy, open_gateway
from provisioner.job import Verdict
from provisioner.session import SessionRequest
from provisioner.settings import ServiceSettings

REQUEST = SessionRequest(
    voice_connector_id=CONNECTOR,
    participants=("+14155550100", "+14155550101"),
    capabilities=("Voice", "SMS"),
)
VERDICTS = {
    FaultKind.THROTTLE: (Verdict.RETRYABLE, True, {0}),
    FaultKind.UNAVAILABLE: (Verdict.RETRYABLE, True, {0}),
    FaultKind.UNAVAILABLE_AFTER: (Verdict.RETRYABLE, True, {1}),
    FaultKind.FAILURE_BEFORE: (Verdict.AMBIGUOUS, True, {0}),
    FaultKind.FAILURE_AFTER: (Verdict.AMBIGUOUS, True, {1}),
    FaultKind.LOST: (Verdict.AMBIGUOUS, False, {1}),
    FaultKind.RESET: (Verdict.AMBIGUOUS, False, {0, 1}),
    FaultKind.UNREADABLE: (Verdict.AMBIGUOUS, True, {1}),
    FaultKind.HANG: (Verdict.AMBIGUOUS, False, {1}),
    FaultKind.SLOW_LISTING: (Verdict.CREATED, True, {1}),
}
"""The verdict, whether the service is known to have answered, and the sessions it may have made."""


@pytest.mark.parametrize("path", ["lean", "stock"])
@pytest.mark.parametrize("kind", FaultKind)
async def test_a_fault_gives_its_verdict_after_one_call(
    monkeypatch: pytest.MonkeyPatch, kind: FaultKind, path: str
) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "testing")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "testing")
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "5")
    async with serve(EmulatorSettings(faults=parse_faults(f"{kind}=100%"))) as server:
        settings = ServiceSettings(
            endpoint_url=server.url, region="us-east-1", timeout=0.5, sdk_path=path
        )
        retry = BackoffPolicy(2, Random(1))
        async with open_gateway(settings, retry=retry, clock=SystemClock()) as gateway:
            outcome = await gateway.create(REQUEST, not_after=math.inf)
    verdict, answered, sessions = VERDICTS[kind]
    assert (outcome.verdict, outcome.answered) == (verdict, answered)
    assert server.emulator.tally.operations["CreateProxySession"] == 1
    assert len(list(server.emulator.service.records())) in sessions
