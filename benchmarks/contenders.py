"""Who is compared: how to build each one, how to start it, or why it is absent."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from benchmarks.processes import Cost, FailedError, cost_of

CALLERS = 64
PEERS = Path(__file__).parent / "peers"
ROOT = Path(__file__).parents[1]
ENVIRONMENT = {
    "AWS_ACCESS_KEY_ID": "benchmark",
    "AWS_SECRET_ACCESS_KEY": "benchmark",
    "AWS_REGION": "us-east-1",
    "AWS_DEFAULT_REGION": "us-east-1",
    "AWS_EC2_METADATA_DISABLED": "true",
}
_GO_PATH = Path("/usr/share/gocode")


class Run(NamedTuple):
    """One run: its calls, their seconds and latencies by its own clock, and its cost as seen."""

    calls: int
    seconds: float
    p50: float
    p99: float
    cost: Cost


class Contender(NamedTuple):
    """`calls` is how many a full round makes, about four seconds' worth."""

    name: str
    calls: int
    prepare: Callable[[Path], list[str | Path]]


def peer(command: list[str | Path], url: str, calls: int) -> Run:
    """A program that makes the calls and prints one JSON object."""
    arguments = [*command, url, str(calls), str(CALLERS)]
    cost = cost_of(arguments, environment=ENVIRONMENT)
    told = json.loads(cost.output)
    return Run(told["calls"], told["seconds"], told["p50"], told["p99"], cost)


def write_jobs(path: Path, jobs: int) -> None:
    """A job file of that many jobs for one pair, each with an identity of its own."""
    with path.open("w", encoding="utf-8") as file:
        file.write("job_id,participant_1,participant_2,voice_connector_id\n")
        file.writelines(
            f"order-{job:07},+14155550100,+14155550101,abcdef1ghij2klmno3pqr4\n"
            for job in range(jobs)
        )


def write_pairs(path: Path, jobs: int) -> None:
    """A job file in which no participant is in two jobs."""
    with path.open("w", encoding="utf-8") as file:
        file.write("participant_1,participant_2,voice_connector_id\n")
        file.writelines(
            f"+1206{job:07},+1312{job:07},abcdef1ghij2klmno3pqr4\n" for job in range(jobs)
        )


def ours(command: list[str | Path], url: str, calls: int, folder: Path) -> Run:
    """`provisioner run`, all of it: ledger, limiter, result files, summary.

    Its seconds are from the first worker to the last outcome on disk, its latencies from a call's
    token to its durable outcome.
    """
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    write_jobs(folder / "jobs.csv", calls)
    options = f"--rate 100000 --concurrency {CALLERS} --no-preflight --quiet --json".split()
    files = ["jobs.csv", "--ledger", "ledger.db", "--out", "out", "--endpoint-url", url]
    cost = cost_of([*command, *files, *options], environment=ENVIRONMENT, folder=folder)
    summary = json.loads(cost.output)
    timing = summary["timing"]
    since = timing.get("since_token", timing["latency"])
    return Run(summary["counts"]["created"], timing["seconds"], since["p50"], since["p99"], cost)


def _python(name: str) -> Callable[[Path], list[str | Path]]:
    return lambda _: [sys.executable, PEERS / name]


def _provisioner(path: str) -> Callable[[Path], list[str | Path]]:
    def prepare(_: Path) -> list[str | Path]:
        command: list[str | Path] = [sys.executable, "-m", "provisioner", "run"]
        told = subprocess.run([*command, "--help"], capture_output=True, check=True)  # noqa: S603  # ourselves
        if b"--sdk-path" in told.stdout:
            return [*command, "--sdk-path", path]
        if path == "stock":
            return command
        raise FailedError("this version has no --sdk-path")

    return prepare


def _javascript(folder: Path) -> list[str | Path]:
    node, npm = shutil.which("node"), shutil.which("npm")
    if node is None or npm is None:
        raise FailedError("no node and npm here")
    shutil.copy(PEERS / "javascript.mjs", folder)
    install = [npm, "install", "--no-audit", "--no-fund", "--prefix", str(folder)]
    _built([*install, "@aws-sdk/client-chime-sdk-voice"], {})
    return [node, folder / "javascript.mjs"]


def _go(folder: Path) -> list[str | Path]:
    go = shutil.which("go")
    if go is None or not (_GO_PATH / "src/github.com/aws/aws-sdk-go-v2").exists():
        raise FailedError("no golang-go and golang-github-aws-aws-sdk-go-v2-dev here")
    source = str(PEERS / "golang/main.go")
    way = {"GO111MODULE": "off", "GOPATH": str(_GO_PATH)}
    _built([go, "build", "-o", str(folder / "go-peer"), source], way)
    return [folder / "go-peer"]


def _built(command: list[str], environment: dict[str, str]) -> None:
    done = subprocess.run(  # noqa: S603  # go or npm
        command, env=os.environ | environment, capture_output=True, check=False
    )
    if done.returncode:
        raise FailedError(f"cannot be built: {done.stderr.decode()[-300:].strip()}")


CONTENDERS = (
    Contender("provisioner", 24_000, _provisioner("lean")),
    Contender("provisioner, stock SDK path", 5_000, _provisioner("stock")),
    Contender("aioboto3, a plain loop", 6_000, _python("aioboto3_loop.py")),
    Contender("boto3, 64 threads", 4_000, _python("boto3_threads.py")),
    Contender("AWS SDK for JavaScript v3", 9_000, _javascript),
    Contender("AWS SDK for Go v2", 50_000, _go),
    Contender("bare aiohttp POST, unsigned", 60_000, _python("bare_post.py")),
)
