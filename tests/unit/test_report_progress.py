import asyncio
import io
import json

import pytest

from provisioner.events import (
    AuditAwaited,
    BreakerClosed,
    BreakerOpened,
    CallSent,
    DrainStarted,
    OutcomeRecorded,
    RunStarted,
    SettlingStarted,
)
from provisioner.job import JobState, Outcome, Verdict
from provisioner.report import LoggedProgress, RunTally, TerminalProgress, configure_logging
from provisioner.report.progress import ProgressLine


class Terminal(io.StringIO):
    def isatty(self):
        return True


class VirtualClock:
    def __init__(self, until):
        self.now = 0.0
        self.until = until

    def time(self):
        return self.now

    async def sleep(self, seconds):
        self.now += seconds
        if self.now >= self.until:
            raise asyncio.CancelledError


@pytest.fixture(autouse=True)
def _an_ordinary_terminal(monkeypatch):
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.delenv("NO_COLOR", raising=False)


def started(pending=1_000, at=0.0):
    counts = {JobState.PENDING: pending}
    return RunStarted(campaign="july", counts=counts, rate=20.0, concurrency=4, at=at)


def answered(at):
    return OutcomeRecorded(
        job_key="k",
        attempt=1,
        outcome=Outcome(verdict=Verdict.CREATED, throttled=True),
        state=JobState.CREATED,
        latency=0.1,
        retry_in=None,
        at=at,
    )


def running(pending=1_000):
    tally = RunTally()
    tally(started(pending))
    for i in range(100):
        tally(CallSent(job_key="k", attempt=1, at=i / 20))
        tally(answered(i / 20))
    tally(CallSent(job_key="k", attempt=1, at=5.0))
    return tally


def line_at(width, tally):
    line = ProgressLine(tally)
    line.now = 5.0
    return line.text(width)


def logged_progress(tally, stream):
    return LoggedProgress(tally, configure_logging("json", "info", stream))


def drawn(stream):
    return stream.getvalue().count("1,000")


def test_the_line_tells_all_where_there_is_room():
    expected = "100/1,000  10%  20.2/s  100 throttled  1 in flight  ETA 45s"
    assert line_at(80, running()) == expected


@pytest.mark.parametrize("width", range(1, 100))
def test_the_line_never_is_wider_than_the_terminal(width):
    assert len(line_at(width, running())) <= width


def test_a_narrow_terminal_keeps_the_count_the_rate_and_the_eta():
    assert line_at(30, running()) == "100/1,000  20.2/s  ETA 45s"


def test_the_line_tells_how_long_rows_still_have_to_settle():
    tally = running()
    tally(SettlingStarted(ambiguous=3, until=905.0, at=5.0))
    line = ProgressLine(tally)
    line.now = 5.0
    assert line.text(80).endswith("3 settle in 15m00s")
    line.now = 905.0
    assert "ETA" in line.text(80)


def test_the_line_tells_how_long_an_audit_is_waited_for():
    tally = running()
    tally(AuditAwaited(until=125.0, at=5.0))
    assert line_at(80, tally).endswith("503s audited in 2m00s")


def test_the_line_tells_that_no_call_starts_any_more():
    tally = running()
    tally(DrainStarted(reason="asked to stop", in_flight=1, at=5.0))
    assert line_at(80, tally).endswith("1 in flight  stopping")


def test_the_line_tells_that_the_service_is_left_alone():
    tally = running()
    tally(BreakerOpened(reason="ServiceUnavailableException", seconds=8.0, at=5.0))
    line = ProgressLine(tally)
    line.now = 5.0
    assert line.text(80).endswith("unwell, tried again in 8s")
    tally(BreakerClosed(at=13.0))
    assert "ETA" in line.text(80)


def test_an_empty_campaign_has_a_line():
    tally = RunTally()
    tally(started(pending=0))
    assert line_at(80, tally) == "0/0  100%  0.0/s  0 throttled  0 in flight  ETA -"


def test_the_line_fills_the_terminal_with_its_bar():
    stream = Terminal()
    with TerminalProgress(running(), stream) as progress:
        progress.refresh(5.0)
    assert "━" in stream.getvalue()


def test_a_terminal_without_room_for_a_bar_shows_none(monkeypatch):
    monkeypatch.setenv("COLUMNS", "30")
    stream = Terminal()
    with TerminalProgress(running(), stream) as progress:
        progress.refresh(5.0)
    assert "━" not in stream.getvalue()


def test_no_color_is_respected(monkeypatch):
    monkeypatch.setenv("NO_COLOR", "1")
    stream = Terminal()
    with TerminalProgress(running(), stream) as progress:
        progress.refresh(5.0)
    assert "\x1b[3" not in stream.getvalue()


def test_the_terminal_keeps_its_cursor():
    stream = Terminal()
    with TerminalProgress(running(), stream):
        assert stream.getvalue().rfind("\x1b[?25h") > stream.getvalue().rfind("\x1b[?25l")


def test_the_line_is_drawn_at_most_ten_times_a_second():
    stream = Terminal()
    tally = running()
    with TerminalProgress(tally, stream) as progress:
        for i in range(1_000):
            progress(CallSent(job_key="k", attempt=1, at=5 + i / 1_000))
    assert 9 <= drawn(stream) <= 11


def test_nothing_is_drawn_before_the_run_has_begun():
    stream = Terminal()
    with TerminalProgress(RunTally(), stream) as progress:
        progress.refresh(5.0)
        assert "throttled" not in stream.getvalue()


def test_log_lines_are_printed_above_the_line():
    stream = Terminal()
    with TerminalProgress(running(), stream) as progress:
        logger = configure_logging("json", "info", progress.log_stream)
        progress.refresh(5.0)
        logger.info("hello", text="x" * 100)
        before, after = stream.getvalue().rsplit("hello", 1)
    assert "x" * 100 in before
    assert "100/1,000" in after


def test_a_terminal_that_goes_away_does_not_stop_the_run():
    stream = Terminal()
    with TerminalProgress(running(), stream) as progress:
        stream.close()
        progress.refresh(5.0)


def test_a_line_is_logged_every_thirty_seconds():
    stream = io.StringIO()
    tally = running()
    with logged_progress(tally, stream) as progress:
        progress(started(at=5.0))
        for second in range(5, 70):
            progress(answered(float(second)))
    assert stream.getvalue().count("\n") == 2


def test_a_logged_line_has_the_figures():
    stream = io.StringIO()
    progress = logged_progress(running(), stream)
    progress.show(5.0)
    told = json.loads(stream.getvalue())
    told.pop("timestamp")
    assert told == {
        "event": "progress",
        "level": "info",
        "done": 100,
        "total": 1000,
        "rate": 20.2,
        "throttled": 100,
        "in_flight": 1,
        "eta_seconds": 45,
    }


def test_a_logged_line_without_a_pace_has_no_eta():
    stream = io.StringIO()
    logged_progress(RunTally(), stream).show(0.0)
    assert json.loads(stream.getvalue())["eta_seconds"] is None


async def test_idle_times_are_kept_fresh():
    stream = io.StringIO()
    progress = logged_progress(running(), stream)
    progress(started(at=0.0))
    with pytest.raises(asyncio.CancelledError):
        await progress.keep_fresh(VirtualClock(until=95))
    assert stream.getvalue().count("\n") == 3
