import time

import pytest

from provisioner.events import (
    CallSent,
    ConcurrencyChanged,
    OutcomeRecorded,
    RateChanged,
    RunFinished,
    RunStarted,
)
from provisioner.job import JobState, Outcome, Verdict
from provisioner.report.bottleneck import Bottleneck, Limits, cpu_wanted

BEGIN = 1000.0


class Run:
    """A run of `calls` a second for ten seconds, each with a latency, told to a Bottleneck."""

    def __init__(self, rate=1000.0, connections=10, cpu=0.0):
        self.now = BEGIN
        self.bottleneck = Bottleneck(lambda: self.now * cpu)
        self.bottleneck(
            RunStarted(campaign="c", counts={}, rate=rate, concurrency=connections, at=BEGIN)
        )

    def calls(self, per_second, *, latency=0.1, recording=0.0, seconds=10, throttled=False):
        outcome = Outcome(verdict=Verdict.CREATED, throttled=throttled)
        begin = self.now
        times = [begin + nth / per_second for nth in range(int(per_second * seconds))]
        facts = [(at, None) for at in times] + [(at + latency, outcome) for at in times]
        for at, answer in sorted(facts, key=lambda fact: fact[0]):
            self.now = at
            if answer is None:
                self.bottleneck(CallSent(job_key="k", attempt=1, at=at))
                continue
            self.bottleneck(
                OutcomeRecorded(
                    job_key="k",
                    attempt=1,
                    outcome=answer,
                    state=JobState.CREATED,
                    latency=latency,
                    recording=recording,
                    retry_in=None,
                    at=at,
                )
            )
        return self

    def limits(self):
        self.bottleneck(RunFinished(campaign="c", counts={}, at=self.now))
        return self.bottleneck.limits()


def test_calls_at_the_rate_asked_for_are_limited_by_the_quota():
    assert Run(rate=50.0).calls(50.0).limits().quota > 0.95


def test_calls_on_every_connection_are_limited_by_the_concurrency():
    assert Run(connections=5).calls(50.0).limits().concurrency > 0.95


def test_a_process_that_computes_all_the_time_is_limited_by_its_cpu():
    assert Run(connections=5, cpu=0.95).calls(50.0).limits().cpu > 0.95


def test_a_process_that_computes_half_of_the_time_while_connections_are_full_is_not():
    assert Run(connections=5, cpu=0.5).calls(50.0).limits().concurrency > 0.95


def test_full_connections_are_shared_out_by_what_the_calls_waited_for():
    limits = Run(connections=10).calls(50.0, latency=0.05, recording=0.15).limits()
    assert limits.ledger == pytest.approx(0.75, abs=0.02)
    assert limits.concurrency == pytest.approx(0.25, abs=0.02)


def test_a_run_that_uses_nothing_much_waits():
    assert Run().calls(10.0).limits() == Limits(waiting=1.0)


def test_throttles_without_any_other_limit_are_the_quota():
    assert Run().calls(10.0, throttled=True).limits() == Limits(quota=1.0)


def test_a_rate_that_was_learned_counts_from_then_on():
    run = Run(rate=1000.0).calls(50.0)
    run.bottleneck(RateChanged(rate=50.0, previous=1000.0, reason="429", at=run.now))
    limits = run.calls(50.0).limits()
    assert limits.quota == pytest.approx(0.5, abs=0.06)


def test_connections_that_were_added_count_from_then_on():
    run = Run(connections=5).calls(50.0)
    run.bottleneck(ConcurrencyChanged(connections=50, at=run.now))
    assert run.calls(50.0).limits().concurrency == pytest.approx(0.5, abs=0.06)


def test_a_pause_without_any_event_is_one_stretch_of_waiting():
    run = Run(rate=50.0).calls(50.0, seconds=1)
    run.now += 98.9
    assert run.calls(50.0, seconds=1).limits().waiting == pytest.approx(0.98, abs=0.02)


def test_a_call_that_takes_longer_than_a_stretch_holds_its_connection_all_the_time():
    assert Run(connections=1).calls(0.1, latency=10.0).limits().concurrency > 0.95


def test_a_clock_that_is_set_back_takes_no_time():
    run = Run(rate=50.0).calls(50.0)
    run.now -= 3600.0
    assert run.calls(50.0).limits().quota > 0.95


def test_nothing_limited_a_run_that_never_began():
    assert Bottleneck().limits() == Limits()


def test_a_wait_for_the_cpu_counts_as_wanting_it(tmp_path, monkeypatch):
    told = tmp_path / "schedstat"
    told.write_text("1 5000000000 3\n")
    monkeypatch.setattr("provisioner.report.bottleneck._SCHEDSTAT", told)
    assert cpu_wanted() == pytest.approx(time.process_time() + 5.0, abs=0.1)


def test_a_system_that_does_not_tell_the_wait_counts_what_was_used(tmp_path, monkeypatch):
    monkeypatch.setattr("provisioner.report.bottleneck._SCHEDSTAT", tmp_path / "none")
    assert cpu_wanted() == pytest.approx(time.process_time(), abs=0.1)
