"""The rows of a JSONL file that a run wrote as CSV are the same jobs, read again."""

import json

import pytest

from provisioner.errors import InputRefusedError
from provisioner.job import JobState
from provisioner.record import RowResult
from provisioner.report import result_paths, write_results
from provisioner.settings import InputSettings
from provisioner.source import open_source

A, B, C = "+14155550100", "+442079460000", "+14155550101"
CONNECTOR = "abcdef1ghij2klmno3pqr4"
AS_REQUEST = {
    "VoiceConnectorId": CONNECTOR,
    "ParticipantPhoneNumbers": [A, B],
    "Capabilities": ["Voice"],
    "ExpiryMinutes": 60,
    "GeoMatchParams": {"Country": "US", "AreaCode": "415"},
    "customer": "[x",
}
AS_OURS = {"voice_connector_id": CONNECTOR, "participant_1": C, "participant_2": B}
AS_PAIR = {"voice_connector_id": CONNECTOR, "participants": [C, A]}


def read(path):
    source = open_source(InputSettings(path=str(path)))
    return list(source.rows()), source.layout()


@pytest.fixture
def fed_back(tmp_path):
    def write(*objects):
        path = tmp_path / "jobs.jsonl"
        path.write_text("\n".join(map(json.dumps, objects)))
        rows, layout = read(path)
        results = [
            RowResult(number=row.number, cells=row.cells, key="k", state=JobState.PENDING)
            for row in rows
        ]
        write_results(results, layout, tmp_path, "csv")
        return rows, result_paths(layout, tmp_path, "csv")["pending"]

    return write


@pytest.mark.parametrize(
    "objects",
    [(AS_REQUEST, AS_OURS, AS_PAIR), (AS_REQUEST,), (AS_PAIR,), (AS_OURS,)],
    ids=["every spelling", "requests", "pairs", "ours"],
)
def test_they_are_the_same_jobs(fed_back, objects):
    rows, path = fed_back(*objects)
    again, _ = read(path)
    assert [(row.key, row.request) for row in again] == [(row.key, row.request) for row in rows]
    assert all(row.request for row in again)


def test_a_damaged_one_is_named_by_its_column(fed_back):
    _, path = fed_back(AS_REQUEST, AS_OURS)
    path.write_text(path.read_text().replace(f'""{A}""', '""12""').replace(C, "13"))
    problems = [problem for row in read(path)[0] for problem in row.problems]
    assert [problem.column for problem in problems] == ["ParticipantPhoneNumbers", "participant_1"]


def test_a_cell_that_only_looks_like_json_is_a_text(fed_back):
    _, path = fed_back(AS_REQUEST)
    path.write_text(path.read_text().replace('"[""Voice""]"', "[Voice"))
    (row,), _ = read(path)
    assert [problem.column for problem in row.problems] == ["Capabilities"]


def test_a_file_of_somebody_else_names_each_column_once(tmp_path):
    path = tmp_path / "jobs.csv"
    path.write_text(f"participant_1,participant_2,name,Name\n{A},{B},x,y\n")
    with pytest.raises(InputRefusedError, match="2 times"):
        read(path)
