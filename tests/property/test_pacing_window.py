"""The bucket's promise: how many tokens any window may hold, and that lateness costs none."""

from itertools import accumulate, pairwise

from hypothesis import given
from hypothesis import strategies as st

from provisioner.pacing.bucket import LATENESS, TokenBucket, least_burst

ROUNDING = 1e-6

rates = st.floats(0.01, 100_000.0)
bursts = st.integers(1, 500)
starts = st.floats(0.0, 1e5)
# In intervals of the rate, so that tries are as dense as tokens whatever the rate.
tries = st.lists(st.floats(0.0, 6.0), min_size=1, max_size=60)


def taken_at(bucket, times):
    return [time for time in times if bucket.take(time) == 0.0]


def in_intervals(gaps, rate, start):
    return list(accumulate((gap / rate for gap in gaps), initial=start))


def assert_every_window(taken, rate, excess):
    for first, since in enumerate(taken):
        for count, until in enumerate(taken[first:], start=1):
            assert count <= rate * (until - since) + excess + ROUNDING * (1 + rate)


@given(rates, bursts, starts, tries)
def test_no_window_exceeds_rate_times_length_plus_burst(rate, burst, start, gaps):
    taken = taken_at(TokenBucket(rate, burst, now=start), in_intervals(gaps, rate, start))
    assert_every_window(taken, rate, burst)


@given(rates, starts, tries)
def test_the_least_burst_is_a_burst_like_any_other(rate, start, gaps):
    taken = taken_at(TokenBucket(rate, now=start), in_intervals(gaps, rate, start))
    assert_every_window(taken, rate, least_burst(rate))


@given(rates, bursts, starts, tries)
def test_the_first_window_holds_no_burst(rate, burst, start, gaps):
    times = in_intervals(gaps, rate, start)
    taken = taken_at(TokenBucket(rate, burst, now=start), times)
    for count, until in enumerate(taken, start=1):
        assert count <= rate * (until - start) + 1 + ROUNDING * (1 + rate)


@given(
    st.floats(0.1, 5_000.0),
    st.integers(2, 500),
    st.lists(st.floats(0.0, 1.0), min_size=2, max_size=200),
)
def test_timers_late_within_the_burst_cost_nothing(rate, burst, lateness):
    bucket, now, taken, credit = TokenBucket(rate, burst, now=0.0), 0.0, [], (burst - 1) / rate
    for late in lateness:
        while (wait := bucket.take(now)) > 0.0:
            now += wait + late * credit
        taken.append(now)
    assert taken[-1] <= (len(taken) - 1) / rate + credit + ROUNDING


@given(st.floats(50.0, 5_000.0))
def test_the_least_burst_makes_up_for_more_than_a_timer_is_late_by(rate):
    assert (least_burst(rate) - 1) / rate >= LATENESS / 2


@given(
    bursts,
    st.lists(st.tuples(st.floats(0.1, 1_000.0), tries), min_size=1, max_size=6),
)
def test_changing_rates_are_never_exceeded_either(burst, phases):
    bucket, now, taken, allowed = TokenBucket(phases[0][0], burst, now=0.0), 0.0, 0, 1.0
    for rate, gaps in phases:
        bucket.set_rate(now, rate)
        times = in_intervals(gaps, rate, now)
        allowed += rate * (times[-1] - times[0])
        taken += len(taken_at(bucket, times))
        now = times[-1]
        assert taken <= allowed + ROUNDING * (1 + rate)


@given(rates, bursts, starts, tries)
def test_a_wait_is_exactly_as_long_as_needed(rate, burst, start, gaps):
    bucket = TokenBucket(rate, burst, now=start)
    for now in in_intervals(gaps, rate, start):
        wait = bucket.take(now)
        assert 0.0 <= wait <= 1 / rate + ROUNDING
        if wait > ROUNDING:
            assert bucket.take(now + wait / 2) > 0.0


def test_a_greedy_caller_gets_the_rate_and_no_more():
    bucket, now, taken = TokenBucket(7.0, now=0.0), 0.0, []
    for _ in range(100):
        while (wait := bucket.take(now)) > 0.0:
            now += wait
        taken.append(now)
    # Every gap is an interval, but for the tolerance that rounding may dip into.
    assert all(abs(late - early - 1 / 7) < 1e-9 for early, late in pairwise(taken))
