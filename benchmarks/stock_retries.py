"""What the SDK's own retries do to calls whose answer is lost, counted at the service.

    python benchmarks/stock_retries.py            1,500 jobs, 2 % ambiguous faults
    python benchmarks/stock_retries.py --jobs 300

Every client sends the same jobs to an emulator of its own with the same faults: half of them a
connection closed without a reply after the session was created, half a 500 after it was created.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import tempfile
import time
import urllib.request
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from provisioner import InputSettings, PaceSettings, ServiceSettings, Settings, provision
from provisioner.emulator.child import start_child
from provisioner.emulator.faults import parse_faults
from provisioner.emulator.settings import CONNECTOR, EmulatorSettings

THREADS = 32
FAULTS = "lost=1%,failure_after=1%,latency=5ms"
CREDENTIALS = {"aws_access_key_id": "emulator", "aws_secret_access_key": "emulator"}


class Made(NamedTuple):
    """What the emulator counted."""

    sessions: int
    duplicates: int
    jobs_without: int


def count(url: str, jobs: int) -> Made:
    """Sessions by Name, which tells the job."""
    with urllib.request.urlopen(f"{url}/_emulator/sessions", timeout=10) as answer:  # noqa: S310  # loopback
        names = Counter(json.loads(line)["participants"][0] for line in answer)
    return Made(names.total(), names.total() - len(names), jobs - len(names))


def pair(job: int) -> list[str]:
    """A pair of numbers that no other job has."""
    return [f"+1206{job:07}", f"+1312{job:07}"]


def stock(mode: str | None) -> Callable[[str, int], str]:
    """Plain boto3 in threads, as its retry mode has it; None is what comes without asking."""

    def run(url: str, jobs: int) -> str:
        retries = {"retries": {"mode": mode}} if mode else {}
        client = boto3.client(
            "chime-sdk-voice",
            region_name="us-east-1",
            endpoint_url=url,
            config=Config(max_pool_connections=THREADS, read_timeout=5, **retries),
            **CREDENTIALS,
        )
        failed = 0

        def create(job: int) -> bool:
            with suppress(BotoCoreError, ClientError):
                client.create_proxy_session(
                    VoiceConnectorId=CONNECTOR,
                    ParticipantPhoneNumbers=pair(job),
                    Capabilities=["Voice"],
                )
                return True
            return False

        with ThreadPoolExecutor(THREADS) as threads:
            failed = jobs - sum(threads.map(create, range(jobs)))
        return f"{failed} failed"

    return run


def ours(url: str, jobs: int) -> str:
    """The same jobs through `provision`."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "night.csv"
        rows = [f"{','.join(pair(job))},{CONNECTOR},Voice" for job in range(jobs)]
        header = "participant_1,participant_2,voice_connector_id,capabilities"
        path.write_text("\n".join([header, *rows]) + "\n", "utf-8")
        settings = Settings(
            input=InputSettings(path=str(path)),
            ledger=str(Path(folder) / "ledger.db"),
            out=Path(folder) / "out",
            service=ServiceSettings(endpoint_url=url, region="us-east-1", connections=THREADS),
            pace=PaceSettings(rate=2000.0),
            settle=5.0,
        )
        counts = asyncio.run(provision(settings)).summary.counts
    return f"{counts['failed']} failed, {counts['needs_review']} to review"


CLIENTS = {
    "boto3, as it comes (legacy)": stock(None),
    "boto3, retry mode standard": stock("standard"),
    "boto3, retry mode adaptive": stock("adaptive"),
    "provisioner": ours,
}


def main() -> None:
    """One table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--jobs", type=int, default=1500)
    jobs = parser.parse_args().jobs
    print(f"{jobs:,} jobs, faults {FAULTS}\n")
    print("| client | sessions | duplicates | jobs without one | it says | seconds |")
    print("|---|---:|---:|---:|---|---:|")
    for name, run in CLIENTS.items():
        with start_child(EmulatorSettings(faults=parse_faults(FAULTS))) as url:
            began = time.monotonic()
            said = run(url, jobs)
            seconds = time.monotonic() - began
            made = count(url, jobs)
        print(f"| {name} | {' | '.join(map(str, made))} | {said} | {seconds:.1f} |", flush=True)


if __name__ == "__main__":
    main()
