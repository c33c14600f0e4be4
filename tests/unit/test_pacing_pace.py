"""The pace against a simulated quota: one sender, always eager, over a fixed round trip."""

from collections import deque
from random import Random

import pytest

from provisioner.pacing import FixedPace
from provisioner.pacing.bucket import TokenBucket

ROUND_TRIP = 0.12


class Simulation:
    """A sender at `ceiling`, a service with `quota`; `outage` is (since, until) in seconds."""

    def __init__(self, ceiling, quota, *, noise=0.0, service_burst=10, outage=(0.0, 0.0)):
        self.pace = FixedPace(ceiling, now=0.0)
        self.bucket = TokenBucket(ceiling, 1, now=0.0)
        self.service = TokenBucket(quota, service_burst, now=0.0)
        self.noise, self.outage = noise, outage
        self.random = Random(1)
        self.answers = deque()
        self.sent, self.accepted, self.rates = [], 0, []

    def run(self, seconds):
        now = 0.0
        while now < seconds:
            wait = self.bucket.take(now)
            if wait > 0.0:
                now += wait
                continue
            self.send(now)
            self.receive(now)
        return self

    def send(self, now):
        throttled = (
            self.random.random() < self.noise
            or self.outage[0] < now < self.outage[1]
            or self.service.take(now) > 0.0
        )
        self.sent.append(now)
        self.accepted += not throttled
        self.answers.append((now, throttled))

    def receive(self, now):
        while self.answers and self.answers[0][0] + ROUND_TRIP <= now:
            sent_at, throttled = self.answers.popleft()
            if observed(self.pace, now, sent_at=sent_at, throttled=throttled) is not None:
                self.rates.append(self.pace.rate)
                self.bucket.set_rate(now, self.pace.rate)

    @property
    def throttled_share(self):
        return 1 - self.accepted / len(self.sent)


def observed(pace, now, *, sent_at, throttled):
    """The new rate, or None if it is the old one."""
    before = pace.rate
    pace.observe(now, sent_at=sent_at, throttled=throttled)
    return None if pace.rate == before else pace.rate


def feed(pace, now, *, accepted=0, throttled=0):
    """Answers at `now` to calls sent at that moment; the last rate it changed to."""
    changes = [
        observed(pace, now, sent_at=now, throttled=each < throttled)
        for each in range(accepted + throttled)
    ]
    return next((rate for rate in reversed(changes) if rate is not None), None)


@pytest.mark.parametrize(
    ("ceiling", "quota"), [(10.0, 5.0), (100.0, 50.0), (1000.0, 500.0), (100.0, 90.0)]
)
def test_a_quota_below_the_rate_is_used_and_respected(ceiling, quota):
    simulation = Simulation(ceiling, quota).run(120)
    assert simulation.accepted >= 0.97 * quota * 120
    assert simulation.throttled_share < 0.08


@pytest.mark.parametrize(("ceiling", "quota"), [(10.0, 5.0), (100.0, 50.0), (2.0, 0.5)])
def test_a_quota_that_allows_no_burst_is_used_too(ceiling, quota):
    simulation = Simulation(ceiling, quota, service_burst=1).run(300)
    assert simulation.accepted >= 0.9 * quota * 300


@pytest.mark.parametrize("ceiling", [1.0, 10.0, 100.0, 1000.0])
def test_sparse_random_throttles_cost_nothing(ceiling):
    simulation = Simulation(ceiling, 3 * ceiling, noise=0.01).run(60)
    assert len(simulation.sent) >= 0.97 * ceiling * 60


@pytest.mark.parametrize("ceiling", [1.0, 10.0, 100.0])
def test_it_recovers_from_an_outage(ceiling):
    simulation = Simulation(ceiling, 3 * ceiling, outage=(30.0, 90.0)).run(400)
    assert simulation.pace.rate == ceiling


def test_an_outage_is_met_with_few_calls():
    simulation = Simulation(100.0, 300.0, outage=(30.0, 90.0)).run(90)
    assert sum(time > 30.0 for time in simulation.sent) < 0.1 * 60 * 100


def test_the_ceiling_is_never_exceeded():
    assert max(Simulation(100.0, 90.0).run(120).rates) <= 100.0


def test_one_flight_of_throttles_is_one_cut():
    pace = FixedPace(100.0, now=0.0)
    for _ in range(50):
        observed(pace, 2.0, sent_at=1.5, throttled=True)
    assert pace.rate == 50.0


def test_a_cut_keeps_what_was_accepted():
    pace = FixedPace(100.0, now=0.0)
    for each in range(20):
        observed(pace, 2.0, sent_at=1.0 if each == 19 else 0.5, throttled=each < 4)
    assert pace.rate == 80.0


def test_a_single_throttle_proves_nothing():
    pace = FixedPace(10.0, now=0.0)
    assert feed(pace, 2.0, throttled=1, accepted=19) is None


def test_two_throttles_at_a_low_rate_are_enough():
    pace = FixedPace(1.0, now=0.0)
    observed(pace, 1.0, sent_at=1.0, throttled=True)
    assert observed(pace, 2.0, sent_at=2.0, throttled=True) == 0.5


def test_answers_within_the_first_second_decide_nothing():
    assert feed(FixedPace(1000.0, now=0.0), 0.9, throttled=900) is None


@pytest.mark.parametrize(("ceiling", "floor"), [(1000.0, 10.0), (1.0, 0.1), (0.05, 0.05)])
def test_it_never_stops_altogether(ceiling, floor):
    pace = FixedPace(ceiling, now=0.0)
    for now in range(2, 60, 2):
        feed(pace, float(now), throttled=2)
    assert pace.rate == pytest.approx(floor)


def test_growth_starts_small_and_doubles_while_it_succeeds():
    pace = FixedPace(1000.0, now=0.0)
    for now in (2.0, 4.0, 6.0):
        feed(pace, now, throttled=2)
    grown = [feed(pace, now, accepted=20) for now in (8.0, 10.0, 12.0)]
    assert grown == pytest.approx([125 * 1.05, 125 * 1.05 * 1.1, 125 * 1.05 * 1.1 * 1.2])


def test_a_failed_probe_goes_back_to_the_rate_that_was_clean():
    pace = FixedPace(100.0, now=0.0)
    feed(pace, 2.0, throttled=2)
    feed(pace, 4.0, accepted=20)
    assert pace.rate == 52.5
    assert feed(pace, 6.0, throttled=2) == 50.0


def test_failed_probes_come_ever_more_rarely():
    pace, now, waits = FixedPace(100.0, now=0.0), 2.0, []
    feed(pace, now, throttled=2)
    for _ in range(6):
        clean = 0
        while pace.rate == 50.0:
            now, clean = now + 2.0, clean + 1
            feed(pace, now, accepted=20)
        now += 2.0
        feed(pace, now, throttled=2)
        waits.append(clean)
    assert waits == [1, 2, 3, 5, 9, 17]


def test_few_answers_decide_once_they_are_calm_for_long():
    pace = FixedPace(1.0, now=0.0)
    observed(pace, 1.0, sent_at=1.0, throttled=True)
    observed(pace, 2.0, sent_at=2.0, throttled=True)
    grown = [observed(pace, now, sent_at=now, throttled=False) for now in (4.0, 6.0, 8.0)]
    assert grown == [None, None, pytest.approx(0.525)]
