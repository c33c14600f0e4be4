from __future__ import annotations

import json
import os
import sqlite3
import stat
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import anyio
import msgspec
import pytest

from provisioner.errors import CannotWriteError, ConfigurationError, LedgerLockedError
from provisioner.job import JobState, Outcome, Problem, Row, Verdict, state_after
from provisioner.ledger import (
    GroupCommitLedger,
    ImmediateLedger,
    LedgerSettlement,
    SqliteLedger,
    ledger_path,
    open_reader,
)
from provisioner.record import CampaignRecord, Holder, Layout, LearnedRate, NewCampaign, Recorded
from provisioner.rulings import Decision, Ruling
from provisioner.session import SessionRequest

CREATED = Outcome(verdict=Verdict.CREATED, status=201, request_id="r-1")
REFUSED = Outcome(verdict=Verdict.REFUSED, status=400)
THROTTLED = Outcome(verdict=Verdict.RETRYABLE, status=429, throttled=True)
LOST = Outcome(verdict=Verdict.AMBIGUOUS, answered=False)
LAYOUT = Layout(format="csv", columns=("a", "b"))


def request(number: int, connector: str = "c1") -> SessionRequest:
    return SessionRequest(
        voice_connector_id=connector,
        participants=("+12065550100", f"+1206555{number:04}"),
        capabilities=("Voice",),
    )


def row(number: int, key: str | None = None, of: int | None = None) -> Row:
    return Row(
        number=number,
        line=number + 1,
        cells=f'["{number}"]',
        key=key or f"k{number}",
        request=request(of or number),
    )


def invalid(number: int) -> Row:
    return Row(
        number=number,
        line=number + 1,
        cells="[]",
        problems=(Problem(line=number + 1, column="name", message="too long"),),
    )


def night(name: str = "night", sha256: str = "00") -> NewCampaign:
    return NewCampaign(name=name, input_name="a.csv", input_sha256=sha256, defaults="{}")


def record(ledger: SqliteLedger, *rows: Row, campaign: NewCampaign | None = None) -> CampaignRecord:
    with ledger.begin_intake(campaign or night()) as intake:
        intake.add(rows)
        return intake.commit(LAYOUT)


async def sent(
    ledger: SqliteLedger, campaign: CampaignRecord, outcome: Outcome, state: JobState
) -> None:
    """One attempt of the campaign's first job."""
    ledger.select(campaign.id)
    shell = ImmediateLedger(ledger)
    attempt = await shell.open_attempt((await shell.claim(1))[0])
    await shell.close_attempt(attempt, outcome, state)


async def failed_once(ledger: SqliteLedger, campaign: CampaignRecord) -> None:
    await sent(ledger, campaign, REFUSED, JobState.FAILED)


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
        other = msgspec.structs.replace(row(2), request=request(2, "c2"))
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


class TestRecovery:
    async def open_one(self, path: Path) -> None:
        with SqliteLedger(path) as ledger:
            ledger.select(record(ledger, row(1), row(2)).id)
            shell = ImmediateLedger(ledger)
            await shell.open_attempt((await shell.claim(1))[0])

    async def test_an_open_attempt_of_a_dead_process_is_ambiguous(self, path: Path) -> None:
        await self.open_one(path)
        with SqliteLedger(path) as ledger:
            ledger.select(1)
            assert ledger.counts() == {JobState.AMBIGUOUS: 1, JobState.PENDING: 1}
            assert [job.key for job in ledger.claim(9)] == ["k2"]

    async def test_its_row_says_that_the_process_died(self, path: Path) -> None:
        await self.open_one(path)
        with SqliteLedger(path) as ledger:
            assert next(ledger.reader().results(1)).error_code == "ProcessDied"

    async def test_attempt_ids_go_on_after_a_restart(self, path: Path) -> None:
        await self.open_one(path)
        with SqliteLedger(path) as ledger:
            ledger.select(1)
            with ledger.transaction():
                assert ledger.open_attempts(ledger.claim(1))[0].id == 2


class TestFailedJobs:
    @pytest.mark.parametrize(("code", "again"), [("*", 2), ("BadRequest", 1), ("Other", 0)])
    async def test_are_pending_again_by_code(self, path: Path, code: str, again: int) -> None:
        with SqliteLedger(path) as ledger:
            recorded = record(ledger, row(1), row(2), row(3))
            ledger.select(recorded.id)
            shell = ImmediateLedger(ledger)
            for job, error in zip(await shell.claim(2), ("BadRequest", "Conflict"), strict=True):
                outcome = Outcome(verdict=Verdict.REFUSED, error_code=error)
                await shell.close_attempt(await shell.open_attempt(job), outcome, JobState.FAILED)
            assert ledger.requeue_failed(recorded.id, code) == again
            assert ledger.counts()[JobState.PENDING] == 1 + again

    async def test_attempts_go_on_counting(self, path: Path) -> None:
        with SqliteLedger(path) as ledger:
            recorded = record(ledger, row(1))
            ledger.select(recorded.id)
            shell = ImmediateLedger(ledger)
            outcome = Outcome(verdict=Verdict.REFUSED)
            attempt = await shell.open_attempt((await shell.claim(1))[0])
            await shell.close_attempt(attempt, outcome, JobState.FAILED)
            ledger.requeue_failed(recorded.id, "*")
            ledger.select(recorded.id)
            assert (await shell.open_attempt((await shell.claim(1))[0])).number == 2


class TestUnfinishedWithInput:
    def test_names_the_campaign_that_holds_the_same_content(self, path: Path) -> None:
        with SqliteLedger(path) as ledger:
            record(ledger, row(1))
            assert ledger.unfinished_with_input(night("other")) == Holder(campaign="night", rows=1)

    def test_a_finished_campaign_does_not_count(self, path: Path) -> None:
        with SqliteLedger(path) as ledger:
            record(ledger, invalid(1))
            assert ledger.unfinished_with_input(night("other")) is None

    def test_other_content_does_not_count(self, path: Path) -> None:
        with SqliteLedger(path) as ledger:
            record(ledger, row(1))
            assert ledger.unfinished_with_input(night("other", sha256="01")) is None


class TestFile:
    def test_is_private(self, path: Path) -> None:
        with SqliteLedger(path) as ledger:
            record(ledger, row(1))
            for file in path.parent.iterdir():
                assert stat.S_IMODE(file.stat().st_mode) == 0o600, file

    def test_commits_reach_the_disk(self, path: Path) -> None:
        with SqliteLedger(path) as ledger:
            pragma = ledger._connection.execute
            assert pragma("PRAGMA journal_mode").fetchone() == ("wal",)
            assert pragma("PRAGMA synchronous").fetchone() == (2,)

    def test_a_second_holder_is_refused_and_told_who_holds_it(self, path: Path) -> None:
        with SqliteLedger(path), pytest.raises(LedgerLockedError, match=f"process {os.getpid()} "):
            SqliteLedger(path).__enter__()

    def test_a_lock_file_of_a_dead_process_is_no_lock(self, path: Path) -> None:
        path.with_name("ledger.db.lock").write_text(json.dumps({"pid": 1}))
        with SqliteLedger(path) as ledger:
            assert ledger.campaign("night") is None

    def test_a_lock_without_a_readable_note_still_locks(self, path: Path) -> None:
        with SqliteLedger(path):
            path.with_name("ledger.db.lock").write_text("?")
            with pytest.raises(LedgerLockedError, match="another process"):
                SqliteLedger(path).__enter__()

    def test_in_a_missing_folder_cannot_be_written(self, tmp_path: Path) -> None:
        with pytest.raises(CannotWriteError, match="No such file"):
            SqliteLedger(tmp_path / "no" / "ledger.db").__enter__()

    def test_that_is_no_database_is_refused_and_unlocked(self, path: Path) -> None:
        path.write_text("participant_1,participant_2\n" * 100)
        for _ in range(2):
            with pytest.raises(CannotWriteError, match="not a database"):
                SqliteLedger(path).__enter__()

    def test_of_another_program_is_refused(self, path: Path) -> None:
        other = sqlite3.connect(path)
        other.execute("CREATE TABLE notes (text)")
        other.close()
        before = path.read_bytes()
        with pytest.raises(ConfigurationError, match="another program"):
            SqliteLedger(path).__enter__()
        assert path.read_bytes() == before

    def test_of_another_version_is_refused(self, path: Path) -> None:
        SqliteLedger(path).__enter__().__exit__(None, None, None)
        with closing(sqlite3.connect(path)) as later:
            later.execute("PRAGMA user_version = 99")
        with pytest.raises(ConfigurationError, match="schema version 99"):
            SqliteLedger(path).__enter__()

    def test_that_was_created_and_left_empty_becomes_a_ledger(self, path: Path) -> None:
        path.touch()
        with SqliteLedger(path) as ledger:
            assert ledger.campaign("night") is None

    @pytest.mark.parametrize("deed", [Path.unlink, lambda path: path.write_text("x")])
    def test_that_is_removed_or_damaged_while_in_use_stops_the_run(
        self, path: Path, deed: Callable[[Path], object]
    ) -> None:
        def send() -> None:
            with SqliteLedger(path) as ledger:
                ledger.select(record(ledger, row(1)).id)
                jobs = ledger.claim(1)
                for file in path.parent.glob("ledger.db*"):
                    deed(file)
                with ledger.transaction():
                    ledger.open_attempts(jobs)
                ledger.reader().counts(1)

        with pytest.raises(CannotWriteError):
            send()

    def test_is_the_same_through_a_link(self, path: Path) -> None:
        link = path.with_name("link.db")
        link.symlink_to(path)
        with SqliteLedger(path), pytest.raises(LedgerLockedError):
            SqliteLedger(link).__enter__()

    def test_of_any_name_is_a_file(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.chdir(tmp_path)
        with SqliteLedger(ledger_path(":memory:")) as ledger:
            record(ledger, row(1))
        assert (tmp_path / ":memory:").stat().st_size > 0

    def test_that_is_a_folder_cannot_be_written(self, path: Path) -> None:
        path.mkdir()
        with pytest.raises(CannotWriteError, match="directory"):
            SqliteLedger(path).__enter__()


class TestReader:
    def test_needs_a_ledger(self, path: Path) -> None:
        with pytest.raises(ConfigurationError, match="no ledger"), open_reader(path):
            pass

    def test_refuses_what_is_no_ledger(self, path: Path) -> None:
        path.write_text("x" * 4096)
        with pytest.raises(ConfigurationError, match="cannot read"), open_reader(path):
            pass

    def test_reads_while_a_run_is_writing(self, path: Path) -> None:
        with SqliteLedger(path) as ledger:
            recorded = record(ledger, row(1))
            with ledger.transaction(), open_reader(path) as reader:
                assert reader.counts(recorded.id) == {JobState.PENDING: 1}

    def test_reads_one_snapshot(self, path: Path) -> None:
        with SqliteLedger(path) as ledger:
            record(ledger, row(1))
            with open_reader(path) as reader:
                record(ledger, row(1), campaign=night("other"))
                assert [each.name for each in reader.campaigns()] == ["night"]

    async def test_what_a_run_has_in_flight_is_in_flight(self, path: Path) -> None:
        with SqliteLedger(path) as ledger:
            ledger.select(record(ledger, row(1)).id)
            shell = ImmediateLedger(ledger)
            await shell.open_attempt((await shell.claim(1))[0])
            with open_reader(path) as reader:
                assert reader.counts(1) == {JobState.IN_FLIGHT: 1}

    async def test_what_a_dead_run_left_in_flight_is_ambiguous(self, path: Path) -> None:
        with SqliteLedger(path) as ledger:
            ledger.select(record(ledger, row(1)).id)
            shell = ImmediateLedger(ledger)
            await shell.open_attempt((await shell.claim(1))[0])
        with open_reader(path) as reader:
            assert reader.counts(1) == {JobState.AMBIGUOUS: 1}
            assert [each.state for each in reader.results(1)] == [JobState.AMBIGUOUS]
        path.with_name("ledger.db.lock").unlink()
        with open_reader(path) as reader:
            assert reader.counts(1) == {JobState.AMBIGUOUS: 1}

    def test_knows_the_last_run(self, path: Path) -> None:
        with SqliteLedger(path) as ledger:
            recorded = record(ledger, row(1))
            assert ledger.reader().last_run(recorded.id) is None
            ledger.record_run(recorded.id, b'{"n":1}')
            ledger.record_run(recorded.id, b'{"n":2}')
            assert ledger.reader().last_run(recorded.id) == b'{"n":2}'

    async def test_counts_calls_by_what_became_of_them(self, path: Path) -> None:
        with SqliteLedger(path) as ledger:
            recorded = record(ledger, row(1))
            ledger.select(recorded.id)
            shell = ImmediateLedger(ledger)
            job = (await shell.claim(1))[0]
            throttled = Outcome(verdict=Verdict.RETRYABLE, throttled=True)
            await shell.close_attempt(await shell.open_attempt(job), throttled, JobState.PENDING)
            again = type(job)(id=job.id, key=job.key, request=job.request, attempts=1)
            await shell.close_attempt(await shell.open_attempt(again), CREATED, JobState.CREATED)
            calls = ledger.reader().calls(recorded.id)
            assert (calls.attempts, calls.throttled, calls.retried) == (2, 1, 1)


@pytest.mark.parametrize(
    ("text", "path"),
    [("a.db", "a.db"), ("sqlite:///a.db", "a.db"), ("sqlite:////x/a.db", "/x/a.db")],
)
def test_a_ledger_is_named_by_path_or_url(text: str, path: str) -> None:
    assert ledger_path(text) == Path(path)


def test_a_ledger_of_another_kind_is_refused() -> None:
    with pytest.raises(ConfigurationError, match="postgresql"):
        ledger_path("postgresql://host/db")


async def test_group_commit_serves_many_jobs_with_few_commits(path: Path) -> None:
    with SqliteLedger(path) as ledger:
        ledger.select(record(ledger, *(row(number) for number in range(1, 201))).id)
        commits = 0

        def count(statement: str) -> None:
            nonlocal commits
            commits += statement == "COMMIT"

        ledger._connection.set_trace_callback(count)
        async with GroupCommitLedger(ledger) as shell, anyio.create_task_group() as tasks:
            for job in await shell.claim(200):
                tasks.start_soon(shell.open_attempt, job)
        assert ledger.counts() == {JobState.IN_FLIGHT: 200}
        assert commits < 20


async def test_group_commit_survives_a_caller_that_stopped_waiting(path: Path) -> None:
    with SqliteLedger(path) as ledger:
        ledger.select(record(ledger, row(1), row(2)).id)
        async with GroupCommitLedger(ledger) as shell:
            job, other = await shell.claim(2)
            with anyio.CancelScope() as scope:
                scope.cancel()
                await shell.open_attempt(job)
            assert (await shell.open_attempt(other)).job_id == other.id
        assert ledger.counts() == {JobState.IN_FLIGHT: 2}


def test_a_learned_rate_replaces_what_was_known_of_its_lane(tmp_path: Path) -> None:
    first = LearnedRate(lane="a us-east-1", operation="Create", rate=49.0, learned_at=1.0)
    other = msgspec.structs.replace(first, lane="b us-east-1", learned_at=2.0)
    later = msgspec.structs.replace(first, rate=24.5, learned_at=3.0)
    with SqliteLedger(tmp_path / "ledger.db") as ledger:
        for each in (first, other, later):
            ledger.record_rate(each)
        assert ledger.reader().rates() == [later, other]
