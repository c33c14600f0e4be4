"""As many nights as asked for, kept in a file, so that a long run may be cut short and go on."""

# ruff: noqa: T201  # what it finds goes to the terminal

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

import msgspec

from tests.simulation.catching import HEADER, Catch, as_row, catches
from tests.simulation.table import Totals, as_text, on_every_core

TO_GO_ON = 75
"""The exit code of a run that was cut short: the same command goes on where it was."""
COMMAND = "python -m tests.simulation"
BEGIN = "<!-- figures, by make simulate -->"
END = "<!-- end of figures -->"
TITLES = {
    "nights": "nights by seed",
    "every_step": "small nights, each cut at every step",
    "losses": "nights that lose their ledger",
}


ABLATED = """\
### Every safeguard is missed when it is gone

Each is taken away in turn, by wrapping a port. The first columns tell when the checker noticed, in
nights by seed; then, when it showed at the service, in its sessions or the calls that reach it.
"""


class Progress(msgspec.Struct, kw_only=True):
    """What is done so far, of which commit; `done` are seeds by kind of night."""

    commit: str
    done: dict[str, int] = msgspec.field(default_factory=dict)
    totals: dict[str, Totals] = msgspec.field(default_factory=dict)
    catches: list[Catch] = msgspec.field(default_factory=list)


class Campaign:
    """Nights up to a number of seeds for each kind, for at most `seconds` at once."""

    def __init__(self, wanted: dict[str, int], file: Path, seconds: float) -> None:
        self._wanted = wanted
        self._file = file
        self._until = time.monotonic() + seconds
        self._progress = _load(file)

    def run(self, *, ablations: bool) -> int:
        """Go on; 1 when a promise was broken or a safeguard's absence not noticed, 75 to go on."""
        whole = all(self._many(kind, seeds) for kind, seeds in self._wanted.items())
        whole = whole and (not ablations or self._ablate())
        print(self._text(), flush=True)
        return self._exit_code() if whole else TO_GO_ON

    def _many(self, kind: str, seeds: int) -> bool:
        """Whether all of them are done."""
        progress = self._progress
        totals = progress.totals.setdefault(kind, Totals())
        for done, part in on_every_core(kind, range(progress.done.get(kind, 0), seeds)):
            totals.merge(part)
            progress.done[kind] = done
            self._save()
            for replay, broken in part.broken:
                print(f"{COMMAND} {replay}\n    " + "\n    ".join(broken[:5]), file=sys.stderr)
            if time.monotonic() > self._until:
                return done >= seeds
        return True

    def _ablate(self) -> bool:
        known = {each.safeguard for each in self._progress.catches}
        for found in catches(known):
            self._progress.catches.append(found)
            self._save()
            if time.monotonic() > self._until:
                return False
        return True

    def _save(self) -> None:
        self._file.parent.mkdir(parents=True, exist_ok=True)
        self._file.write_bytes(msgspec.json.encode(self._progress))

    def _text(self) -> str:
        kinds = {TITLES[kind]: totals for kind, totals in self._progress.totals.items()}
        done = self._progress.done.items()
        seeds = "; ".join(f"{TITLES[kind]}, seeds 0 to {last - 1:,}" for kind, last in done)
        text = f"At commit {self._progress.commit}: {seeds}.\n\n{as_text(kinds)}\n"
        if self._progress.catches:
            text += "\n".join(["", ABLATED, HEADER, *map(as_row, self._progress.catches), ""])
        return text

    def publish(self, page: Path) -> None:
        """Put the figures between a page's marks."""
        before, _, rest = page.read_text("utf-8").partition(BEGIN)
        _, _, after = rest.partition(END)
        page.write_text(f"{before}{BEGIN}\n{self._text()}\n{END}{after}", "utf-8")

    def _exit_code(self) -> int:
        broken = any(totals.broken for totals in self._progress.totals.values())
        return int(broken or not all(each.caught for each in self._progress.catches))


def _load(file: Path) -> Progress:
    """What was done before, if it was of this commit."""
    commit = _commit()
    if file.exists():
        progress = msgspec.json.decode(file.read_bytes(), type=Progress)
        if progress.commit == commit:
            return progress
    return Progress(commit=commit)


def _commit() -> str:
    """The commit that is checked out; whether more was changed since."""
    command = ["git", "describe", "--always", "--dirty", "--abbrev=7"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    return done.stdout.strip() or "unknown"
