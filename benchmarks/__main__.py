"""Measure and write benchmarks/results/.

make bench                            all of it, about 20 minutes on two idle cores
make bench QUICK=1                    about 4
python -m benchmarks --only peers     one part: startup, peers, conditions, scaling
"""

from __future__ import annotations

import argparse
import re
import signal
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from benchmarks.compare import Comparison, compare
from benchmarks.conditions import conditions_page
from benchmarks.pages import comparison_head, comparison_page, comparison_picture
from benchmarks.scaling import Size, scaling_page
from benchmarks.startup import startup_page

_ROOT = Path(__file__).parents[1]
RESULTS = {False: _ROOT / "benchmarks/results", True: _ROOT / "out/benchmarks"}
"""Where results go, by whether they are quick ones."""

_TABLE = re.compile(r"(?<=<!-- make bench writes this -->\n).*?(?=<!-- so far -->)", re.DOTALL)


def startup(folder: Path, *, quick: bool) -> None:
    """The time until the first call."""
    page = startup_page(folder, rounds=5 if quick else 15)
    write_result("startup.md", page, quick=quick)


def peers(folder: Path, *, quick: bool) -> None:
    """Everybody's calls; written after every round."""

    def write(found: Comparison) -> None:
        write_result("peers.md", comparison_page(found), quick=quick)
        if any(line.samples for line in found.lines):
            write_result("peers.svg", comparison_picture(found), quick=quick)

    rounds, scale = (3, 0.25) if quick else (5, 1.0)
    found = compare(folder, rounds=rounds, scale=scale, told=write)
    if not quick:
        readme = _ROOT / "README.md"
        table = comparison_head(found)
        readme.write_text(_TABLE.sub(lambda _: table, readme.read_text("utf-8")), "utf-8")


def conditions(folder: Path, *, quick: bool) -> None:
    """Latency and a quota."""
    page = conditions_page(folder, seconds=1.5 if quick else 6.0)
    write_result("conditions.md", page, quick=quick)


def scaling(folder: Path, *, quick: bool) -> None:
    """Growing campaigns."""
    sizes = [Size(1_000, 1_000), Size(10_000, 10_000)]
    if not quick:
        sizes += [Size(100_000, 100_000), Size(1_000_000, 980_000)]
    else:
        sizes += [Size(100_000, 5_000)]
    write_result("scaling.md", scaling_page(folder, sizes=sizes), quick=quick)


def write_result(name: str, text: str, *, quick: bool) -> None:
    """One file of the results."""
    RESULTS[quick].mkdir(parents=True, exist_ok=True)
    (RESULTS[quick] / name).write_text(text, "utf-8")


PARTS: dict[str, Callable[..., None]] = {
    "startup": startup,
    "peers": peers,
    "conditions": conditions,
    "scaling": scaling,
}


def main() -> int:
    """Every part asked for, in a folder that is gone afterwards; 1 when one of them failed."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--quick", action="store_true", help="fewer and shorter rounds")
    parser.add_argument("--only", choices=PARTS, help="one part")
    options = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))  # so that servers end
    failed = 0
    for name in [options.only] if options.only else PARTS:
        began = time.monotonic()
        with tempfile.TemporaryDirectory(prefix="provisioner-bench-") as folder:
            try:
                PARTS[name](Path(folder), quick=options.quick)
            except Exception as error:  # noqa: BLE001  # the other parts still count
                failed = 1
                print(f"{name} failed: {error}", file=sys.stderr)
        print(f"{name}: {time.monotonic() - began:.0f} s", file=sys.stderr)
    return failed


if __name__ == "__main__":
    sys.exit(main())
