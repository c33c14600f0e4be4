"""What a job costs in campaigns of a thousand to a million jobs, and how soon a big one resumes."""

from __future__ import annotations

import json
import shutil
import sys
import time
import urllib.request
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any, NamedTuple

from benchmarks.contenders import ENVIRONMENT, write_jobs
from benchmarks.machine import described
from benchmarks.processes import SERVER_CORE, Cost, FailedError, cost_of, pinned
from benchmarks.server import constant_server
from provisioner.emulator.child import start_child
from provisioner.emulator.numbers import COUNTRIES
from provisioner.emulator.settings import EmulatorSettings

_STOPPED_EARLY = 75
_HEAD = (
    "| jobs | sent | whole run s | CPU µs a row, all in | calls/s | CPU µs a call more "
    "| peak MB | ledger MB |\n|---:|---:|---:|---:|---:|---:|---:|---:|"
)


class Size(NamedTuple):
    """Rows of a campaign, and how many of them its first run sends."""

    rows: int
    sent: int


def scaling_page(folder: Path, *, sizes: list[Size]) -> str:
    """Markdown; the last size is also resumed."""
    return "\n".join(_page(folder, sizes))


def _page(folder: Path, sizes: list[Size]) -> Iterator[str]:
    yield "# Growing campaigns\n"
    yield (
        "`provisioner run` against the constant server: the whole process, start, validation, "
        "ledger, calls and result files. Where `sent` is less than `jobs`, `--limit` ended the run "
        "there. `CPU a call more` is a second run of the same campaign with `--limit`, less one "
        "that sends a single job. `make bench ONLY=scaling` repeats it.\n"
    )
    yield _HEAD
    with constant_server(folder) as server:
        for size in sizes:
            try:
                yield _row(folder / "run", size, server.url)
            except FailedError as error:
                yield f"| {size.rows:,} | {error} |"
    try:
        yield f"\n{_resumed(folder / 'run', sizes[-1])}"
    except FailedError as error:
        yield f"\nNot resumed: {error}"
    yield f"\n{described()}\n"


def _row(folder: Path, size: Size, url: str) -> str:
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    write_jobs(folder / "jobs.csv", size.rows)
    cost = _run(folder, url, "jobs.csv", "--limit", str(size.sent))
    summary: dict[str, Any] = json.loads(cost.output)
    cells = (
        f"{size.rows:,}",
        f"{size.sent:,}",
        f"{cost.seconds:.1f}",
        f"{cost.cpu / size.rows * 1e6:,.0f}",
        f"{size.sent / summary['timing']['seconds']:,.0f}",
        _marginal(folder, size, url),
        f"{cost.memory / 1e6:.0f}",
        f"{(folder / 'ledger.db').stat().st_size / 1e6:.1f}",
    )
    print(f"scaling: {cells}", file=sys.stderr)
    return f"| {' | '.join(cells)} |"


def _marginal(folder: Path, size: Size, url: str) -> str:
    """µs of CPU that one more call of this campaign costs; nothing where all were sent."""
    # One for the first run, and one that is left to be resumed.
    more = min(size.rows - size.sent - 2, size.sent)
    if more < 1:
        return ""
    one = _run(folder, url, "--campaign", "jobs", "--limit", "1")
    many = _run(folder, url, "--campaign", "jobs", "--limit", str(more))
    return f"{(many.cpu - one.cpu) / (more - 1) * 1e6:,.0f}"


def _run(folder: Path, url: str, *arguments: str) -> Cost:
    files = ["--ledger", "ledger.db", "--out", "out", "--endpoint-url", url]
    options = ["--rate", "100000", "--no-preflight", "--quiet", "--json"]
    command = [sys.executable, "-m", "provisioner", "run", *arguments, *files, *options]
    return cost_of(command, environment=ENVIRONMENT, folder=folder, codes=(0, _STOPPED_EARLY))


def _resumed(folder: Path, size: Size) -> str:
    """How soon after its start a run that resumes the last campaign makes its first call."""
    settings = EmulatorSettings(any_connector=True, countries=COUNTRIES)
    with pinned(SERVER_CORE), start_child(settings) as url:
        began = time.time()
        cost = _run(folder, url, "--campaign", "jobs", "--limit", "1")
        with urllib.request.urlopen(f"{url}/_emulator/sessions", timeout=10) as lines:  # noqa: S310  # loopback
            created = json.loads(lines.readline())["created"]
    first = datetime.fromisoformat(created).timestamp() - began
    return (
        f"Resumed with {size.rows:,} jobs in the ledger: first call {first:.2f} s after the start "
        f"of the process, {cost.seconds:.1f} s for a run that sends one job and writes all result "
        "files again."
    )
