"""The result files as whoever gets them reads them; nothing of ours is asked."""

from __future__ import annotations

import csv
import json
from collections.abc import Sequence
from pathlib import Path

import msgspec


class ResultRow(msgspec.Struct, frozen=True, kw_only=True):
    """A line of a result file: `file` is its name without the extension.

    `number` is 0 for a row that the job file no longer has. `proxies` are the proxy numbers in the
    order of the row's participants; empty text for what is not there.
    """

    file: str
    number: int
    key: str
    session_id: str
    proxies: tuple[str, str]


class Results(msgspec.Struct, frozen=True, kw_only=True):
    """All files of a campaign, and what its summary says of them."""

    rows: Sequence[ResultRow] = ()
    counts: dict[str, int] = {}


def read_results(folder: Path) -> Results:
    """What a folder has; nothing where no run has come to its end."""
    summary = folder / "summary.json"
    if not summary.exists():
        return Results()
    rows = [row for path in sorted(folder.glob("*.csv")) for row in _rows(path)]
    return Results(rows=rows, counts=json.loads(summary.read_text("utf-8"))["counts"])


def _rows(path: Path) -> list[ResultRow]:
    with path.open(newline="", encoding="utf-8") as file:
        return [
            ResultRow(
                file=path.stem,
                number=int(line["_row"] or 0),
                key=line["_job_key"],
                session_id=line["_proxy_session_id"],
                proxies=(line["_proxy_phone_number_1"], line["_proxy_phone_number_2"]),
            )
            for line in csv.DictReader(file)
        ]
