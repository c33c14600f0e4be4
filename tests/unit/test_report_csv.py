import csv
import json

import pytest

from provisioner.job import JobState
from provisioner.record import Layout, RowResult
from provisioner.report import write_results

CSV = Layout(format="csv", columns=("participant_1", "participant_2", "note"))
JSONL = Layout(format="jsonl", columns=("participants", "note"))


def row(cells, **more):
    text = cells if isinstance(cells, str) else json.dumps(cells)
    return RowResult(
        **({"number": 1, "key": "key-1", "state": JobState.PENDING} | more), cells=text
    )


def only(rows, layout, out):
    write_results(rows, layout, out, "csv")
    with (out / "pending.csv").open(encoding="utf-8", newline="") as file:
        (each,) = csv.DictReader(file)
    return each


def test_a_short_row_is_filled_up(tmp_path):
    shown = only([row(("x",))], CSV, tmp_path)
    assert (shown["participant_1"], shown["note"], shown["_row"]) == ("x", "", "1")


def test_cells_beyond_the_header_follow_our_columns(tmp_path):
    shown = only([row(("a", "b", "c", "d", "e"))], CSV, tmp_path)
    assert (shown["note"], shown["_row"], shown[None]) == ("c", "1", ["d", "e"])


def test_an_unreadable_line_stands_in_the_first_column(tmp_path):
    shown = only([row(json.dumps('half a "line'))], CSV, tmp_path)
    assert (shown["participant_1"], shown["note"]) == ('half a "line', "")


def test_cells_that_are_no_json_are_kept_as_text(tmp_path):
    assert only([row("{broken")], CSV, tmp_path)["participant_1"] == "{broken"


def test_half_a_surrogate_pair_does_not_stop_the_file(tmp_path):
    write_results([row('["\\ud800", "b", "c"]')], CSV, tmp_path, None)
    assert "\\ud800" in (tmp_path / "pending.csv").read_text(encoding="utf-8")


@pytest.mark.parametrize(
    "cell",
    [
        "=1+1", "+cmd|'/C calc'!A0", "-2+3", "@SUM(A1)", "  =1", "\t=1", "\tx", "\rx", "\nx",
        "\uff1d1", "\uff0b1", "\uff0d1", "\uff201", "\ufeff=1", "\u00a0@x", "=12", "+1 415 555",
        "\x00=1", '="a"',
    ],
)  # fmt: skip
def test_a_cell_that_a_spreadsheet_would_run_is_defused(tmp_path, cell):
    assert only([row(("a", "b", cell))], CSV, tmp_path)["note"] == "'" + cell


@pytest.mark.parametrize(
    "cell",
    ["+14155550100", "-5", "+3.2", "0", "", "a=b", "1+1", " x", "é", "'=1", "a\rb", "a\nb", 'a"b'],
)
def test_a_harmless_cell_is_left_as_it_is(tmp_path, cell):
    assert only([row(("a", "b", cell))], CSV, tmp_path)["note"] == cell


def test_our_own_cells_are_defused_too(tmp_path):
    shown = only([row(("a",), key="=1", error_message="@evil")], CSV, tmp_path)
    assert (shown["_job_key"], shown["_error_message"]) == ("'=1", "'@evil")
