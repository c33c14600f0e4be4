from __future__ import annotations

import io

from hypothesis import given
from hypothesis import strategies as st

from provisioner.job import JobState
from provisioner.report.board import Board, Standing, Trend

COUNTS = {
    JobState.CREATED: 1_190,
    JobState.FAILED: 10,
    JobState.IN_FLIGHT: 24,
    JobState.PENDING: 1_776,
}


class Wide(io.StringIO):
    """A terminal."""

    def isatty(self) -> bool:
        return True


def standing(counts: dict[JobState, int], pace: float | None = None) -> Standing:
    return Standing(campaign="night", counts=counts, pace=pace)


def test_a_standing_tells_how_far_how_fast_and_how_long() -> None:
    assert standing(COUNTS, 20.0).progress() == "1,200/3,000  40%  20.0 rows/s  ETA 1m30s"


def test_without_a_pace_nobody_knows_how_long() -> None:
    assert standing(COUNTS).progress() == "1,200/3,000  40%"
    assert standing(COUNTS, 0.0).progress() == "1,200/3,000  40%  0.0 rows/s"


def test_a_standing_tells_its_rows_by_state() -> None:
    told = standing(COUNTS | {JobState.AMBIGUOUS: 2}).states()
    assert told == "1,776 pending, 24 in flight, 2 in doubt, 1,190 created, 10 failed"


def test_an_empty_campaign_is_done() -> None:
    assert (standing({}).progress(), standing({}).states()) == ("0/0  100%", "empty")
    assert not standing({}).unsettled


@given(st.dictionaries(st.sampled_from(JobState), st.integers(0, 10)))
def test_there_is_something_to_do_while_rows_wait_for_a_run(counts: dict[JobState, int]) -> None:
    waiting = {JobState.PENDING, JobState.IN_FLIGHT, JobState.AMBIGUOUS}
    assert standing(counts).unsettled == any(counts.get(state) for state in waiting)


def test_the_pace_is_that_of_late() -> None:
    trend = Trend()
    assert trend(0.0, 0) is None
    assert trend(10.0, 100) == 10.0
    assert trend(20.0, 300) == 20.0


def test_rows_that_go_back_to_pending_make_no_negative_pace() -> None:
    trend = Trend()
    trend(0.0, 10)
    assert trend(1.0, 5) == 0.0


def test_a_terminal_of_80_columns_is_not_left(monkeypatch) -> None:
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.setenv("NO_COLOR", "1")
    terminal = Wide()
    named = Standing(
        campaign="a very long campaign's name, as long as can be", counts=COUNTS, pace=1
    )
    with Board(terminal) as board:
        board.show([named, standing(COUNTS, 20.0)])
    lines = [line for line in terminal.getvalue().splitlines() if "3,000" in line]
    assert "━" in lines[0]
    assert len(lines[1].split("\x1b")[0].rstrip()) <= 80
    assert "night  ━" in lines[1]
