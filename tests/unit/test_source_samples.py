import json
import subprocess
import sys
from pathlib import Path

import pytest

from provisioner.settings import InputSettings
from provisioner.source import open_source
from provisioner.source.columns import COLUMNS, column_of

ROOT = Path(__file__).parents[2]
JOBS = ROOT / "jobs"


def read(name):
    source = open_source(InputSettings(path=str(JOBS / name)))
    return list(source.rows()), source.layout()


@pytest.mark.parametrize(("name", "count"), [("campaign.csv", 3000), ("campaign.jsonl", 200)])
def test_a_sample_is_sound_and_no_two_people_meet_twice(name, count):
    rows, _ = read(name)
    assert [row.problems for row in rows if row.problems] == []
    assert len({frozenset(row.request.participants) for row in rows}) == count
    assert len({row.key for row in rows}) == count


def test_the_csv_sample_uses_every_column_and_carries_two():
    rows, layout = read("campaign.csv")
    used = [
        name
        for index, name in enumerate(layout.columns)
        if any(json.loads(row.cells)[index] for row in rows)
    ]
    assert sorted(filter(column_of, used)) == sorted(COLUMNS)
    assert [name for name in used if column_of(name) is None] == ["customer", "region"]


def test_the_broken_sample_has_one_sound_row():
    rows, _ = read("broken.csv")
    assert [row.number for row in rows if not row.problems] == [1]
    assert len(rows) == 17


@pytest.mark.parametrize(("name", "rows"), [("campaign.csv", 3000), ("campaign.jsonl", 200)])
def test_a_sample_is_what_the_generator_writes(name, rows):
    command = [sys.executable, "benchmarks/job_file.py", "--rows", str(rows), "--format"]
    written = subprocess.run(
        [*command, Path(name).suffix[1:]], cwd=ROOT, capture_output=True, check=True
    )
    assert written.stdout == (JOBS / name).read_bytes()
