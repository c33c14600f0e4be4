"""What a job costs, in counts that no clock and no other process can disturb.

A count that has risen is a price somebody has to want: then raise it here, in the same change.
"""

from __future__ import annotations

import sys
from collections import Counter
from contextlib import contextmanager
from threading import Event as ThreadEvent

import anyio
import pytest

from benchmarks.guard import judge
from benchmarks.pipeline import Pipeline
from provisioner.ledger import GroupCommitLedger

FEW, MANY = 50, 150
STATEMENTS_PER_CALL = {"BEGIN": 2, "COMMIT": 2, "INSERT": 1, "UPDATE": 3}
EVENTS_PER_CALL = {"CallSent": 1, "OutcomeRecorded": 1}
FUNCTION_CALLS_PER_JOB = 413
TOLERANCE = 1.1


class Counts:
    """What sending took: SQL statements and events by kind, Python functions entered."""

    def __init__(self, folder, jobs):
        self.statements, self.events, self.functions = Counter(), Counter(), 0
        self.jobs = jobs
        folder.mkdir()
        self._pipeline = Pipeline(folder, jobs)
        with self._pipeline.core as core:
            self._pipeline.enrol()
            with self._traced(core._connection):
                self._pipeline.send(self._emit)

    @property
    def calls(self):
        return self.events["CallSent"]

    @contextmanager
    def _traced(self, connection):
        before = sys.getprofile()
        connection.set_trace_callback(lambda sql: self.statements.update([sql.split()[0]]))
        sys.setprofile(self._enter)
        yield
        sys.setprofile(before)
        connection.set_trace_callback(None)

    def _enter(self, _frame, event, _argument):
        self.functions += event == "call"

    def _emit(self, event):
        self.events[type(event).__name__] += 1
        self._pipeline.tally(event)


@pytest.fixture(scope="module")
def counts(tmp_path_factory):
    folder = tmp_path_factory.mktemp("costs")
    return Counts(folder / "few", FEW), Counts(folder / "many", MANY)


def test_every_call_costs_the_statements_it_always_did(counts):
    many = counts[1]
    found = {kind: many.statements[kind] / many.calls for kind in STATEMENTS_PER_CALL}
    assert found == STATEMENTS_PER_CALL


def test_claiming_is_not_by_the_job(counts):
    assert counts[1].statements["SELECT"] <= 4


def test_every_call_is_told_in_two_events(counts):
    many = counts[1]
    assert {kind: many.events[kind] / many.calls for kind in EVENTS_PER_CALL} == EVENTS_PER_CALL


def test_a_job_takes_no_more_function_calls_than_it_did(counts):
    few, many = counts
    assert (many.functions - few.functions) / (MANY - FEW) < FUNCTION_CALLS_PER_JOB * TOLERANCE


def test_the_same_pipeline_costs_the_same_again(counts, tmp_path):
    again = Counts(tmp_path / "again", FEW)
    assert (again.statements, again.events) == (counts[0].statements, counts[0].events)


async def test_one_commit_serves_every_job_that_is_waiting_for_it(tmp_path):
    pipeline = Pipeline(tmp_path, MANY)
    commits = []
    with pipeline.core as core:
        pipeline.enrol()
        core._connection.set_trace_callback(
            lambda sql: commits.append(sql) if sql == "COMMIT" else 0
        )
        async with GroupCommitLedger(core) as ledger, anyio.create_task_group() as tasks:
            jobs = await ledger.claim(MANY)
            held = ThreadEvent()
            tasks.start_soon(ledger.perform, lambda _: held.wait(10))
            for job in jobs:
                tasks.start_soon(ledger.open_attempt, job)
            await anyio.wait_all_tasks_blocked()
            held.set()
    assert len(jobs) == MANY
    assert len(commits) == 1


async def test_a_job_that_is_alone_waits_for_no_other(tmp_path):
    pipeline, commits = Pipeline(tmp_path, FEW), []
    with pipeline.core as core:
        pipeline.enrol()
        async with GroupCommitLedger(core) as ledger:
            jobs = await ledger.claim(3)
            core._connection.set_trace_callback(
                lambda sql: commits.append(sql) if sql == "COMMIT" else 0
            )
            for job in jobs:
                await ledger.open_attempt(job)
    assert len(commits) == len(jobs)


@pytest.mark.parametrize(
    ("ratios", "verdict"),
    [
        ([1.10, 1.08, 1.12, 1.09, 1.11], "slower"),
        ([1.20, 1.20, 1.20, 0.90, 0.90], "no difference"),
        ([1.01, 1.02, 1.01, 1.02, 1.01], "no difference"),
        ([0.90, 0.91, 0.89, 0.92, 0.90], "faster"),
    ],
)
def test_the_guard_wants_a_difference_that_most_rounds_agree_on(ratios, verdict):
    assert judge(ratios, 0.03) == verdict
