from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from provisioner.entry import entry
from provisioner.errors import CannotWriteError
from provisioner.job import JobState, Outcome, state_after
from provisioner.ledger import (
    ImmediateLedger,
    LedgerSettlement,
    SqliteLedger,
)
from provisioner.record import Holder, Layout, Recorded
from provisioner.rulings import Decision, Ruling
from tests.unit.recorded_night import (
    CREATED,
    LAYOUT,
    LOST,
    REFUSED,
    THROTTLED,
    failed_once,
    invalid,
    night,
    record,
    request,
    row,
    sent,
)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "ledger.db"


class TestIntake:
    def test_records_the_campaign_with_its_layout_and_connectors(self, path: Path) -> None:
        with SqliteLedger(path) as ledger:
            recorded = record(ledger, row(1))
            assert (recorded.layout, recorded.connectors) == (LAYOUT, ("c1",))
            assert ledger.campaign("night") == recorded

    def test_leaves_nothing_without_commit(self, path: Path) -> None:
        with SqliteLedger(path) as ledger:
            with ledger.begin_intake(night()) as intake:
                intake.add([row(1)])
            assert ledger.campaign("night") is None

    def test_a_second_row_with_the_same_identity_is_a_duplicate(self, path: Path) -> None:
        with SqliteLedger(path) as ledger, ledger.begin_intake(night()) as intake:
            assert intake.add([row(1, "k"), row(2, "k", of=1)]) == []
            assert intake.add([row(3, "k", of=1)]) == []
            assert intake.recorded() == Recorded(new=1, duplicates=2)

    def test_a_job_id_with_other_content_is_a_problem(self, path: Path) -> None:
        with SqliteLedger(path) as ledger, ledger.begin_intake(night()) as intake:
            problems = intake.add([row(1, "k"), row(2, "k")])
            assert [(p.line, p.column) for p in problems] == [(3, "job_id")]
            assert "row 1" in problems[0].message
            assert intake.recorded() == Recorded(new=1, rejected=1)

    async def test_a_job_id_reused_in_a_later_version_of_the_file_is_a_problem(
        self, path: Path
    ) -> None:
        with SqliteLedger(path) as ledger:
            await failed_once(ledger, record(ledger, row(1, "k")))
            with ledger.begin_intake(night()) as intake:
                assert "earlier" in intake.add([row(1, "k", of=2)])[0].message
                assert intake.recorded() == Recorded(rejected=1, gone=1)

    def test_a_job_that_was_never_sent_can_be_corrected_under_its_job_id(self, path: Path) -> None:
        with SqliteLedger(path) as ledger:
            record(ledger, row(1, "k"), row(2))
            with ledger.begin_intake(night()) as intake:
                assert intake.add([row(1, "k", of=3), row(2)]) == []
                assert intake.recorded() == Recorded(new=1, same=1, gone=1)
                ledger.select(intake.commit(LAYOUT).id)
            assert [(job.key, job.request) for job in ledger.claim(9)] == [
                ("k2", request(2)),
                ("k", request(3)),
            ]

    def test_a_corrected_job_counts_before_what_it_was(self, path: Path) -> None:
        with SqliteLedger(path) as ledger:
            record(ledger, row(1, "k"))
            with ledger.begin_intake(night()) as intake:
                problems = intake.add([row(1, "k", of=2), row(2, "k", of=2), row(3, "k")])
                assert [problem.line for problem in problems] == [4]
                assert intake.recorded() == Recorded(new=1, duplicates=1, rejected=1, gone=1)

    def test_invalid_rows_are_kept_with_their_problems(self, path: Path) -> None:
        with SqliteLedger(path) as ledger:
            recorded = record(ledger, invalid(1))
            kept = list(ledger.reader().results(recorded.id))
            assert [(r.state, r.error_code, r.error_message) for r in kept] == [
                (JobState.REJECTED, "InvalidRow", "name: too long")
            ]

    def test_extending_tells_new_same_and_gone(self, path: Path) -> None:
        with SqliteLedger(path) as ledger:
            record(ledger, row(1), row(2))
            with ledger.begin_intake(night(sha256="01")) as intake:
                intake.add([row(1, "k2", of=2), row(2, "k3", of=3)])
                assert intake.recorded() == Recorded(new=1, same=1, gone=1)

    def test_extending_renumbers_what_is_the_same_and_withdraws_what_is_gone(
        self, path: Path
    ) -> None:
        with SqliteLedger(path) as ledger:
            record(ledger, row(1), row(2), invalid(3))
            recorded = record(ledger, row(1, "k2", of=2), row(2, "k3", of=3))
            rows = [(r.key, r.number) for r in ledger.reader().results(recorded.id)]
            assert rows == [("k2", 1), ("k3", 2)]

    async def test_extending_keeps_what_is_gone_and_was_sent(self, path: Path) -> None:
        with SqliteLedger(path) as ledger:
            await sent(ledger, record(ledger, row(1)), CREATED, JobState.CREATED)
            recorded = record(ledger, row(1, "k2", of=2))
            assert recorded.gone == 1
            assert [(r.key, r.number) for r in ledger.reader().results(recorded.id)] == [
                ("k1", None),
                ("k2", 1),
            ]

    async def test_extending_withdraws_what_is_gone_and_was_tried(self, path: Path) -> None:
        with SqliteLedger(path) as ledger:
            await sent(ledger, record(ledger, row(1)), THROTTLED, JobState.PENDING)
            recorded = record(ledger, row(1, "k2", of=2))
            ledger.select(recorded.id)
            assert [job.key for job in ledger.claim(9)] == ["k2"]
            gone = next(ledger.reader().results(recorded.id))
            assert (gone.state, gone.attempts, gone.error_code) == (
                JobState.WITHDRAWN,
                1,
                "Withdrawn",
            )
            assert ledger.reader().calls(recorded.id).attempts == 1

    async def test_a_withdrawn_job_that_is_back_in_the_file_is_pending(self, path: Path) -> None:
        with SqliteLedger(path) as ledger:
            await sent(ledger, record(ledger, row(1)), THROTTLED, JobState.PENDING)
            record(ledger, row(1, "k2", of=2))
            recorded = record(ledger, row(1), row(2))
            assert ledger.reader().counts(recorded.id) == {JobState.PENDING: 2}
            assert recorded.gone == 0

    async def test_what_is_gone_and_in_doubt_is_not_sent_again_once_settled(
        self, path: Path
    ) -> None:
        with SqliteLedger(path) as ledger:
            await sent(ledger, record(ledger, row(1)), LOST, JobState.AMBIGUOUS)
            ledger.select(record(ledger, row(1, "k2", of=2)).id)
            settlement = LedgerSettlement(ImmediateLedger(ledger))
            (question,) = await settlement.questions(0, 9)
            ruling = Decision(question=question, ruling=Ruling.RESEND, listed_at=0.0)
            await settlement.record([ruling])
            assert ledger.counts() == {JobState.WITHDRAWN: 1, JobState.PENDING: 1}
            assert [job.key for job in ledger.claim(9)] == ["k2"]

    async def test_what_is_gone_and_failed_is_not_retried(self, path: Path) -> None:
        with SqliteLedger(path) as ledger:
            await failed_once(ledger, record(ledger, row(1)))
            recorded = record(ledger, row(1, "k2", of=2))
            assert ledger.requeue_failed(recorded.id, "*") == 0

    async def test_what_is_gone_has_its_cells_by_name_under_another_header(
        self, path: Path
    ) -> None:
        two = msgspec.structs.replace(row(1), cells='["x","y"]')
        with SqliteLedger(path) as ledger:
            await sent(ledger, record(ledger, two), CREATED, JobState.CREATED)
            with ledger.begin_intake(night(sha256="01")) as intake:
                intake.add([row(1, "k2", of=2)])
                recorded = intake.commit(Layout(format="csv", columns=("b", "c")))
            cells = [r.cells for r in ledger.reader().results(recorded.id)]
            assert cells == ['{"a":"x","b":"y"}', '["1"]']

    @pytest.mark.parametrize(("keys", "held"), [((1, 2), 2), ((2,), 1), ((2, 3), 1), ((3, 4), 0)])
    def test_content_that_an_unfinished_campaign_has_is_told(
        self, path: Path, keys: tuple[int, ...], held: int
    ) -> None:
        with SqliteLedger(path) as ledger:
            record(ledger, row(1), row(2))
            with ledger.begin_intake(night("other", sha256="01")) as intake:
                intake.add([row(n, f"k{key}", of=key) for n, key in enumerate(keys, 1)])
                holder = Holder(campaign="night", rows=held) if held else None
                assert intake.held_by_another() == holder

    def test_content_is_held_whether_or_not_its_rows_have_a_job_id(self, path: Path) -> None:
        with SqliteLedger(path) as ledger:
            record(ledger, row(1, "order-1", of=1))
            with ledger.begin_intake(night("other", sha256="01")) as intake:
                intake.add([row(1, "a0" * 16, of=1)])
                assert intake.held_by_another() == Holder(campaign="night", rows=1)

    def test_two_jobs_of_one_pair_with_job_ids_of_their_own_hold_nothing(self, path: Path) -> None:
        with SqliteLedger(path) as ledger:
            record(ledger, row(1, "order-1", of=1))
            with ledger.begin_intake(night("other", sha256="01")) as intake:
                intake.add([row(1, "order-2", of=1)])
                assert intake.held_by_another() is None

    @pytest.mark.parametrize("outcome", [CREATED, REFUSED])
    async def test_a_finished_campaign_holds_nothing(self, path: Path, outcome: Outcome) -> None:
        with SqliteLedger(path) as ledger:
            state = state_after(outcome, exhausted=True)
            await sent(ledger, record(ledger, row(1)), outcome, state)
            with ledger.begin_intake(night("other", sha256="01")) as intake:
                intake.add([row(1)])
                assert intake.held_by_another() is None

    def test_only_connectors_of_pending_jobs_are_needed(self, path: Path) -> None:
        other = entry(number=2, line=3, cells="[]", key="k2", request=request(2, "c2"))
        with SqliteLedger(path) as ledger:
            recorded = record(ledger, row(1), other)
            assert set(ledger.pending_connectors(recorded)) == {"c1", "c2"}
            recorded = record(ledger, row(1))
            assert recorded.connectors == ("c1", "c2")
            assert ledger.pending_connectors(recorded) == ["c1"]

    def test_a_row_seen_twice_in_the_extended_file_is_a_duplicate(self, path: Path) -> None:
        with SqliteLedger(path) as ledger:
            record(ledger, row(1))
            with ledger.begin_intake(night()) as intake:
                intake.add([row(1), row(2, "k1", of=1)])
                assert intake.recorded() == Recorded(same=1, duplicates=1)

    def test_a_full_disk_is_told_as_such(self, path: Path) -> None:
        with SqliteLedger(path) as ledger:
            ledger._connection.execute("PRAGMA max_page_count = 20")
            with pytest.raises(CannotWriteError, match="full"), ledger.begin_intake(night()) as it:
                it.add([row(number) for number in range(1, 2000)])
            assert ledger.campaign("night") is None
