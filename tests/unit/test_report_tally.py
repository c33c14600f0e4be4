import pytest

from provisioner.events import (
    CallSent,
    DrainStarted,
    JobSettled,
    ListingFailed,
    OutcomeRecorded,
    RateChanged,
    RunFinished,
    RunStarted,
    SettlingStarted,
    StrayFound,
)
from provisioner.job import JobState, Outcome, Verdict
from provisioner.report import LatencyQuantiles, RunTally
from provisioner.rulings import Ruling

PENDING, CREATED = JobState.PENDING, JobState.CREATED


def started(at=100.0, **counts):
    counts = {JobState(name): rows for name, rows in counts.items()} or {PENDING: 100}
    return RunStarted(campaign="july", counts=counts, rate=20.0, concurrency=4, at=at)


def sent(at):
    return CallSent(job_key="k", attempt=1, at=at)


def outcome(at, state=CREATED, latency=0.1, **more):
    return OutcomeRecorded(
        job_key="k",
        attempt=1,
        outcome=Outcome(verdict=Verdict.CREATED, **more),
        state=state,
        latency=latency,
        retry_in=None,
        at=at,
    )


def folded(*events):
    tally = RunTally()
    for event in events:
        tally(event)
    return tally


def test_rows_of_earlier_runs_are_done_from_the_start():
    tally = folded(started(pending=5, in_flight=1, created=3, rejected=2, ambiguous=1))
    assert (tally.done, tally.total) == (6, 12)


def test_a_settled_job_is_done():
    assert folded(started(), sent(100), outcome(101)).done == 1


def test_a_job_to_be_retried_is_not_done():
    assert folded(started(), sent(100), outcome(101, state=PENDING)).done == 0


def test_no_more_rows_are_done_than_there_are():
    assert folded(started(pending=1), outcome(101), outcome(102)).done == 1


def test_calls_without_an_answer_yet_are_in_flight():
    assert folded(started(), sent(100), sent(100), outcome(101)).in_flight == 1


def test_throttled_answers_are_counted():
    tally = folded(started(), outcome(1, throttled=True), outcome(1, throttled=False))
    assert tally.throttled == 1


def test_the_rate_is_that_of_the_last_seconds():
    slow = [sent(100 + i / 2) for i in range(40)]
    fast = [sent(120 + i / 50) for i in range(500)]
    tally = folded(started(), *slow, *fast)
    assert tally.rate(130.0) == pytest.approx(50, rel=0.03)


def test_the_rate_at_the_beginning_is_that_since_the_start():
    tally = folded(started(at=100), *[sent(100 + i / 10) for i in range(20)])
    assert tally.rate(102.0) == pytest.approx(10)


def test_the_rate_falls_to_zero_when_nothing_happens():
    assert folded(started(), sent(100), sent(101)).rate(107.0) == 0


def test_a_clock_that_is_set_back_loses_no_call():
    assert folded(started(at=100), sent(101.0), sent(90.0)).rate(101.0) == 2


def test_there_is_no_rate_before_the_start():
    assert folded().rate(100.0) == 0


def test_the_remaining_time_follows_the_pace_of_settled_rows():
    events = [event for i in range(50) for event in (sent(100 + i / 10), outcome(100 + i / 10))]
    assert folded(started(pending=150), *events).remaining_seconds(105) == pytest.approx(
        10, rel=0.1
    )


def test_nobody_can_tell_the_remaining_time_before_a_row_is_settled():
    assert folded(started(), sent(100)).remaining_seconds(101) is None


def test_a_run_that_stops_has_no_remaining_time():
    events = (started(), sent(100), outcome(100))
    assert folded(*events).remaining_seconds(101) is not None
    drained = DrainStarted(reason="asked to stop", in_flight=0, at=101)
    assert folded(*events, drained).remaining_seconds(101) is None


def test_the_rate_asked_and_the_rate_learned_are_kept():
    tally = folded(started(), RateChanged(rate=12.0, previous=20.0, reason="429", at=101))
    assert (tally.rate_asked, tally.rate_learned) == (20.0, 12.0)


def test_a_pause_is_no_rate_that_was_learned():
    tally = folded(
        started(),
        RateChanged(rate=12.0, previous=20.0, reason="429", at=101),
        RateChanged(rate=0.0, previous=12.0, reason="operator", at=102),
    )
    assert tally.rate_learned == 12.0


def test_the_end_sets_the_counts_right():
    ended = RunFinished(campaign="july", counts={CREATED: 7, PENDING: 3}, at=110)
    tally = folded(started(), ended)
    assert (tally.done, tally.total, tally.ended) == (7, 10, 110)


def test_a_drain_changes_nothing():
    tally = folded(started(), DrainStarted(reason="signal", in_flight=3, at=101))
    assert (tally.done, tally.in_flight) == (0, 0)


def test_there_are_no_quantiles_without_calls():
    assert folded(started()).latency.quantiles() == LatencyQuantiles()


def test_latencies_out_of_range_are_taken_at_its_ends():
    tally = folded(started(), outcome(1, latency=0.0), outcome(1, latency=1e6))
    assert tally.latency.quantiles().max == 1e6
    assert tally.latency.quantile(0.5) <= 1.1e-5


WAITING = SettlingStarted(ambiguous=2, until=160.0, at=101.0)


def settled(state, ruling=Ruling.ADOPT):
    return JobSettled(job_key="k", ruling=ruling, state=state, at=102.0)


def test_rows_that_wait_to_be_settled_are_told_with_their_time():
    tally = folded(started(), WAITING)
    assert (tally.ambiguous, tally.settled_at) == (2, 160.0)


def test_a_row_that_was_settled_waits_no_more():
    tally = folded(started(), WAITING, settled(CREATED))
    assert tally.ambiguous == 1


def test_a_row_to_be_sent_again_is_not_done():
    tally = folded(started(ambiguous=2), WAITING, settled(PENDING, Ruling.RESEND))
    assert tally.done == 1


def test_strays_are_counted_by_kind():
    strays = [
        StrayFound(connector_id="c", session_id="s", job_key=None, owned=owned, at=1.0)
        for owned in ("t", "t", None)
    ]
    tally = folded(*strays)
    assert (tally.duplicates, tally.orphans) == (2, 1)


def test_connectors_that_could_not_be_listed_are_kept():
    outcome = Outcome(verdict=Verdict.FATAL)
    assert folded(ListingFailed(connector_id="c", outcome=outcome, at=1.0)).unlisted == ["c"]
