"""How many instructions a job takes, by valgrind's callgrind: a figure that knows no noise.

    python -m benchmarks.instructions              compare with benchmarks/expectations.json
    python -m benchmarks.instructions --update     expect what is found from now on

Counts `benchmarks.pipeline` with 40 and with 140 jobs and divides the difference, so that start-up
does not count. The figure belongs to one Python and processor; elsewhere compare two commits.
"""

from __future__ import annotations

import argparse
import platform
import re
import shutil
import subprocess
import sys
from pathlib import Path

import msgspec

from benchmarks.processes import FailedError

EXPECTATIONS = Path(__file__).parent / "expectations.json"
_TOLERANCE = 0.03
_FEW, _MANY = 40, 140
_COLLECTED = re.compile(r"Collected : (\d+)")


class Expected(msgspec.Struct, kw_only=True):
    """What a job takes, and where that was found."""

    instructions_per_job: int
    platform: str


def instructions_per_job(tree: Path) -> int:
    """Of the pipeline in a working tree.

    Raises:
        FailedError: there is no valgrind, or the pipeline fails.
    """
    _pipeline(tree, _FEW, [])  # so that everything is compiled
    few, many = (_instructions(tree, jobs) for jobs in (_FEW, _MANY))
    return (many - few) // (_MANY - _FEW)


def _instructions(tree: Path, jobs: int) -> int:
    valgrind = shutil.which("valgrind")
    if valgrind is None:
        raise FailedError("no valgrind here")
    said = _pipeline(tree, jobs, [valgrind, "--tool=callgrind", "--callgrind-out-file=/dev/null"])
    found = _COLLECTED.search(said)
    if found is None:
        raise FailedError(f"valgrind counted nothing: {said[-300:]}")
    return int(found[1])


def _pipeline(tree: Path, jobs: int, under: list[str]) -> str:
    """What it said on stderr."""
    done = subprocess.run(  # noqa: S603  # our own module
        [*under, sys.executable, "-m", "benchmarks.pipeline", str(jobs)],
        cwd=tree,
        env={"PYTHONHASHSEED": "0", "PYTHONPATH": str(tree)},
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise FailedError(f"the pipeline failed: {done.stderr[-300:]}")
    return done.stderr


def _here() -> str:
    return f"Python {platform.python_version()}, {platform.machine()}"


def main() -> int:
    """1 when a job takes more than was expected, beyond the tolerance."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--update", action="store_true", help="expect what is found")
    update = parser.parse_args().update
    try:
        found = instructions_per_job(Path.cwd())
    except FailedError as error:
        print(f"not counted: {error}")
        return 0
    if update:
        expected = Expected(instructions_per_job=found, platform=_here())
        EXPECTATIONS.write_bytes(msgspec.json.format(msgspec.json.encode(expected)) + b"\n")
        print(f"{found:,} instructions a job are expected from now on")
        return 0
    return _judge(found, msgspec.json.decode(EXPECTATIONS.read_bytes(), type=Expected))


def _judge(found: int, expected: Expected) -> int:
    change = found / expected.instructions_per_job - 1
    print(f"{found:,} instructions a job, {change:+.1%} against {expected.instructions_per_job:,}")
    if expected.platform != _here():
        print(f"expected on {expected.platform}, this is {_here()}: no verdict")
        return 0
    return int(change > _TOLERANCE)


if __name__ == "__main__":
    sys.exit(main())
