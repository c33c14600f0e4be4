"""The breaker over any course of calls: who is let through, when it closes, when it gives up."""

from __future__ import annotations

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from provisioner.errors import ExitCode
from provisioner.job import TOO_LATE, Outcome, Verdict
from provisioner.pacing.breaker import LONGEST_WAIT, PROOF, CircuitBreaker
from provisioner.session import Session

CREATED = Outcome(verdict=Verdict.CREATED, session=Session(proxy_session_id="s"))
REFUSED = Outcome(verdict=Verdict.REFUSED, status=400)
THROTTLED = Outcome(verdict=Verdict.RETRYABLE, status=429, throttled=True, message="slow down")
UNAVAILABLE = Outcome(verdict=Verdict.RETRYABLE, status=503)
UNREACHABLE = Outcome(verdict=Verdict.RETRYABLE, answered=False)
LOST = Outcome(verdict=Verdict.AMBIGUOUS, answered=False)
UNSENT = Outcome(verdict=Verdict.REFUSED, answered=False)

WELL, SICK, SILENT = [CREATED, REFUSED], [UNAVAILABLE, UNREACHABLE, LOST], [TOO_LATE, UNSENT]
OUTCOMES = st.sampled_from([*WELL, *SICK, *SILENT, THROTTLED])
STEPS = st.lists(st.tuples(st.floats(0.0, 400.0), OUTCOMES, st.booleans()), max_size=60)
FAILURES = st.sampled_from(SICK)


def breaker(budget: float = 5.0, give_up: float = 900.0) -> CircuitBreaker:
    return CircuitBreaker(give_up=give_up, budget=budget)


def fail(breaker: CircuitBreaker, times: int, now: float = 0.0) -> None:
    for _ in range(times):
        breaker.observe(now, UNAVAILABLE, sent_at=now)


class Course:
    """Calls that start when they may and end in any order; `out` are those on their way."""

    def __init__(self, breaker: CircuitBreaker) -> None:
        self.breaker = breaker
        self.now = 0.0
        self.out: list[float] = []
        self.admitted_while_open = 0

    def step(self, wait: float, outcome: Outcome, *, ends: bool) -> None:
        self.now += wait
        if ends and self.out:
            self.breaker.observe(self.now, outcome, sent_at=self.out.pop())
            return
        until = self.breaker.open_until
        if self.breaker.admit(self.now) <= 0.0:
            assert until is None or until <= self.now
            self.out.append(self.now)


@given(STEPS)
def test_no_call_is_admitted_before_the_wait_is_over(
    steps: list[tuple[float, Outcome, bool]],
) -> None:
    course = Course(breaker())
    for wait, outcome, ends in steps:
        course.step(wait, outcome, ends=ends)


@given(STEPS, st.floats(0.0, 400.0))
def test_one_probe_at_a_time(steps: list[tuple[float, Outcome, bool]], wait: float) -> None:
    course = Course(breaker())
    for each, outcome, ends in steps:
        course.step(each, outcome, ends=ends)
    if course.breaker.open_until is None:
        fail(course.breaker, 5, course.now)
    later = course.now + wait
    assert [course.breaker.admit(later) for _ in range(5)].count(0.0) <= 1


@given(STEPS)
def test_whatever_happened_a_service_that_is_well_is_called_again(
    steps: list[tuple[float, Outcome, bool]],
) -> None:
    course = Course(breaker())
    for wait, outcome, ends in steps:
        course.step(wait, outcome, ends=ends)
    for sent_at in course.out:
        course.breaker.observe(course.now, CREATED, sent_at=sent_at)
    now = course.now + LONGEST_WAIT
    if course.breaker.admit(now) <= 0.0:
        course.breaker.observe(now, CREATED, sent_at=now)
    assert course.breaker.admit(now) <= 0.0
    assert course.breaker.given_up(now) is None


@given(st.lists(FAILURES, max_size=200))
def test_a_third_of_failures_never_opens_it(failures: list[Outcome]) -> None:
    subject = breaker()
    for now, failure in enumerate(failures):
        subject.observe(now, failure, sent_at=now)
        subject.observe(now, CREATED, sent_at=now)
        subject.observe(now, REFUSED, sent_at=now)
        assert subject.open_until is None


@given(st.integers(1, 50), FAILURES)
def test_it_opens_when_the_budget_is_spent(budget: int, failure: Outcome) -> None:
    subject = breaker(budget=budget)
    for spent in range(1, budget + 1):
        subject.observe(0.0, failure, sent_at=0.0)
        assert (subject.open_until is not None) == (spent == budget)


@given(st.integers(1, 500))
def test_throttles_never_open_it(times: int) -> None:
    subject = breaker(budget=1.0)
    for _ in range(times):
        subject.observe(0.0, THROTTLED, sent_at=0.0)
    assert subject.open_until is None


@given(st.integers(0, 30))
def test_waits_double_up_to_a_minute(failed_probes: int) -> None:
    subject, now = breaker(give_up=1e9), 0.0
    fail(subject, 5)
    for _ in range(failed_probes):
        now += subject.admit(now)
        assert subject.admit(now) <= 0.0
        subject.observe(now, UNAVAILABLE, sent_at=now)
    assert subject.open_until == now + min(2.0**failed_probes, LONGEST_WAIT)


@given(st.floats(1.0, 5_000.0), FAILURES)
def test_a_sick_service_is_hardly_called(seconds: float, failure: Outcome) -> None:
    subject, now, calls = breaker(give_up=1e9), 0.0, 0
    while now < seconds:
        wait = subject.admit(now)
        if wait <= 0.0:
            calls += 1
            subject.observe(now, failure, sent_at=now)
        now += wait
    assert calls <= 5 + 6 + seconds / LONGEST_WAIT + 1


@given(st.floats(1.0, 3_000.0), st.sampled_from([*SICK, THROTTLED]), st.floats(5.0, 100.0))
def test_it_gives_up_in_time_and_not_before(
    give_up: float, outcome: Outcome, between: float
) -> None:
    subject, now, calls = breaker(give_up=give_up), 0.0, 0
    while subject.given_up(now) is None:
        wait = subject.admit(now)
        if wait <= 0.0:
            calls += 1
            subject.observe(now, outcome, sent_at=now)
            wait = between
        assert now <= max(give_up, PROOF * between) + between + LONGEST_WAIT
        now += wait
    assert now >= give_up
    assert calls >= PROOF


def test_a_service_that_fails_to_the_end_is_given_up_as_unwell() -> None:
    subject = breaker()
    fail(subject, 5)
    fail(subject, 5, 300.0)
    fail(subject, 5, 600.0)
    given_up = subject.given_up(900.0)
    assert given_up is not None
    assert (given_up.verdict, given_up.fatal_exit) == (Verdict.FATAL, ExitCode.SERVICE)
    assert given_up.message == "no call went well for 900 s"


def test_a_service_that_throttles_to_the_end_is_given_up_as_misconfigured() -> None:
    subject = breaker()
    for now in range(0, 901, 100):
        subject.observe(now, THROTTLED, sent_at=now)
    given_up = subject.given_up(900.0)
    assert given_up is not None
    assert (given_up.verdict, given_up.fatal_exit) == (Verdict.FATAL, ExitCode.CONFIGURATION)
    assert given_up.message == "no call went well for 900 s; the last: slow down"


def test_a_lane_that_was_idle_has_not_been_failing() -> None:
    subject = breaker()
    for _ in range(10):
        subject.observe(0.0, THROTTLED, sent_at=0.0)
    subject.observe(40_000.0, THROTTLED, sent_at=40_000.0)
    assert subject.given_up(40_000.0) is None


def test_a_probe_that_is_throttled_closes_it() -> None:
    subject = breaker()
    fail(subject, 5)
    assert subject.admit(1.0) == 0.0
    subject.observe(1.0, THROTTLED, sent_at=1.0)
    assert subject.open_until is None


@pytest.mark.parametrize("outcome", SILENT)
def test_a_probe_that_shows_nothing_makes_room_for_another(outcome: Outcome) -> None:
    subject = breaker()
    fail(subject, 5)
    assert subject.admit(1.0) == 0.0
    subject.observe(1.0, outcome, sent_at=1.0)
    assert subject.open_until is not None
    assert subject.admit(1.0) == 0.0


def test_an_answer_to_a_call_from_before_is_no_probe() -> None:
    subject = breaker()
    fail(subject, 5, 10.0)
    assert subject.admit(11.0) == 0.0
    subject.observe(11.5, CREATED, sent_at=9.0)
    assert subject.open_until is not None
    assert subject.admit(11.5) > 0.0


def test_a_service_that_fails_again_is_left_alone_sooner_and_longer() -> None:
    subject = breaker(budget=8.0)
    fail(subject, 8)
    assert subject.admit(1.0) == 0.0
    subject.observe(1.0, CREATED, sent_at=1.0)
    fail(subject, 2, 1.0)
    assert subject.open_until == 1.0 + 2.0


def test_a_budget_that_is_full_again_forgets_the_waits() -> None:
    subject = breaker(budget=4.0)
    fail(subject, 4)
    assert subject.admit(1.0) == 0.0
    for _ in range(8):
        subject.observe(1.0, CREATED, sent_at=1.0)
    fail(subject, 4, 1.0)
    assert subject.open_until == 1.0 + 1.0


@pytest.mark.parametrize("fatal_exit", [ExitCode.CREDENTIALS, ExitCode.SERVICE])
def test_what_is_fatal_is_no_sign_of_sickness(fatal_exit: ExitCode) -> None:
    fatal = msgspec.structs.replace(UNAVAILABLE, verdict=Verdict.FATAL, fatal_exit=fatal_exit)
    subject = breaker(budget=1.0)
    subject.observe(0.0, fatal, sent_at=0.0)
    assert subject.open_until is None
