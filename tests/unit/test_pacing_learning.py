"""The learning pace in the simulator, over nights short enough for a test."""

from __future__ import annotations

import msgspec
import pytest

from benchmarks.pacing.controls import Learning
from benchmarks.pacing.service import Quota, Scenario
from benchmarks.pacing.simulation import Simulation
from provisioner.clock import VirtualClock
from provisioner.pacing import build_limiter
from provisioner.pacing.learning import LearningPace
from provisioner.record import LearnedRate
from provisioner.settings import PaceSettings

DAY = 86_400.0


class Night:
    """A scenario and what the pace made of it: use in percent, throttles per 100 successes."""

    def __init__(self, scenario: Scenario, known: float | None = None) -> None:
        control = Learning(known)
        night = Simulation(scenario, [control]).run()
        self.pace = control.pace
        self.rates = night.rates
        self.use = 100 * night.accepted / (scenario.allowed() - night.by_tenant)
        self.throttles = 100 * (night.sent - night.accepted) / night.accepted


def quota(rate: float, **others: object) -> Scenario:
    return Scenario(name="", quota=Quota(rate=rate, burst=max(2.0, rate)), **others)  # type: ignore[arg-type]


@pytest.mark.parametrize("rate", [5.0, 20.0, 100.0])
def test_a_quota_is_found_and_used(rate: float) -> None:
    night = Night(quota(rate, seconds=300.0))
    assert night.use > 97
    assert night.throttles < 1.5
    assert night.pace.learned == pytest.approx(rate, rel=0.02)


@pytest.mark.parametrize("burst", [2.0, 185.0])
def test_a_quota_that_is_no_round_number_is_found_whatever_its_burst(burst: float) -> None:
    night = Night(Scenario(name="", quota=Quota(rate=7.3, burst=burst), seconds=900.0))
    assert night.use > 97
    assert night.pace.learned == pytest.approx(7.3, rel=0.02)


def test_a_quota_of_a_call_in_five_seconds_is_found() -> None:
    night = Night(Scenario(name="", quota=Quota(rate=0.2, burst=2.0), seconds=7200.0))
    assert night.use > 90
    assert night.pace.learned == pytest.approx(0.2, rel=0.1)


def test_a_known_rate_that_is_ten_times_too_high_is_corrected_in_seconds() -> None:
    night = Night(quota(37.3, seconds=120.0), known=373.0)
    assert night.use > 95
    assert night.pace.learned == pytest.approx(37.3, rel=0.03)


def test_a_known_rate_that_is_ten_times_too_low_is_noticed_in_half_a_minute() -> None:
    night = Night(quota(20.0, seconds=40.0), known=2.0)
    assert max(rate for _, rate, _ in night.rates[:35]) > 18


def test_a_bucket_of_one_token_costs_throughput_rather_than_throttles() -> None:
    night = Night(Scenario(name="", quota=Quota(rate=5.0, burst=1.0), seconds=1200.0))
    assert night.use > 70
    assert night.throttles < 2


def test_a_rate_learned_before_is_used_from_the_first_second() -> None:
    night = Night(quota(50.0, seconds=150.0), known=50.0)
    assert night.use > 99
    assert night.throttles < 0.1


def test_a_quota_that_halves_is_followed() -> None:
    night = Night(quota(40.0, seconds=240.0, moves=((120.0, 0.5),)))
    assert night.use > 95
    assert night.throttles < 3
    assert night.pace.learned == pytest.approx(20.0, rel=0.05)


def test_a_quota_that_doubles_is_found_out() -> None:
    night = Night(quota(40.0, seconds=300.0, moves=((100.0, 2.0),)))
    assert night.pace.learned == pytest.approx(80.0, rel=0.05)


def test_windows_are_no_trap() -> None:
    scenario = Scenario(name="", quota=Quota(rate=30.0, window=1.0), seconds=300.0)
    assert Night(scenario).use > 90


def test_another_tenant_is_made_room_for_and_its_leaving_noticed() -> None:
    night = Night(quota(50.0, seconds=400.0, tenant=(100.0, 200.0, 0.4)))
    during = [rate for at, rate, _ in night.rates if 150 < at < 200]
    after = [rate for at, rate, _ in night.rates if at > 350]
    assert sum(during) / len(during) < 40
    assert min(after) > 40


@pytest.mark.parametrize("known", [None, 50.0])
def test_throttles_at_random_do_not_drive_it_down(known: float | None) -> None:
    assert Night(quota(50.0, seconds=300.0, noise=0.002), known).use > 98


def test_a_lull_in_the_work_does_not_make_the_quota_look_small() -> None:
    pace, now = LearningPace(now=0.0, known=20.0), 0.0
    for call in range(3000):
        now += 1.0 if 1000 < call < 1200 else 0.05
        pace.observe(now + 0.1, sent_at=now, throttled=call % 400 == 399)
    assert pace.rate > 19.0


def test_a_flurry_of_throttles_leaves_calls_out() -> None:
    pace = LearningPace(now=0.0, known=100.0)
    for call in range(300):
        pace.observe(call / 100 + 0.2, sent_at=call / 100, throttled=False)
    sent = 3.21
    left_out = [pace.observe(sent + 0.2, sent_at=sent, throttled=True) for _ in range(4)]
    assert max(left_out) > 0


def test_a_ceiling_is_never_exceeded() -> None:
    pace = LearningPace(now=0.0)
    pace.set_ceiling(0.0, 10.0)
    for call in range(2000):
        pace.observe(call / 10 + 0.1, sent_at=call / 10, throttled=False)
    assert pace.rate == 10.0
    pace.set_ceiling(201.0, 4.0)
    assert pace.rate == 4.0


def test_a_ceiling_that_is_lifted_gives_back_the_rate_it_kept_down() -> None:
    pace = LearningPace(now=0.0, known=50.0)
    before = pace.rate
    pace.set_ceiling(1.0, 5.0)
    pace.set_ceiling(2.0, 80.0)
    assert pace.rate == before


def test_calls_that_were_held_up_by_something_else_allow_nothing() -> None:
    pace = LearningPace(now=0.0, start=50.0)
    for call in range(400):
        pace.observe(call / 4 + 0.1, sent_at=call / 4, throttled=False)
    assert pace.rate == 50.0


def test_nothing_is_learned_before_a_throttle() -> None:
    pace = LearningPace(now=0.0)
    for call in range(100):
        pace.observe(call / 50 + 0.1, sent_at=call / 50, throttled=False)
    assert pace.learned is None


def test_an_old_call_says_nothing_of_the_new_rate() -> None:
    pace = LearningPace(now=10.0)
    pace.observe(11.0, sent_at=9.0, throttled=True)
    assert pace.rate == 2.0


@pytest.mark.parametrize(
    ("age", "start"), [(DAY, 50.0 * 0.997), (40 * DAY, 25.0)], ids=["fresh", "stale"]
)
def test_what_was_learned_long_ago_is_believed_by_half(age: float, start: float) -> None:
    clock = VirtualClock()
    known = LearnedRate(lane="", operation="", rate=50.0, learned_at=clock.time() - age)
    limiter = build_limiter(PaceSettings(), clock, lambda _: None, known)
    assert limiter.rate == pytest.approx(start)


def test_a_given_rate_is_not_changed_by_what_was_learned() -> None:
    clock = VirtualClock()
    known = LearnedRate(lane="", operation="", rate=50.0, learned_at=clock.time())
    settings = msgspec.structs.replace(PaceSettings(), rate=7.0)
    limiter = build_limiter(settings, clock, lambda _: None, known)
    assert (limiter.rate, limiter.learned) == (7.0, None)
