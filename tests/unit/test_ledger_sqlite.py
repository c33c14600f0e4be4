from __future__ import annotations

import json
import os
import shutil
import sqlite3
import stat
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import anyio
import msgspec
import pytest

from provisioner.entry import Entry
from provisioner.errors import CannotWriteError, ConfigurationError, LedgerLockedError
from provisioner.job import JobState, Outcome, Verdict
from provisioner.ledger import (
    GroupCommitLedger,
    ImmediateLedger,
    SqliteLedger,
    ledger_path,
)
from provisioner.record import Holder, LearnedRate
from tests.unit.recorded_night import invalid, night, record, row


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "ledger.db"


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
    def holder(self, path: Path, first: Entry, sha256: str = "00") -> Holder | None:
        with SqliteLedger(path) as ledger:
            record(ledger, first)
            with ledger.begin_intake(night("other", sha256=sha256)) as intake:
                intake.add([row(1, of=9)])
                return intake.held_by_another()

    def test_names_the_campaign_that_holds_the_same_bytes(self, path: Path) -> None:
        assert self.holder(path, row(1)) == Holder(campaign="night", rows=1)

    def test_a_finished_campaign_does_not_count(self, path: Path) -> None:
        assert self.holder(path, invalid(1)) is None

    def test_other_bytes_do_not_count(self, path: Path) -> None:
        assert self.holder(path, row(1), sha256="01") is None


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

    def test_that_is_damaged_is_to_be_made_anew(self, path: Path) -> None:
        with SqliteLedger(path):
            pass
        whole = path.read_bytes()
        path.write_bytes(whole[: len(whole) // 2] + b"\xff" * (len(whole) // 2))
        with pytest.raises(CannotWriteError, match="malformed") as refused:
            SqliteLedger(path).__enter__()
        assert "reconcile JOBFILE --adopt" in refused.value.hint

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


def test_a_ledger_whose_maker_was_killed_in_its_first_write_is_made_anew(tmp_path: Path) -> None:
    dying, path = tmp_path / "dying.db", tmp_path / "ledger.db"
    with closing(sqlite3.connect(dying, isolation_level=None)) as connection:
        connection.execute("PRAGMA cache_size = 1")
        connection.execute("BEGIN")
        connection.execute("CREATE TABLE begun (text)")
        for _ in range(20):
            connection.execute("INSERT INTO begun VALUES (?)", ("x" * 4000,))
        for suffix in ("", "-journal"):
            shutil.copyfile(f"{dying}{suffix}", f"{path}{suffix}")
    assert path.stat().st_size > 0
    with SqliteLedger(path) as ledger:
        assert ledger.campaign("any") is None


def test_a_ledger_that_is_a_link_to_itself_is_refused(tmp_path: Path) -> None:
    link = tmp_path / "loop.db"
    link.symlink_to(link)
    with pytest.raises(CannotWriteError, match="leads to no file"):
        ledger_path(str(link))
