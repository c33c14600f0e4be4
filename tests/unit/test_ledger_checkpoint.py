"""What a large job file left in the write-ahead log is moved beside the work that follows."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from provisioner.ledger import ImmediateLedger, SqliteLedger, checkpoint
from tests.unit.recorded_night import record, row

WITHOUT_ITS_LOG = "file:{}?mode=ro&immutable=1"


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "ledger.db"


def rows_in_the_file(path: Path) -> int:
    """Rows that are there without the write-ahead log."""
    uri = WITHOUT_ITS_LOG.format(path)
    with closing(sqlite3.connect(uri, uri=True)) as connection:
        return int(connection.execute("SELECT count(*) FROM jobs").fetchone()[0])


def test_a_checkpoint_moves_what_the_log_holds(path: Path) -> None:
    with SqliteLedger(path) as ledger:
        record(ledger, row(1), row(2))
        checkpoint.Checkpoint(path).wait()
        assert rows_in_the_file(path) == 2


def test_a_large_job_file_is_moved_before_the_ledger_is_closed(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(checkpoint, "LARGE", 0)
    with SqliteLedger(path) as ledger:
        record(ledger, row(1), row(2))
        with closing(sqlite3.connect(path)) as reader:
            reader.execute("BEGIN")
            reader.execute("SELECT count(*) FROM jobs").fetchone()
            ledger.__exit__(None, None, None)
            assert rows_in_the_file(path) == 2
        ledger.__enter__()


async def test_jobs_are_sent_while_it_is_moved(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(checkpoint, "LARGE", 0)
    with SqliteLedger(path) as core:
        core.select(record(core, row(1), row(2)).id)
        ledger = ImmediateLedger(core)
        attempts = [await ledger.open_attempt(job) for job in await ledger.claim(2)]
        assert len(attempts) == 2


def test_a_job_file_is_on_disk_in_the_log_before_it_is_moved(path: Path) -> None:
    with SqliteLedger(path) as ledger:
        record(ledger, row(1))
        log = path.with_name("ledger.db-wal")
        assert log.stat().st_size > 0
        assert ledger.campaign("night") is not None


def test_a_ledger_that_cannot_be_opened_is_for_the_next_commit_to_tell(tmp_path: Path) -> None:
    checkpoint.Checkpoint(tmp_path).wait()
