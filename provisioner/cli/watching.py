"""The body of `status --watch`: the ledger read again and again, by somebody who only looks."""

from __future__ import annotations

import sys
import time
from collections import defaultdict
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import Any

import msgspec

from provisioner.cli.records import choose
from provisioner.cli.speech import show
from provisioner.errors import ExitCode
from provisioner.job import JobState
from provisioner.ledger import ledger_path, open_reader
from provisioner.report.board import Board, Standing, Trend

ON_TERMINAL = 1.0
ELSEWHERE = 10.0
"""Seconds between two looks."""

_REST = 10
"""How much longer than a look the wait for the next is, at least: the run comes first."""


def watch(options: dict[str, Any]) -> int:
    """Show what there is until nothing is left to do, or Ctrl-C."""
    terminal = sys.stdout.isatty() and not options["json"]
    board: AbstractContextManager[Board | None] = Board(sys.stdout) if terminal else nullcontext()
    try:
        with board as drawn:
            tell = drawn.show if drawn else _as_json if options["json"] else _as_lines
            look = _Looker(ledger_path(options["ledger"]), options["campaign"])
            _watch(look, tell, ON_TERMINAL if drawn else ELSEWHERE)
    except KeyboardInterrupt:
        pass
    return ExitCode.OK


def _watch(
    look: Callable[[], list[Standing]], tell: Callable[[Sequence[Standing]], None], every: float
) -> None:
    while True:
        began = time.monotonic()
        standings = look()
        tell(standings)
        if not any(each.unsettled for each in standings):
            return
        time.sleep(max(every, _REST * (time.monotonic() - began)))


class _Looker:
    """The campaign asked for, or those with something left to do, or the last one.

    Each look is a reader of its own: one that stays open keeps the ledger from shrinking.
    """

    def __init__(self, ledger: Path, campaign: str | None) -> None:
        self._ledger = ledger
        self._campaign = campaign
        self._trends: defaultdict[str, Trend] = defaultdict(Trend)

    def __call__(self) -> list[Standing]:
        with open_reader(self._ledger) as reader:
            campaigns = reader.campaigns()
            if self._campaign is not None:
                campaigns = [choose(campaigns, self._campaign)]
            standings = [self._standing(each.name, reader.counts(each.id)) for each in campaigns]
        return [each for each in standings if each.unsettled] or standings[-1:]

    def _standing(self, name: str, counts: dict[JobState, int]) -> Standing:
        standing = Standing(campaign=name, counts=counts, pace=None)
        pace = self._trends[name](time.monotonic(), standing.total - standing.left)
        return msgspec.structs.replace(standing, pace=pace)


def _as_lines(standings: Sequence[Standing]) -> None:
    at = time.strftime("%H:%M:%S")
    for each in standings:
        show(f"{at} {each.campaign}  {each.progress()}  ({each.states()})")


def _as_json(standings: Sequence[Standing]) -> None:
    show(msgspec.json.encode({"at": time.time(), "campaigns": standings}))
