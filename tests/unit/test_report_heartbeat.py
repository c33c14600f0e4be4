from __future__ import annotations

import json
import stat
from pathlib import Path

import pytest

from provisioner.cli.pulse import EVERY, Pulse
from provisioner.clock import SystemClock
from provisioner.errors import CannotWriteError, HaltedError, UsageError
from provisioner.events import DrainStarted, RunStarted
from provisioner.job import JobState
from provisioner.report import RunTally
from provisioner.report.heartbeat import heartbeat

NOON = 1_752_235_200.0
COUNTS = {JobState.CREATED: 3, JobState.PENDING: 7}


class Enough(Exception):  # noqa: N818  # ends a test, is no error
    """Time is up."""


class TwoBeats(SystemClock):
    """Time in which two beats happen, and no more."""

    def __init__(self) -> None:
        self._left = 2

    async def sleep(self, seconds: float) -> None:
        assert seconds == EVERY
        if not self._left:
            raise Enough
        self._left -= 1


def started() -> RunTally:
    tally = RunTally()
    tally(RunStarted(campaign="night", counts=COUNTS, rate=50.0, concurrency=4, at=NOON))
    return tally


def read(path: Path) -> dict[str, object]:
    found: dict[str, object] = json.loads(path.read_text())
    return found


def test_a_heartbeat_tells_where_the_run_stands() -> None:
    tally = started()
    tally(DrainStarted(reason="asked to stop", in_flight=0, at=NOON))
    beat = heartbeat(tally, now=NOON + 1, pid=42)
    assert (beat.pid, beat.campaign, beat.at) == (42, "night", "2025-07-11T12:00:01.000Z")
    assert (beat.rows, beat.counts["created"], beat.counts["pending"]) == (10, 3, 7)
    assert (beat.stopped, beat.exit_code, beat.eta_seconds) == ("asked to stop", None, None)


def test_before_the_first_call_there_is_nothing_to_count() -> None:
    beat = heartbeat(RunTally(), now=NOON, pid=42)
    assert (beat.started, beat.counts) == (None, {})


def test_the_file_says_that_the_run_goes_on_and_then_how_it_ended(tmp_path: Path) -> None:
    path = tmp_path / "beat.json"
    with Pulse(path, started(), SystemClock()) as pulse:
        assert read(path)["exit_code"] is None
        pulse.exit_code = 75
    assert read(path)["exit_code"] == 75
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


@pytest.mark.parametrize(("error", "code"), [(HaltedError("x"), 4), (RuntimeError("x"), 1)])
def test_an_error_leaves_its_exit_code(tmp_path: Path, error: Exception, code: int) -> None:
    path = tmp_path / "beat.json"
    with pytest.raises(type(error)), Pulse(path, started(), SystemClock()):
        raise error
    assert read(path)["exit_code"] == code


def test_a_place_that_cannot_be_written_is_told_before_the_run(tmp_path: Path) -> None:
    tmp_path.joinpath("file").touch()
    with (
        pytest.raises(CannotWriteError) as told,
        Pulse(tmp_path / "file" / "beat.json", started(), SystemClock()),
    ):
        pass
    assert told.value.hint == "see --heartbeat"


async def test_a_beat_that_fails_later_is_left_out(tmp_path: Path) -> None:
    path = tmp_path / "folder" / "beat.json"
    with Pulse(path, started(), TwoBeats()) as pulse:
        path.unlink()
        path.parent.rmdir()
        tmp_path.joinpath("folder").touch()
        with pytest.raises(Enough):
            await pulse.keep()
    assert not path.exists()


async def test_a_beat_renews_the_file(tmp_path: Path) -> None:
    path = tmp_path / "beat.json"
    tally = started()
    with Pulse(path, tally, TwoBeats()) as pulse:
        tally(DrainStarted(reason="asked to stop", in_flight=0, at=NOON))
        with pytest.raises(Enough):
            await pulse.keep()
        assert read(path)["stopped"] == "asked to stop"


def test_without_a_path_nothing_is_written(tmp_path: Path) -> None:
    with Pulse(None, started(), SystemClock()):
        pass
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("text", ["participant_1,participant_2\n", "SQLite format 3\0", "{}", "[1"])
def test_what_is_no_heartbeat_is_never_replaced(tmp_path: Path, text: str) -> None:
    path = tmp_path / "campaign.csv"
    path.write_text(text)
    with pytest.raises(UsageError, match="no heartbeat"), Pulse(path, started(), SystemClock()):
        pass
    assert path.read_text() == text


def test_a_device_is_never_replaced() -> None:
    pulse = Pulse(Path("/dev/null"), started(), SystemClock())
    with pytest.raises(UsageError, match="no heartbeat"), pulse:
        pass
    assert Path("/dev/null").is_char_device()


def test_an_empty_file_and_a_heartbeat_are_replaced(tmp_path: Path) -> None:
    path = tmp_path / "heartbeat.json"
    path.touch()
    for _ in range(2):
        with Pulse(path, started(), SystemClock()):
            assert read(path)["campaign"] == "night"


def test_a_heartbeat_that_cannot_be_looked_at_is_told(tmp_path: Path) -> None:
    pulse = Pulse(tmp_path / ("x" * 300), started(), SystemClock())
    with pytest.raises(CannotWriteError, match="File name too long"), pulse:
        pass
