import csv
import io
import json
import tempfile
from hashlib import sha256
from pathlib import Path
from unittest.mock import patch

import msgspec
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from provisioner.errors import InputRefusedError
from provisioner.session import (
    CAPABILITIES,
    GEO_MATCH_LEVELS,
    NUMBER_SELECTION_BEHAVIORS,
    GeoMatchParams,
    SessionRequest,
)
from provisioner.settings import InputSettings
from provisioner.source import by_the_block, open_source
from provisioner.source.csv_rows import CsvRows
from provisioner.source.jsonl_rows import JsonlRows

HEADER = "participant_1,participant_2,voice_connector_id,name,job_id,note\n"
COLUMNS = (
    "participant_1",
    "participant_2",
    "voice_connector_id",
    "capabilities",
    "name",
    "expiry_minutes",
    "number_selection_behavior",
    "geo_match_level",
    "geo_match_country",
    "geo_match_area_code",
    "note",
)
# Quoting as little as possible, csv.writer leaves a bare CR or LF unless the line ends in it.
DIALECTS = [
    {"quoting": csv.QUOTE_MINIMAL, "lineterminator": "\r\n"},
    *({"quoting": csv.QUOTE_ALL, "lineterminator": end} for end in ("\n", "\r\n", "\r")),
]

numbers = st.integers(10, 10**15 - 1).map("+{}".format)
notes = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=20)
requests = st.builds(
    SessionRequest,
    voice_connector_id=st.text("abc012", min_size=1, max_size=128),
    participants=st.tuples(numbers, numbers).filter(lambda pair: pair[0] != pair[1]),
    capabilities=st.sampled_from([CAPABILITIES, ("Voice",), ("SMS",)]),
    name=st.none() | st.text("abZ9 ", max_size=30).map(str.strip).filter(bool),
    expiry_minutes=st.none() | st.integers(1, 2**31 - 1),
    number_selection_behavior=st.none() | st.sampled_from(NUMBER_SELECTION_BEHAVIORS),
    geo_match_level=st.none() | st.sampled_from(GEO_MATCH_LEVELS),
    geo_match_params=st.none()
    | st.builds(
        GeoMatchParams,
        country=st.sampled_from(["US", "CA"]),
        area_code=st.sampled_from(["007", "415"]),
    ),
)
jobs = st.lists(st.tuples(requests, notes), max_size=5)


def read(content, file_format, encoding=None):
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "jobs")
        path.write_bytes(content)
        source = open_source(InputSettings(path=str(path), format=file_format, encoding=encoding))
        return list(source.rows())


def as_cells(request, note):
    geography = request.geo_match_params
    cells = (
        *request.participants,
        request.voice_connector_id,
        "|".join(request.capabilities),
        request.name,
        request.expiry_minutes,
        request.number_selection_behavior,
        request.geo_match_level,
        geography and geography.country,
        geography and geography.area_code,
        note,
    )
    return ["" if cell is None else str(cell) for cell in cells]


def as_csv(written, **dialect):
    text = io.StringIO(newline="")
    writer = csv.writer(text, **dialect)
    writer.writerow(COLUMNS)
    writer.writerows(as_cells(request, note) for request, note in written)
    return text.getvalue()


def as_jsonl(written):
    return b"".join(
        json.dumps(msgspec.to_builtins(request) | {"note": note}).encode() + b"\n"
        for request, note in written
    )


@given(content=st.binary(), file_format=st.sampled_from(["csv", "tsv", "jsonl"]))
@example(content=b'participant_1,participant_2\n"', file_format="csv")
@example(content=b"\xff\xfe\x00\xd8", file_format="csv")
@example(content=b'{"participants": [1, null], "\\ud800": 1}', file_format="jsonl")
def test_no_bytes_raise_anything_but_a_refusal(content, file_format):
    try:
        rows = read(content, file_format)
    except InputRefusedError:
        return
    assert_sound(rows)


@given(body=st.binary(max_size=300), mark=st.sampled_from([b"", b"\xef\xbb\xbf"]))
def test_no_bytes_below_a_header_raise(body, mark):
    assert_sound(read(mark + HEADER.encode() + body, "csv"))


@given(text=st.text(alphabet='",;\n\r+0123 \0ab', max_size=200))
def test_no_text_below_a_header_raises(text):
    assert_sound(read((HEADER + text).encode(), "csv"))


@given(
    value=st.recursive(
        st.none() | st.booleans() | st.floats(allow_nan=False) | st.integers() | st.text(),
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
        max_leaves=5,
    ),
    key=st.sampled_from([*COLUMNS, "participants", "GeoMatchParams", "Capabilities", "job_id"]),
)
def test_no_json_value_in_any_column_raises(value, key):
    line = json.dumps({"participants": ["+14155550100", "+442079460000"], key: value})
    assert_sound(read(line.encode(), "jsonl"))


def assert_sound(rows):
    assert [row.number for row in rows] == list(range(1, len(rows) + 1))
    for row in rows:
        assert (row.request is None) == bool(row.problems) == (row.key is None)
        text = row.cells + "".join(repr(msgspec.to_builtins(each)) for each in row.problems)
        assert "\0" not in text
        text.encode()
        json.loads(row.cells)


@given(
    written=jobs,
    delimiter=st.sampled_from(",;\t|"),
    dialect=st.sampled_from(DIALECTS),
    encoding=st.sampled_from(["utf-8", "utf-8-sig", "utf-16", "utf-16-be", "gb18030"]),
)
def test_jobs_written_as_csv_read_back_as_the_same_requests(written, delimiter, dialect, encoding):
    text = as_csv(written, **dialect | {"delimiter": delimiter})
    named = encoding if encoding in {"utf-16-be", "gb18030"} else None
    rows = read(text.encode(encoding), "csv", named)
    assert [row.request for row in rows] == [request for request, _ in written]
    assert [json.loads(row.cells)[-1] for row in rows] == [note for _, note in written]


@given(written=jobs)
def test_a_job_has_one_key_in_either_format(written):
    from_csv = read(as_csv(written).encode(), "csv")
    from_jsonl = read(as_jsonl(written), "jsonl")
    assert [row.key for row in from_csv] == [row.key for row in from_jsonl]
    assert [row.request for row in from_csv] == [row.request for row in from_jsonl]


@given(written=jobs, repeats=st.integers(1, 3))
def test_a_row_is_read_alike_however_often_its_like_came_before(written, repeats):
    rows = read(as_csv(written * repeats).encode(), "csv")
    assert [row.request for row in rows] == [request for request, _ in written] * repeats


@given(written=jobs, file_format=st.sampled_from(["csv", "jsonl"]))
def test_a_request_is_spelled_as_it_is_encoded_and_is_its_own_identity(written, file_format):
    text = as_csv(written * 2).encode() if file_format == "csv" else as_jsonl(written * 2)
    encoded = [msgspec.json.encode(request) for request, _ in written * 2]
    rows = read(text, file_format)
    assert [row.body.encode() for row in rows] == encoded
    assert [row.key for row in rows] == [sha256(body).hexdigest()[:32] for body in encoded]


# Few values to a column, so that most rows have had their like, sound or damaged, before them.
VALUES = {
    "participant_1": ["+14155550100", "+1 (415) 555-0100", "'+14155550100", "14155550100", ""],
    "participant_2": ["+442079460000", "+14155550100", "+44 20 7946 0000", "1.4E+10", "+4420\0"],
    "voice_connector_id": ["abc", "abc", "abc", " abc ", "a/b", ""],
    "capabilities": ["Voice|SMS", "SMS", "", "Fax"],
    "expiry_minutes": ["720", "", "0", "7.0"],
    "geo_match_country": ["", "US", "us"],
    "geo_match_area_code": ["", "415"],
    "name": ["", "Order 1", " Order 1 ", "no!", "a" * 31, "é"],
    "job_id": ["", "7", " 7 ", "x" * 257, "\u00a0", "a\x85b", "caf\ud800"],
    "note": ["", "é", "a\tb", "\x01", "\udcff"],
}
JSON_VALUES = VALUES | {
    "expiry_minutes": ["720", 720, 720.0, True, None],
    "capabilities": [["Voice", "SMS"], "Voice|SMS", ["Fax"], []],
    "participants": [["+14155550100", "+442079460000"], ["+14155550100"], "+14155550100", None],
    "job_id": ["", 7, "7", " 7 ", None, "\u00a0"],
    "name": ["", None, "Order 1", 1, "no!"],
    "note": ["", {"a": [1, 1.0]}, "\0", "\\u0000"],
}


def some_of(values):
    """Rows that differ from the first value of each column in few of them."""
    usual = {key: value[0] for key, value in values.items()}
    odd = st.sampled_from([(key, value) for key in values for value in values[key]])
    rows = st.lists(odd, max_size=3).map(lambda changes: usual | dict(changes))
    return st.lists(rows, min_size=1, max_size=12)


def findings(rows):
    return [
        (row.key, row.request, row.cells, [(each.column, each.message) for each in row.problems])
        for row in rows
    ]


def one_at_a_time(content, file_format):
    with patch.object(CsvRows, "block", none), patch.object(JsonlRows, "block", none):
        return read(content, file_format)


def none(*_):
    """No block is known to be sound."""


@pytest.fixture
def _blocks_of_any_size(monkeypatch):
    monkeypatch.setattr(by_the_block, "_SMALLEST", 1)


def as_quoted_csv(written, quoting=csv.QUOTE_ALL):
    text = io.StringIO(newline="")
    csv.writer(text, quoting=quoting).writerows([VALUES, *(row.values() for row in written)])
    return text.getvalue().encode("utf-8", "surrogatepass")


@pytest.mark.usefixtures("_blocks_of_any_size")
@given(written=some_of(VALUES), quoting=st.sampled_from([csv.QUOTE_ALL, csv.QUOTE_MINIMAL]))
def test_a_block_of_csv_is_read_as_its_rows_are_one_at_a_time(written, quoting):
    content = as_quoted_csv(written * 2, quoting)
    assert read(content, "csv") == one_at_a_time(content, "csv")


@pytest.mark.usefixtures("_blocks_of_any_size")
@given(written=some_of(VALUES), cut=st.integers(0, 300), put=st.text('",;\n\r x', max_size=3))
def test_damaged_csv_is_read_alike_by_the_block_and_one_at_a_time(written, cut, put):
    content = as_quoted_csv(written * 2, csv.QUOTE_MINIMAL)
    header = content.index(b"\n") + 1
    damaged = content[: header + cut] + put.encode() + content[header + cut :]
    assert read(damaged, "csv") == one_at_a_time(damaged, "csv")


def as_lines(written, spelling):
    return b"".join(
        json.dumps({spelling.get(key, key): row[key] for key in row}).encode() + b"\n"
        for row in written
    )


@pytest.mark.usefixtures("_blocks_of_any_size")
@given(
    written=some_of(JSON_VALUES),
    lines=st.lists(st.sampled_from(["", "{}", "[]", '{"job_id": 1} {', '"name": "x"}', "\\u0000"])),
    unwanted=st.sampled_from(
        [("participants",), ("participants",), ("participant_1", "participant_2"), ()]
    ),
)
def test_a_block_of_jsonl_is_read_as_its_rows_are_one_at_a_time(written, lines, unwanted):
    ours = [{key: row[key] for key in row if key not in unwanted} for row in written]
    theirs = as_lines(ours, {"name": "Name", "expiry_minutes": "ExpiryMinutes", "note": "remark"})
    content = as_lines(ours, {}) + theirs + "\n".join(lines).encode() + b"\n" + theirs
    both = b"".join(
        one.rstrip(b"}\n") + b", " + other.lstrip(b"{")
        for one, other in zip(
            theirs.splitlines(True), as_lines(ours, {}).splitlines(True), strict=True
        )
    )
    content += both * 2
    assert read(content, "jsonl") == one_at_a_time(content, "jsonl")


@given(written=some_of(VALUES))
def test_a_csv_row_in_company_is_read_as_it_is_alone(written):
    header, *lines = as_quoted_csv(written).splitlines(keepends=True)
    assert findings(read(header + b"".join(lines), "csv")) == [
        found for line in lines for found in findings(read(header + line, "csv"))
    ]


@given(written=some_of(JSON_VALUES), pair=st.booleans())
def test_a_json_row_in_company_is_read_as_it_is_alone(written, pair):
    unwanted = {"participant_1", "participant_2"} if pair else {"participants"}
    lines = [
        json.dumps({key: row[key] for key in row if key not in unwanted}).encode() + b"\n"
        for row in written
    ]
    assert findings(read(b"".join(lines), "jsonl")) == [
        found for line in lines for found in findings(read(line, "jsonl"))
    ]
