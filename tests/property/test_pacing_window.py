"""The bucket's promise: how many tokens any window may hold, and that lateness costs none."""

from itertools import accumulate, pairwise

from hypothesis import given
from hypothesis import strategies as st

from provisioner.pacing.bucket import TOLERANCE, TokenBucket

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
def test_no_window_exceeds_the_documented_bound(rate, burst, start, gaps):
    taken = taken_at(TokenBucket(rate, burst, now=start), in_intervals(gaps, rate, start))
    assert_every_window(taken, rate, max(burst, 1 + rate * TOLERANCE))


@given(rates, bursts, starts, tries)
def test_without_tolerance_no_window_exceeds_rate_times_length_plus_burst(rate, burst, start, gaps):
    bucket = TokenBucket(rate, burst, now=start, tolerance=0.0)
    assert_every_window(taken_at(bucket, in_intervals(gaps, rate, start)), rate, burst)


@given(st.floats(0.01, 20_000.0), st.integers(0, 50), starts, tries)
def test_a_burst_that_covers_the_tolerance_is_strict(rate, more, start, gaps):
    burst = int(1 + rate * TOLERANCE) + 1 + more
    taken = taken_at(TokenBucket(rate, burst, now=start), in_intervals(gaps, rate, start))
    assert_every_window(taken, rate, burst)


@given(rates, bursts, starts, tries)
def test_the_first_window_holds_no_burst(rate, burst, start, gaps):
    times = in_intervals(gaps, rate, start)
    taken = taken_at(TokenBucket(rate, burst, now=start), times)
    for count, until in enumerate(taken, start=1):
        assert count <= rate * (until - start) + 1 + ROUNDING * (1 + rate)


@given(
    st.floats(0.1, 5_000.0),
    bursts,
    st.lists(st.floats(0.0, TOLERANCE), min_size=2, max_size=200),
)
def test_timers_late_within_the_tolerance_cost_nothing(rate, burst, lateness):
    bucket, now, taken = TokenBucket(rate, burst, now=0.0), 0.0, []
    for late in lateness:
        while (wait := bucket.take(now)) > 0.0:
            now += wait + late
        taken.append(now)
    assert taken[-1] <= (len(taken) - 1) / rate + TOLERANCE + ROUNDING


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
