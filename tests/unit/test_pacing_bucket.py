import pytest

from provisioner.pacing.bucket import TokenBucket, least_burst


def drain(bucket, now):
    taken = 0
    while bucket.take(now) == 0.0:
        taken += 1
    return taken


def test_a_new_bucket_holds_one_token_whatever_its_burst():
    assert drain(TokenBucket(10.0, 50, now=0.0), now=0.0) == 1


def test_an_idle_bucket_fills_up_to_its_burst():
    assert drain(TokenBucket(10.0, 5, now=0.0), now=3600.0) == 5


def test_a_stall_is_caught_up_by_the_burst_and_no_further():
    assert drain(TokenBucket(1010.0, now=0.0), now=3600.0) == 21


@pytest.mark.parametrize(
    ("rate", "burst"), [(0.01, 1), (49.9, 1), (50.0, 2), (100.0, 3), (2000.0, 41)]
)
def test_the_least_burst_makes_up_for_twenty_milliseconds(rate, burst):
    assert least_burst(rate) == burst
    assert TokenBucket(rate, now=0.0).burst == burst


def test_the_least_burst_follows_the_rate():
    bucket = TokenBucket(10.0, now=0.0)
    bucket.set_rate(0.0, 1010.0)
    assert bucket.burst == 21
    assert drain(bucket, now=3600.0) == 21


def test_tokens_that_are_left_out_are_nobodys():
    bucket = TokenBucket(4.0, now=0.0)
    bucket.leave_out(0.0, 2.5)
    assert bucket.take(0.0) == pytest.approx(0.625)


def test_a_wait_says_when_the_next_token_is_there():
    bucket = TokenBucket(4.0, now=100.0)
    bucket.take(100.0)
    assert bucket.take(100.0) == 0.25


def test_a_refused_take_costs_nothing():
    bucket = TokenBucket(4.0, now=0.0)
    bucket.take(0.0)
    for _ in range(10):
        bucket.take(0.1)
    assert bucket.take(0.25) == 0.0


def test_a_faster_rate_shortens_the_wait_at_once():
    bucket = TokenBucket(0.1, now=0.0)
    bucket.take(0.0)
    bucket.set_rate(0.0, 10.0)
    assert abs(bucket.take(0.0) - 0.1) < 1e-9


def test_a_slower_rate_keeps_the_fraction_that_was_there():
    bucket = TokenBucket(10.0, now=0.0)
    bucket.take(0.0)
    bucket.set_rate(0.05, 1.0)
    assert abs(bucket.take(0.05) - 0.5) < 1e-9


def test_a_rate_change_does_not_fill_the_bucket():
    bucket = TokenBucket(10.0, 20, now=0.0)
    bucket.set_rate(0.0, 1000.0)
    assert drain(bucket, now=0.0) == 1


def test_the_rate_can_be_read_back():
    assert TokenBucket(8.0, now=0.0).rate == 8.0
