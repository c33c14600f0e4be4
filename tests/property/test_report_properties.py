import csv
import io
import json
import math
import tempfile
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from provisioner.job import JobState
from provisioner.record import Layout, RowResult
from provisioner.report import result_paths, write_results
from provisioner.report.csv_results import defused
from provisioner.report.tally import LatencyHistogram

TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=12) | st.text(
    "=+-@ \t\r\n\"',;|'0123456789.aZ\uff1d\ufeff", max_size=12
)
WIDTH = 3
CELLS = st.lists(TEXTS, min_size=WIDTH, max_size=WIDTH)
VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | TEXTS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXTS, inner, max_size=3),
    max_leaves=6,
)


def row(number, cells, state=JobState.PENDING):
    return RowResult(number=number, cells=json.dumps(cells), key="k", state=state)


def written(rows, layout):
    with tempfile.TemporaryDirectory() as folder:
        write_results(rows, layout, Path(folder), None)
        paths = result_paths(layout, Path(folder))
        return {name: path.read_bytes().decode() for name, path in paths.items()}


@given(st.lists(CELLS, max_size=4), st.sampled_from(",;\t|"))
def test_cells_read_back_from_csv_are_the_rows_own_or_defused(rows, delimiter):
    layout = Layout(format="csv", delimiter=delimiter, columns=("a", "b", "c"))
    text = written([row(i, cells) for i, cells in enumerate(rows)], layout)["pending"]
    read = list(csv.reader(io.StringIO(text, newline=""), delimiter=delimiter))[1:]
    assert [cells[:WIDTH] for cells in read] == [[defused(cell) for cell in each] for each in rows]


@given(TEXTS)
def test_a_defused_cell_is_the_cell_itself_or_led_by_an_apostrophe(cell):
    assert defused(cell) in {cell, "'" + cell}


@given(st.sampled_from("=+-@\t\r\uff1d\uff0b\uff0d\uff20"), TEXTS)
def test_what_begins_like_a_formula_is_defused_unless_a_number(start, rest):
    cell = start + rest
    plain = start in "+-" and cell.isascii() and rest.replace(".", "", 1).isdigit()
    assert plain or defused(cell) == "'" + cell


@given(st.dictionaries(TEXTS.filter(lambda name: not name.startswith("_")), VALUES, max_size=4))
def test_jsonl_objects_keep_their_own_members(members):
    text = written([row(1, members)], Layout(format="jsonl", columns=tuple(members)))["pending"]
    read = json.loads(text)
    assert {name: read[name] for name in members} == members


@pytest.mark.parametrize("form", ["csv", "jsonl"])
@given(states=st.lists(st.sampled_from(JobState), max_size=20))
def test_each_row_lands_in_exactly_one_file(form, states):
    layout = Layout(format=form, columns=("a",))
    cells = {"csv": ["x"], "jsonl": {"a": "x"}}[form]
    texts = written([row(i, cells, state) for i, state in enumerate(states)], layout)
    header = form == "csv"
    assert sum(text.count("\n") - header for text in texts.values()) == len(states)


@given(
    st.lists(st.floats(min_value=1e-5, max_value=1e4), min_size=1, max_size=200),
    st.sampled_from([0.5, 0.9, 0.99, 1.0]),
)
def test_a_quantile_is_within_one_percent(latencies, share):
    histogram = LatencyHistogram()
    for latency in latencies:
        histogram.record(latency)
    exact = sorted(latencies)[math.ceil(share * len(latencies)) - 1]
    assert histogram.quantile(share) == pytest.approx(exact, rel=0.01, abs=1e-6)
