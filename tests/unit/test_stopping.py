from __future__ import annotations

import anyio

from provisioner.errors import ExitCode, HaltedError
from provisioner.events import CallSent, OutcomeRecorded
from provisioner.halting import parse_halt
from provisioner.job import JobState, Outcome, Verdict
from provisioner.stopping import HaltWatch, Stop


def failed_call() -> OutcomeRecorded:
    return OutcomeRecorded(
        job_key="k",
        attempt=1,
        outcome=Outcome(verdict=Verdict.REFUSED),
        state=JobState.FAILED,
        latency=0.1,
        retry_in=None,
        at=0.0,
    )


def test_the_first_reason_counts() -> None:
    stop = Stop(anyio.Event())
    stop.now("one", HaltedError("one"))
    stop.now("two")
    assert (stop.reason, str(stop.error)) == ("one", "one")


def test_a_caller_that_has_asked_already_is_heard_at_once() -> None:
    asked = anyio.Event()
    asked.set()
    assert Stop(asked).is_set()


async def test_a_caller_that_asks_later_is_heard() -> None:
    asked = anyio.Event()
    stop = Stop(asked)
    asked.set()
    await stop.listen()
    await stop.wait()
    assert (stop.reason, stop.error) == ("asked to stop", None)


def test_a_run_that_breaks_a_rule_is_halted() -> None:
    stop = Stop(anyio.Event())
    watch = HaltWatch(parse_halt("failed=2"), stop)
    watch(CallSent(job_key="k", attempt=1, at=0.0))
    watch(failed_call())
    assert not stop.is_set()
    watch(failed_call())
    assert stop.error is not None
    assert stop.error.exit_code is ExitCode.HALTED
    assert "failed=2: 2 of 2 rows" in stop.reason


def test_a_run_without_rules_goes_on() -> None:
    stop = Stop(anyio.Event())
    HaltWatch((), stop)(failed_call())
    assert not stop.is_set()


def test_a_stop_is_heeded_in_its_moment() -> None:
    stop = Stop(anyio.Event())
    heard: list[str] = []
    stop.heeded_by(lambda: heard.append(stop.reason))
    stop.now("one")
    stop.now("two")
    assert heard == ["one"]


def test_a_stop_that_was_is_heeded_by_who_comes_later() -> None:
    stop = Stop(anyio.Event())
    stop.now("one")
    heard: list[str] = []
    stop.heeded_by(lambda: heard.append(stop.reason))
    assert heard == ["one"]
