from __future__ import annotations

import pytest

from provisioner.quotas import OPERATION, likely_rate
from provisioner.record import LearnedRate
from provisioner.settings import ServiceSettings

EMULATOR = "127.0.0.1"
EAST = "111122223333 us-east-1"
WEST = "111122223333 us-west-2"
OURS = "profile default us-east-1"
NIGHT = "profile night us-east-1"
PROXIED = "111122223333 us-east-1 proxy.example.com"


def lane(*lanes: str, **service: str) -> str | None:
    rates = [
        LearnedRate(lane=each, operation=OPERATION, rate=9.0, learned_at=1.0) for each in lanes
    ]
    found = likely_rate(rates, ServiceSettings(**service))  # type: ignore[arg-type]
    return None if found is None else found.lane


@pytest.mark.parametrize(
    ("found", "expected"),
    [
        (lane(EMULATOR, PROXIED, WEST, EAST, region="us-east-1"), EAST),
        (lane(EMULATOR, PROXIED, WEST, EAST), WEST),
        (lane(EMULATOR, WEST, region="us-east-1"), None),
        (lane(EMULATOR), None),
        (lane(EAST, EMULATOR, endpoint_url="http://127.0.0.1:8080"), EMULATOR),
        (lane(EAST, PROXIED, endpoint_url="https://proxy.example.com"), PROXIED),
        (lane(EAST, endpoint_url="https://proxy.example.com"), None),
        (lane(EAST, endpoint_url="https://voice-chime.us-east-1.amazonaws.com"), EAST),
        (lane(NIGHT, OURS), OURS),
        (lane(OURS, NIGHT, profile="night", region="us-east-1"), NIGHT),
    ],
)
def test_a_plan_goes_by_the_lane_that_its_run_may_use(
    found: str | None, expected: str | None
) -> None:
    assert found == expected
