"""A million rows: into the durable ledger, and out of it as result files; ten million into it.

python -m benchmarks.million_rows [--rows N ...] [--format csv jsonl] [--record-only]

The result files are written of the first number of rows only. Without options the table goes to
`results/million_rows.md` too; ten million rows take up to 16 GB of temporary files.

Each step is a process of its own, so that its peak of memory is its own. Seconds are from opening
the job file to the commit on disk, or from the first row to the last file renamed; the processor's
time is the whole process's, interpreter, imports and the process that reads the job file included,
and so is its peak of memory: the sum of both. Between the two steps every row is
given a session, which is not measured.
"""

from __future__ import annotations

import argparse
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable, Iterator
from itertools import chain, product
from pathlib import Path

from benchmarks.machine import described
from provisioner.campaign import new_campaign
from provisioner.intake import IntakePolicy, admit
from provisioner.job import Job, Problem
from provisioner.ledger import SqliteLedger
from provisioner.report import write_results
from provisioner.session import Participant, Session
from provisioner.settings import InputSettings, Settings
from provisioner.source import open_source

_AT_ONCE = 1_000
_ROWS = (1_000_000, 10_000_000)
_RESULTS = Path(__file__).parent / "results" / "million_rows.md"
_TITLE = "# Millions of rows, recorded and written out\n\n`python -m benchmarks.million_rows`\n"
_HEAD = (
    "| file | step | rows | seconds | rows/s | CPU µs a row | peak MiB |",
    "|---|---|---:|---:|---:|---:|---:|",
)
_WRITER = Path(__file__).parent / "job_file.py"


def record(jobs: Path, ledger: Path) -> float:
    """Validate a job file into a new ledger; the seconds it took."""
    settings = Settings(input=InputSettings(path=str(jobs)), campaign="night")
    with SqliteLedger(ledger) as core:
        began = time.perf_counter()
        source = open_source(settings.input or InputSettings(path="-"))
        admit(core, source, new_campaign(settings, source), IntakePolicy(), _refuse)
        return time.perf_counter() - began


def create(_: Path, ledger: Path) -> float:
    """Give every row a session."""
    began = time.perf_counter()
    with SqliteLedger(ledger) as core:
        core.select(core.reader().campaigns()[0].id)
        while jobs := core.claim(_AT_ONCE):
            with core.transaction():
                core.adopt_sessions([(job, _session(job)) for job in jobs])
    return time.perf_counter() - began


def results(_: Path, ledger: Path) -> float:
    """Write the result files; the seconds it took."""
    with SqliteLedger(ledger) as core:
        reader = core.reader()
        campaign = reader.campaigns()[0]
        began = time.perf_counter()
        write_results(reader.results(campaign.id), campaign.layout, ledger.parent / "out", None)
        return time.perf_counter() - began


_STEPS = {"record": record, "create": create, "results": results}


def _refuse(problem: Problem) -> None:
    raise ValueError(problem.message)


def _session(job: Job) -> Session:
    first, second = job.request.participants
    return Session(
        proxy_session_id=f"{job.id:08}-0000-4000-8000-000000000000",
        voice_connector_id=job.request.voice_connector_id,
        name=job.request.name,
        status="Open",
        expiry_minutes=job.request.expiry_minutes,
        capabilities=job.request.capabilities,
        created_at="2026-11-23T20:00:00.000Z",
        updated_at="2026-11-23T20:00:00.000Z",
        participants=(
            Participant(phone_number=first, proxy_phone_number="+12065550100"),
            Participant(phone_number=second, proxy_phone_number="+12065550101"),
        ),
    )


def main() -> None:
    """Take the steps by turns, and tell what each took."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--rows", type=int, nargs="+", default=_ROWS)
    parser.add_argument("--format", nargs="+", choices=("csv", "jsonl"), default=["csv", "jsonl"])
    parser.add_argument("--record-only", action="store_true", help="leave the result files out")
    parser.add_argument("--step", nargs=3, help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.step:
        name, jobs, ledger = asked.step
        print(_STEPS[name](Path(jobs), Path(ledger)))
        print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)
        return
    lines = list(_table(asked))
    if len(sys.argv) == 1:
        _RESULTS.write_text("\n".join([_TITLE, *lines, ""]), "utf-8")


def _table(asked: argparse.Namespace) -> Iterator[str]:
    """The lines of the table, each printed as soon as it is there."""
    for line in chain(_HEAD, _measured(asked), ["", described()]):
        print(line, flush=True)
        yield line


def _measured(asked: argparse.Namespace) -> Iterator[str]:
    for rows, file_format in product(asked.rows, asked.format):
        record_only = asked.record_only or rows != asked.rows[0]
        with tempfile.TemporaryDirectory() as folder:
            steps = ["record"] if record_only else _STEPS
            yield from _measure(Path(folder), file_format, rows, steps)


def _measure(folder: Path, file_format: str, rows: int, steps: Iterable[str]) -> Iterator[str]:
    jobs = folder / f"jobs.{file_format}"
    with jobs.open("wb") as file:
        command = [sys.executable, str(_WRITER), "--rows", str(rows), "--format", file_format]
        subprocess.run(command, stdout=file, check=True)  # noqa: S603  # our own
    for step in steps:
        seconds, processor, peak = _taken(step, jobs, folder / "ledger.db")
        if step != "create":
            yield (
                f"| {file_format} | {step} | {rows:,} | {seconds:.1f} | {rows / seconds:,.0f} "
                f"| {processor / rows * 1e6:.1f} | {peak:.0f} |"
            )


def _taken(step: str, jobs: Path, ledger: Path) -> tuple[float, float, float]:
    """Seconds by the step's own clock, seconds of processor, and the peak in MiB."""
    command = [sys.executable, "-m", "benchmarks.million_rows", "--step", step]
    command += [str(jobs), str(ledger)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as child:  # noqa: S603  # ours
        said = child.stdout.read() if child.stdout else ""
        _, status, used = os.wait4(child.pid, 0)
        child.returncode = os.waitstatus_to_exitcode(status)
    if child.returncode:
        raise SystemExit(child.returncode)
    seconds, others = said.split()
    return float(seconds), used.ru_utime + used.ru_stime, (used.ru_maxrss + int(others)) / 1024


if __name__ == "__main__":
    main()
