"""`python -m benchmarks.night`: its quota halves, its deadline hits, and the next night goes on.

Writes benchmarks/results/night.txt. The commands are typed as an operator would, against an
emulator whose quota this changes through its admin page; about five minutes.
"""

from __future__ import annotations

import argparse
import json
import os
import shlex
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from datetime import UTC, datetime
from itertools import pairwise
from pathlib import Path
from threading import Event, Thread
from urllib.request import Request, urlopen

from benchmarks.machine import described
from provisioner.emulator.child import start_child
from provisioner.emulator.faults import parse_faults
from provisioner.emulator.settings import CONNECTOR, EmulatorSettings, Quota

RESULT = Path(__file__).parent / "results/night.txt"
COMMAND = Path(sys.executable).with_name("provisioner")
ROWS = 7_500
QUOTA = 50.0
HALVED_AFTER = 60.0
LEAST_NIGHT = 150.0
"""Seconds."""
LATENCY = "latency=40ms~20ms"
STEP = 10
INTRODUCTION = f"""\
{ROWS:,} rows, a service that answers in 20 to 60 ms and allows {QUOTA:g} calls a second, of which
nobody is told. {HALVED_AFTER:g} seconds into the first night it allows half as many. The deadline
comes before the rows are through; the next night begins at the rate that this one learned.
"""


class Service:
    """The emulator's admin page, and what it counted each second."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.quota = QUOTA
        self.seconds: list[tuple[float, int, int]] = []

    def halve(self) -> None:
        """Allow half as many calls from now on."""
        self.quota /= 2
        quota = Quota(rate=self.quota, burst=int(self.quota))
        self._ask("quota", json.dumps({"rate": quota.rate, "burst": quota.burst}).encode())

    def follow(self, over: Event) -> None:
        """Note quota, sessions and throttles so far, once a second; halve the quota in time."""
        began = time.monotonic()
        while not over.wait(max(0.0, began + len(self.seconds) - time.monotonic())):
            if self.quota == QUOTA and time.monotonic() - began >= HALVED_AFTER:
                self.halve()
            statuses = json.loads(self._ask("state"))["statuses"]
            self.seconds.append((self.quota, statuses.get("201", 0), statuses.get("429", 0)))

    def table(self) -> list[str]:
        """What was let through and throttled, ten seconds to a line."""
        lines = ["  seconds      quota   created   throttled"]
        every = self.seconds[::STEP]
        for place, (before, after) in enumerate(pairwise(every)):
            created, throttled = (after[1] - before[1]) / STEP, after[2] - before[2]
            at = f"{place * STEP}-{(place + 1) * STEP}"
            lines.append(f"{at:>9}{before[0]:9g}/s{created:8.1f}/s{throttled:12}")
        return lines

    def _ask(self, page: str, body: bytes | None = None) -> bytes:
        with urlopen(Request(f"{self.url}/_emulator/{page}", body), timeout=10) as answer:  # noqa: S310  # loopback
            read: bytes = answer.read()
            return read


def _typed(folder: Path, url: str) -> Callable[[str], str]:
    """Types a command in a folder; gives what the terminal showed."""
    ours = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}
    keys = {"AWS_ACCESS_KEY_ID": "emulator", "AWS_SECRET_ACCESS_KEY": "emulator"}
    environment = ours | keys | {"PROVISIONER_ENDPOINT_URL": url, "PROVISIONER_TIME_ZONE": "UTC"}

    def typed(line: str) -> str:
        done = subprocess.run(  # noqa: S603  # our own command
            [COMMAND, *shlex.split(line)],
            cwd=folder,
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )
        print(f"$ provisioner {line}\n{done.stdout}", flush=True)
        return f"$ provisioner {line}\n{done.stdout}$ echo $?\n{done.returncode}\n"

    return typed


def _deadline() -> str:
    """The first full minute that leaves the night long enough."""
    minute = (time.time() + LEAST_NIGHT) // 60 + 1
    return f"{datetime.fromtimestamp(minute * 60, UTC):%H:%M}"


def _night(typed: Callable[[str], str], url: str) -> list[str]:
    """Both nights, as they were typed, with the service's own count of the first."""
    service, over = Service(url), Event()
    follower = Thread(target=service.follow, args=(over,))
    follower.start()
    try:
        first = typed(f"run night.csv --deadline {_deadline()} --log-format console")
    finally:
        over.set()
        follower.join()
    counted = ["What the service counted meanwhile:", *service.table(), ""]
    return [
        first,
        *counted,
        typed("status"),
        typed("plan night.csv"),
        typed("run night.csv --log-format console"),
    ]


def _write_jobs(path: Path) -> None:
    rows = (f"+1206{job:07},+1312{job:07},{CONNECTOR}" for job in range(ROWS))
    path.write_text("\n".join(["participant_1,participant_2,voice_connector_id", *rows, ""]))


def main() -> None:
    """Run both nights, and write what the terminal showed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--result", type=Path, default=RESULT, help="default: %(default)s")
    result: Path = parser.parse_args().result
    settings = EmulatorSettings(
        quota=Quota(rate=QUOTA, burst=int(QUOTA)), faults=parse_faults(LATENCY)
    )
    with tempfile.TemporaryDirectory() as folder, start_child(settings) as url:
        _write_jobs(Path(folder) / "night.csv")
        told = _night(_typed(Path(folder), url), url)
    result.write_text("\n".join([INTRODUCTION, *told, f"Measured on {described()}", ""]), "utf-8")


if __name__ == "__main__":
    main()
