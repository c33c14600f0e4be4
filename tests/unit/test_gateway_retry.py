from random import Random

import pytest

from provisioner.gateway import BackoffPolicy
from provisioner.job import Outcome, Verdict


def retryable(retry_after=None):
    return Outcome(verdict=Verdict.RETRYABLE, retry_after=retry_after)


def delays(attempts, *, retry_after=None, count=2000):
    policy = BackoffPolicy(100, Random(1))
    return [policy.delay(retryable(retry_after), attempts) for _ in range(count)]


@pytest.mark.parametrize(
    ("attempts", "ceiling"), [(1, 0.2), (2, 0.4), (5, 3.2), (7, 12.8), (8, 20.0), (99, 20.0)]
)
def test_delays_are_spread_from_nothing_to_an_exponential_ceiling(attempts, ceiling):
    drawn = delays(attempts)
    assert 0.0 <= min(drawn) < 0.01 * ceiling
    assert 0.99 * ceiling < max(drawn) <= ceiling
    assert sum(drawn) / len(drawn) == pytest.approx(ceiling / 2, rel=0.05)


def test_the_service_is_given_the_time_it_asks_for():
    assert min(delays(3, retry_after=7.0)) >= 7.0


def test_those_told_the_same_time_do_not_come_back_together():
    assert len(set(delays(3, retry_after=7.0))) > 1000


def test_an_absurd_retry_after_is_cut_to_five_minutes():
    assert max(delays(3, retry_after=1e9)) <= 300.0 + 0.8


@pytest.mark.parametrize(("attempts", "again"), [(1, True), (7, True), (8, False), (9, False)])
def test_attempts_are_exhausted_at_the_maximum(attempts, again):
    delay = BackoffPolicy(8, Random(1)).delay(retryable(), attempts)
    assert (delay is not None) == again


@pytest.mark.parametrize("verdict", [each for each in Verdict if each is not Verdict.RETRYABLE])
def test_only_a_retryable_outcome_is_tried_again(verdict):
    assert BackoffPolicy(8, Random(1)).delay(Outcome(verdict=verdict), 1) is None


def test_one_seed_gives_one_sequence():
    assert delays(5, count=10) == delays(5, count=10)
