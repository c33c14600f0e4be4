"""Whatever happens in whatever order, a job's life keeps to its table."""

from __future__ import annotations

import tempfile
from collections.abc import Coroutine
from pathlib import Path
from typing import Any, TypeVar

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from provisioner.entry import Entry, entry
from provisioner.job import (
    SETTLED,
    TRANSITIONS,
    Attempt,
    Job,
    JobState,
    Outcome,
    Verdict,
    state_after,
)
from provisioner.ledger import ImmediateLedger, LedgerSettlement, SqliteLedger
from provisioner.ledger.sqlite import Closing
from provisioner.record import Layout, NewCampaign
from provisioner.rulings import Decision, Ruling
from provisioner.session import Session, SessionRequest

T = TypeVar("T")

JOBS = 4
OUTCOMES = st.builds(
    lambda verdict, answered: Outcome(
        verdict=verdict,
        answered=answered,
        session=Session(proxy_session_id="s") if verdict is Verdict.CREATED else None,
    ),
    st.sampled_from(Verdict),
    st.booleans(),
)


def at_once(program: Coroutine[Any, Any, T]) -> T:
    """The result of a coroutine that never waits."""
    try:
        program.send(None)
    except StopIteration as end:
        result: T = end.value
        return result
    raise AssertionError("it waited")


class LifeOfJobs(RuleBasedStateMachine):
    """Claims, intents, outcomes, crashes and requeues over one ledger file."""

    def __init__(self) -> None:
        super().__init__()
        self.folder = tempfile.TemporaryDirectory()
        self.open_ledger()
        campaign = NewCampaign(name="n", input_name="n", input_sha256="0", defaults="{}")
        with self.ledger.begin_intake(campaign) as intake:
            intake.add([self.row(number) for number in range(1, JOBS + 1)])
            self.campaign_id = intake.commit(Layout(format="csv")).id
        self.start()
        self.states = self.read_states()

    def row(self, number: int) -> Entry:
        request = SessionRequest(
            voice_connector_id="c", participants=("+1", "+2"), capabilities=(), name=str(number)
        )
        return entry(number=number, line=number, cells="[]", key=str(number), request=request)

    def open_ledger(self) -> None:
        self.ledger = SqliteLedger(Path(self.folder.name) / "ledger.db")
        self.ledger.__enter__()

    def start(self) -> None:
        self.ledger.select(self.campaign_id)
        self.claimed: list[Job] = []
        self.open: list[Attempt] = []

    def read_states(self) -> dict[str, JobState]:
        found = self.ledger.reader().results(1)
        return {row.key: row.state for row in found if row.key is not None}

    def teardown(self) -> None:
        self.ledger.__exit__(None, None, None)
        self.folder.cleanup()

    @rule(limit=st.integers(1, JOBS))
    def claim(self, limit: int) -> None:
        self.claimed += self.ledger.claim(limit)

    @precondition(lambda self: self.claimed)
    @rule()
    def intend(self) -> None:
        with self.ledger.transaction():
            self.open += self.ledger.open_attempts([self.claimed.pop()])

    @precondition(lambda self: self.open)
    @rule(outcome=OUTCOMES, exhausted=st.booleans())
    def conclude(self, outcome: Outcome, *, exhausted: bool) -> None:
        state = state_after(outcome, exhausted=exhausted)
        closing = Closing(attempt=self.open.pop(), outcome=outcome, state=state)
        with self.ledger.transaction():
            self.ledger.close_attempts([closing])

    @rule()
    def crash(self) -> None:
        self.ledger.__exit__(None, None, None)
        self.open_ledger()
        self.start()

    @rule(ruling=st.sampled_from(Ruling))
    def settle(self, ruling: Ruling) -> None:
        settlement = LedgerSettlement(ImmediateLedger(self.ledger))
        for question in at_once(settlement.questions(0, 1)):
            found = Session(proxy_session_id=f"found{question.attempt_id}", name=question.job.key)
            at_once(settlement.begin_listing(everything=True))
            at_once(settlement.note("c", [found]))
            decision = Decision(question=question, ruling=ruling, listed_at=0.0, session=found)
            at_once(settlement.record([decision]))

    @rule()
    def look_again(self) -> None:
        at_once(LedgerSettlement(ImmediateLedger(self.ledger)).reopen_reviewed())

    @rule()
    def requeue(self) -> None:
        self.ledger.requeue_failed(self.campaign_id, "*")

    @invariant()
    def every_change_is_in_the_table(self) -> None:
        now = self.read_states()
        for key, state in now.items():
            before = self.states[key]
            assert state is before or state in TRANSITIONS[before], (before, state)
        self.states = now

    @invariant()
    def no_job_has_two_attempts_that_may_have_made_a_session(self) -> None:
        found = self.ledger._connection.execute(
            "SELECT count(*), count(DISTINCT job_id) FROM attempts "
            "WHERE state IN ('open', 'unknown', 'created')"
        ).fetchone()
        assert found[0] == found[1]

    @invariant()
    def what_may_have_a_session_is_not_pending(self) -> None:
        found = self.ledger._connection.execute(
            "SELECT count(*) FROM jobs JOIN attempts ON job_id = jobs.id "
            "WHERE jobs.state IN ('pending', 'failed') "
            "AND attempts.state IN ('open', 'unknown', 'created')"
        ).fetchone()
        assert found[0] == 0


TestLifeOfJobs = LifeOfJobs.TestCase
TestLifeOfJobs.settings = settings(max_examples=40, stateful_step_count=30)


def test_the_table_covers_every_state_and_ends_in_settled_ones() -> None:
    assert set(TRANSITIONS) == set(JobState)
    assert {state for state, after in TRANSITIONS.items() if not after} <= SETTLED


def test_nothing_may_leave_created() -> None:
    assert TRANSITIONS[JobState.CREATED] == frozenset()


def test_only_a_pending_job_may_be_sent() -> None:
    leading = {state for state, after in TRANSITIONS.items() if JobState.IN_FLIGHT in after}
    assert leading == {JobState.PENDING}
