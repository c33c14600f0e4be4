import json

from provisioner.job import Problem
from provisioner.report import problems_json, render_problems

WHOLE = Problem(line=9, message="more cells than the header")
CELL = Problem(
    line=7, column="participant_2", value="+1415***", message="write all digits,\nas +14155550100"
)


def test_a_problem_with_a_cell_is_one_line():
    assert list(render_problems("jobs.csv", [CELL])) == [
        'jobs.csv:7: participant_2: "+1415***": write all digits, as +14155550100'
    ]


def test_a_problem_with_a_row_is_one_line():
    lines = list(render_problems("jobs.csv", [WHOLE]))
    assert lines == ["jobs.csv:9: more cells than the header"]


def test_a_problem_as_json_has_all_members():
    (line,) = problems_json("jobs.csv", [WHOLE])
    assert json.loads(line) == {
        "file": "jobs.csv",
        "line": 9,
        "column": None,
        "value": None,
        "message": "more cells than the header",
    }
