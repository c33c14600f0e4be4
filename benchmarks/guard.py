"""Is the working tree slower than a base commit? For use before a merge.

    make bench-guard BASE=main
    python -m benchmarks.guard --base HEAD~3 --rounds 9 --calls 8000

The base is checked out into a folder of its own and both run with this environment's packages,
by turns, against one constant server, after a warm-up. The figure that decides is the CPU of the
whole process, which a busy machine disturbs least. The verdict compares the two of each round:
slower when the median of their ratios is above the tolerance and at least four rounds in five
agree.
"""

from __future__ import annotations

import argparse
import shutil
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from benchmarks.contenders import ROOT, Run, ours
from benchmarks.server import constant_server

_AGREE = 0.8


class Pair(NamedTuple):
    """One round: the base and the tree."""

    base: Run
    tree: Run

    def cpu(self) -> float:
        """The tree's CPU over the base's."""
        return self.tree.cost.cpu / self.base.cost.cpu

    def rate(self) -> float:
        """The tree's calls/s over the base's."""
        return self.base.seconds / self.tree.seconds


@contextmanager
def checked_out(base: str, folder: Path) -> Iterator[Path]:
    """A commit in a folder of its own for the length of the block."""
    tree = folder / "base"
    git = shutil.which("git") or "git"
    add = [git, "-C", str(ROOT), "worktree", "add", "--quiet", "--detach", str(tree), base]
    subprocess.run(add, check=True)  # noqa: S603  # git
    try:
        yield tree
    finally:
        remove = [git, "-C", str(ROOT), "worktree", "remove", "--force", str(tree)]
        subprocess.run(remove, check=True)  # noqa: S603  # git


def rounds(folder: Path, base: str, number: int, calls: int) -> Iterator[Pair]:
    """Both by turns, the first of a round being the second of the next; one round of warm-up."""
    with checked_out(base, folder) as old, constant_server(folder) as server:
        for turn in range(number + 1):
            order = (old, ROOT) if turn % 2 else (ROOT, old)
            runs = {tree: _run(tree, server.url, calls, folder / "run") for tree in order}
            if turn:
                yield Pair(runs[old], runs[ROOT])


def _run(tree: Path, url: str, calls: int, folder: Path) -> Run:
    start = (
        f"import sys; sys.path.insert(0, {str(tree)!r}); from provisioner.cli import main; main()"
    )
    return ours([sys.executable, "-c", start, "run"], url, calls, folder)


def judge(ratios: Sequence[float], tolerance: float) -> str:
    """`slower`, `faster` or `no difference`, of ratios of cost."""
    median = statistics.median(ratios)
    agree = len(ratios) * _AGREE
    if median > 1 + tolerance and sum(ratio > 1 for ratio in ratios) >= agree:
        return "slower"
    if median < 1 - tolerance and sum(ratio < 1 for ratio in ratios) >= agree:
        return "faster"
    return "no difference"


def main() -> int:
    """1 when the tree is slower."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--base", default="main", help="a commit")
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--calls", type=int, default=6000)
    parser.add_argument("--tolerance", type=float, default=0.03, help="a share of the CPU")
    options = parser.parse_args()
    pairs: list[Pair] = []
    with tempfile.TemporaryDirectory(prefix="provisioner-guard-") as folder:
        for pair in rounds(Path(folder), options.base, options.rounds, options.calls):
            pairs.append(pair)
            print(
                f"round {len(pairs)}: CPU {pair.cpu():.3f}, calls/s {pair.rate():.3f} of the base's"
            )
    ratios = [pair.cpu() for pair in pairs]
    verdict = judge(ratios, options.tolerance)
    print(
        f"{verdict}: CPU {statistics.median(ratios):.3f} of {options.base}'s "
        f"({min(ratios):.3f}-{max(ratios):.3f}), "
        f"calls/s {statistics.median(pair.rate() for pair in pairs):.3f}"
    )
    return int(verdict == "slower")


if __name__ == "__main__":
    sys.exit(main())
