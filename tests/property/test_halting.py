"""Halt rules: pure judgement over what calls came to."""

from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from provisioner.halting import HaltRule, Sample, breach, parse_halt
from provisioner.job import JobState, Outcome, Verdict

FAILED, AMBIGUOUS, CREATED = JobState.FAILED, JobState.AMBIGUOUS, JobState.CREATED
THROTTLED = Outcome(verdict=Verdict.RETRYABLE, throttled=True)
ANSWERED = Outcome(verdict=Verdict.REFUSED)

rules = st.builds(
    HaltRule,
    what=st.sampled_from([FAILED, AMBIGUOUS]),
    threshold=st.decimals(Decimal("0.1"), 100, places=1),
    share=st.booleans(),
    minimum=st.integers(1, 500),
)
calls = st.lists(st.sampled_from([CREATED, FAILED, AMBIGUOUS, JobState.PENDING]), max_size=300)


def sample_of(states: list[JobState]) -> Sample:
    sample = Sample()
    for state in states:
        sample = sample.with_call(ANSWERED, state)
    return sample


def test_the_rules_of_the_help_text() -> None:
    assert parse_halt("failed=5%,min=200; ambiguous=50") == (
        HaltRule(what=FAILED, threshold=Decimal(5), share=True, minimum=200),
        HaltRule(what=AMBIGUOUS, threshold=Decimal(50)),
    )


def test_a_share_without_a_minimum_needs_a_hundred_rows() -> None:
    assert parse_halt("failed=1%")[0].minimum == 100


@pytest.mark.parametrize(
    "text",
    ["", "failed", "failed=", "failed=0", "failed=0%", "failed=101%", "created=5", "failed=-1",
     "failed=5%,max=3", "failed=5%;", "failed=nan", "failed=\u0665"],
)  # fmt: skip
def test_what_is_no_rule_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"rule|holds"):
        parse_halt(text)


@given(st.lists(rules, min_size=1, max_size=3))
def test_a_rule_reads_as_it_is_told(given_rules: list[HaltRule]) -> None:
    assert parse_halt("; ".join(map(str, given_rules))) == tuple(given_rules)


@given(rules, calls)
def test_no_rule_judges_before_its_minimum(rule: HaltRule, states: list[JobState]) -> None:
    sample = sample_of(states)
    if sample.decided < rule.minimum:
        assert breach([rule], sample) is None


@given(rules, calls)
def test_a_rule_breaks_exactly_when_its_figure_is_reached(
    rule: HaltRule, states: list[JobState]
) -> None:
    rows, decided = states.count(rule.what), len([s for s in states if s != JobState.PENDING])
    figure = Decimal(100 * rows) / Decimal(decided or 1) if rule.share else Decimal(rows)
    reached = decided >= rule.minimum and figure >= rule.threshold
    assert (breach([rule], sample_of(states)) is not None) == reached


@given(rules, calls, st.integers(1, 500))
def test_throttles_never_count(rule: HaltRule, states: list[JobState], throttles: int) -> None:
    sample = sample_of(states)
    throttled = sample
    for _ in range(throttles):
        throttled = throttled.with_call(THROTTLED, FAILED)
    assert breach([rule], throttled) == breach([rule], sample)


def test_a_breach_tells_the_rule_and_the_figure() -> None:
    sample = Sample(decided=1_000, failed=60, ambiguous=1)
    assert breach(parse_halt("ambiguous=5; failed=5%,min=200"), sample) == (
        "failed=5%,min=200: 60 of 1,000 rows of this run are failed (6 %)"
    )
