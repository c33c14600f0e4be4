"""Job files of CSV, and what a test looks at in their rows."""

import json

from provisioner.session import SessionRequest
from provisioner.settings import InputSettings
from provisioner.source import open_source

A, B = "+14155550100", "+442079460000"
CONNECTOR = "abcdef1ghij2klmno3pqr4"
HEADER = "participant_1,participant_2,voice_connector_id"
SOUND = f"{A},{B},{CONNECTOR}"
REQUEST = SessionRequest(
    voice_connector_id=CONNECTOR, participants=(A, B), capabilities=("Voice", "SMS")
)


def job_file(folder, content, name="jobs.csv", **settings):
    path = folder / name
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return open_source(InputSettings(path=str(path), **settings))


def cells(row):
    return json.loads(row.cells)


def one_problem(rows):
    ((problem,),) = [row.problems for row in rows if row.problems]
    return problem
