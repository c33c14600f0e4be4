"""The learning pace under any course of answers: bounds that nothing may break."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from provisioner import defaults
from provisioner.pacing.bucket import TokenBucket
from provisioner.pacing.learning import LearningPace

ANSWERS = st.lists(
    st.tuples(st.floats(0.0, 3.0), st.floats(0.0, 5.0), st.booleans()), min_size=1, max_size=200
)
KNOWN = st.none() | st.floats(0.05, 5_000.0)
CEILINGS = st.floats(0.05, 10_000.0)


@given(ANSWERS, KNOWN, CEILINGS)
def test_no_ceiling_is_ever_exceeded(
    answers: list[tuple[float, float, bool]], known: float | None, ceiling: float
) -> None:
    pace, now = LearningPace(now=0.0, known=known), 0.0
    pace.set_ceiling(0.0, ceiling)
    for gap, trip, throttled in answers:
        now += gap
        pace.observe(now, sent_at=now - trip, throttled=throttled)
        assert 0.0 < pace.rate <= ceiling


@given(ANSWERS, KNOWN)
def test_whatever_is_answered_the_rate_stays_one_that_can_be_kept(
    answers: list[tuple[float, float, bool]], known: float | None
) -> None:
    pace, now = LearningPace(now=0.0, known=known), 0.0
    for gap, trip, throttled in answers:
        now += gap
        left_out = pace.observe(now, sent_at=now - trip, throttled=throttled)
        assert left_out >= 0.0
        assert pace.rate >= defaults.SLOWEST
        assert TokenBucket(pace.rate, now=now).rate > 0.0


@given(st.integers(20, 400), st.floats(0.1, 50.0))
def test_throttles_alone_never_raise_it(calls: int, known: float) -> None:
    pace = LearningPace(now=0.0, known=known)
    before = pace.rate
    for call in range(calls):
        at = call / known
        pace.observe(at + 0.1, sent_at=at, throttled=True)
        assert pace.rate <= before
