from __future__ import annotations

import os
import subprocess
import sys

import pytest

from provisioner.audit import Auditor
from provisioner.settler import Settler
from tests.simulation import night, wire
from tests.simulation.night import simulate
from tests.simulation.scenario import crashing, losing, scenario
from tests.simulation.table import every_step, nights

REPLAY = "python -m tests.simulation"


@pytest.mark.parametrize("first", range(0, 200, 20))
def test_no_night_breaks_a_promise(first: int) -> None:
    assert nights(range(first, first + 20)).broken == []


@pytest.mark.parametrize("seed", [2, 4, 5])
def test_a_death_at_any_step_breaks_no_promise(seed: int) -> None:
    assert every_step([seed]).broken == []


def test_a_seed_is_the_same_night_every_time() -> None:
    assert simulate(scenario(17)).digest == simulate(scenario(17)).digest


def test_a_seed_is_the_same_night_in_every_process() -> None:
    digests = {_replay(17, str(hash_seed)) for hash_seed in range(2)}
    assert digests == {simulate(scenario(17)).digest}


def test_a_night_goes_the_same_way_until_its_crash() -> None:
    whole = simulate(crashing(17, None, (5, 40))).trace
    cut = simulate(crashing(17, 60, (5, 40))).trace
    assert cut[:60] == whole[:60]
    assert cut != whole


def _replay(seed: int, hash_seed: str) -> str:
    done = subprocess.run(
        [sys.executable, *REPLAY.split()[1:], "--seed", str(seed)],
        env=os.environ | {"PYTHONHASHSEED": hash_seed},
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    return done.stdout.split("digest ")[1].split()[0]


def test_a_ledger_that_is_lost_is_made_anew_and_nothing_is_made_twice() -> None:
    assert all(not simulate(losing(seed)).violations for seed in range(30))


def test_without_adoption_a_lost_ledger_makes_sessions_twice(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async def forget(*_: object) -> int:
        return 0

    monkeypatch.setattr(Auditor, "adopt", forget)
    broken = [each for seed in range(10) for each in simulate(losing(seed)).violations]
    assert any(each.startswith("duplicate") for each in broken)


@pytest.mark.parametrize(("seconds", "bound"), [(0.0, "events"), (3600.0, "seconds")])
def test_a_night_that_does_not_end_is_told_with_its_replay(
    monkeypatch: pytest.MonkeyPatch, seconds: float, bound: str
) -> None:
    async def settle(settler: Settler) -> int:
        await settler._clock.sleep(seconds)
        return 1

    monkeypatch.setattr(Settler, "settle", settle)
    monkeypatch.setattr(wire, "MOST_EVENTS", 5_000)
    monkeypatch.setattr(night, "LONGEST_NIGHT", 86_400.0)
    ((replay, broken),) = nights([17]).broken
    assert replay == "--seed 17"
    assert broken[0].startswith("endless: not over after ")
    assert broken[0].endswith(bound)
