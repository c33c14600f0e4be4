from __future__ import annotations

from pathlib import Path

import pytest

from provisioner.errors import ConfigurationError
from provisioner.job import JobState, Outcome, Verdict
from provisioner.ledger import (
    ImmediateLedger,
    SqliteLedger,
    open_reader,
)
from tests.unit.recorded_night import CREATED, night, record, row


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "ledger.db"


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
