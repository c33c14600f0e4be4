"""One night: processes come and go on one ledger until the campaign is finished."""

from __future__ import annotations

import asyncio
import hashlib
import tempfile
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import cache
from pathlib import Path
from random import Random

import msgspec

from provisioner import engine as engines
from provisioner.clock import VirtualClock
from provisioner.emulator.emulator import Emulator
from provisioner.emulator.faults import FaultKind
from provisioner.emulator.refusal import Refusal
from provisioner.errors import CannotWriteError, LedgerLockedError
from provisioner.job import JobState
from provisioner.ledger import SqliteLedger, open_reader
from provisioner.session import session_name
from tests.simulation.checker import Evidence, misled, violations
from tests.simulation.meddling import Meddling
from tests.simulation.process import CAMPAIGN, Process
from tests.simulation.result_files import read_results
from tests.simulation.safeguards import Safeguards
from tests.simulation.scenario import LONGEST_DELAY, STOLEN_FOR, Life, Scenario
from tests.simulation.wire import Wire

CALM_LIVES = 6
YESTERDAY = 7200.0
"""Seconds before the night, far more than clocks differ."""
LONGEST_NIGHT = 40 * 86_400.0
"""Virtual seconds: many times the longest nights that end by themselves."""
UNFINISHED = (JobState.PENDING, JobState.IN_FLIGHT, JobState.AMBIGUOUS)


class Night(msgspec.Struct, kw_only=True):
    """What a night came to; `steps` are those of each life."""

    seed: int
    violations: list[str]
    calls: int
    crashes: int
    lives: int
    ambiguous: int
    settled_beside: int
    rows: Counter[str]
    faults: Counter[str]
    steps: list[int]
    trace: list[tuple[object, ...]]

    @property
    def digest(self) -> str:
        """Tells two nights apart that differ in anything at all."""
        return hashlib.sha256(repr(self.trace).encode()).hexdigest()


def simulate(scenario: Scenario, safeguards: Safeguards | None = None) -> Night:
    """Run a night and judge it."""
    with tempfile.TemporaryDirectory(dir=_memory()) as folder, _few_put_off():
        world = _World(scenario, safeguards or Safeguards(), Path(folder))
        return world.run()


@contextmanager
def _few_put_off() -> Iterator[None]:
    """A night has few jobs: only in the thousands of a real run do many wait to be retried."""
    many, engines._MOST_PUT_OFF = engines._MOST_PUT_OFF, 4
    try:
        yield
    finally:
        engines._MOST_PUT_OFF = many


@cache
def _memory() -> str | None:
    """A folder that is no disk, where there is one."""
    return "/dev/shm" if Path("/dev/shm").is_dir() else None  # noqa: S108  # only for speed


@cache
def _empty_ledger() -> bytes:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "ledger.db"
        with SqliteLedger(path):
            pass
        return path.read_bytes()


def _of_yesterday(scenario: Scenario, emulator: Emulator, now: float) -> Iterator[str]:
    """Sessions that an earlier night has left under the Names of this one's."""
    random = Random(scenario.seed)
    for row in scenario.rows:
        if row.request is None or random.random() >= scenario.yesterday:
            continue
        name = row.request.name or session_name(CAMPAIGN, row.key)
        request = msgspec.structs.replace(row.request, name=name)
        with suppress(Refusal):
            parameters = msgspec.to_builtins(request)
            emulator.service.call("CreateProxySession", parameters, now - YESTERDAY)
            yield next(reversed(emulator.service._sessions))


class _World:
    def __init__(self, scenario: Scenario, safeguards: Safeguards, folder: Path) -> None:
        self._scenario = scenario
        self._safeguards = safeguards
        self._clock = VirtualClock()
        self._emulator = Emulator(scenario.emulator)
        self._before = frozenset(_of_yesterday(scenario, self._emulator, self._clock.time()))
        self._wire = Wire(scenario, self._clock, self._emulator)
        self._ledger = folder / "ledger-0.db"
        self._ledger.write_bytes(_empty_ledger())
        self._out = folder / "out"
        self._processes: list[Process] = []
        self._last: Process
        self._seconds: set[asyncio.Task[None]] = set()
        self._losses = 0
        self._to_adopt = False
        self._forgotten: frozenset[str] = frozenset()
        self._troubles: list[str] = []
        self._endless: list[str] = []

    def run(self) -> Night:
        self._clock.run(self._bounded_night())
        evidence = self._evidence()
        return Night(
            seed=self._scenario.seed,
            violations=self._endless + violations(evidence) + self._troubles,
            calls=len(self._wire.calls),
            crashes=sum(process.crashed for process in self._processes),
            lives=len(self._processes),
            ambiguous=self._calls_in_doubt(),
            settled_beside=sum(process.settled_beside for process in self._processes),
            rows=Counter(row.file for row in evidence.results.rows),
            faults=self._faults(),
            steps=[process.steps for process in self._processes],
            trace=self._wire.trace,
        )

    def _evidence(self) -> Evidence:
        return Evidence(
            scenario=self._scenario,
            emulator=self._emulator,
            wire=self._wire,
            processes=self._processes,
            results=read_results(self._out),
            forgotten=self._forgotten,
            before=self._before,
        )

    async def _bounded_night(self) -> None:
        """To its end, or until there is too much of it: that nothing ends is a broken promise."""
        loop = asyncio.get_running_loop()
        self._wire.too_much = loop.create_future()
        loop.call_later(LONGEST_NIGHT, self._wire.is_too_much, f"{LONGEST_NIGHT:.0f} seconds")
        night = loop.create_task(self._night())
        await asyncio.wait({night, self._wire.too_much}, return_when=asyncio.FIRST_COMPLETED)
        if night.done():
            night.result()
            return
        self._endless.append(f"endless: not over after {self._wire.too_much.result()}")
        for process in self._processes:
            process.alive, process.reaped = False, True
        night.cancel()

    async def _night(self) -> None:
        loop = asyncio.get_running_loop()
        for at, quota in self._scenario.quotas:
            loop.call_later(at, self._emulator.service.change_quota, quota)
        for life in [*self._scenario.lives, *[Life(pause=400.0, morning=True)] * CALM_LIVES]:
            await self._clock.sleep(life.pause)
            calm = life.morning
            if calm:
                self._wire.calm_down()
            await self._live(life)
            if calm and self._is_finished():
                break
        # What is still on the wire arrives before anybody judges.
        await self._clock.sleep(2 * LONGEST_DELAY)
        if any(process.stolen for process in self._processes):
            await self._clock.sleep(2 * STOLEN_FOR)
        for process in self._processes:
            process.reaped = True

    def _lose_the_ledger(self) -> None:
        """Nothing is left of it; what has closed at the service by now is forgotten for good."""
        self._losses += 1
        self._to_adopt = True
        self._ledger = self._ledger.with_name(f"anew-{self._losses}.db")
        self._ledger.write_bytes(_empty_ledger())

    async def _live(self, life: Life) -> None:
        if life.lost:
            self._lose_the_ledger()
        meddling = Meddling(self._ledger) if life.meddled and not self._has_company() else None
        process = self._process(life)
        process.adopts = self._to_adopt
        process.start_second = lambda: self._start_second(process)
        if meddling is not None:
            process.meddled = meddling.set_back()
        await self._until_over(process)
        if self._seconds:
            await asyncio.wait(self._seconds)
        self._ledger = process.path
        if meddling is not None:
            meddling.undo(self._ledger)
        self._last = process
        self._to_adopt = self._to_adopt and not process.adopted
        self._forgotten |= process.too_late_to_adopt
        if process.ended and not (self._to_adopt or self._may_refuse(process)):
            self._troubles += misled(self._evidence())

    def _process(self, life: Life) -> Process:
        """One more on the ledger."""
        process = Process(
            self._scenario, life, self._wire, self._ledger, self._out, len(self._processes)
        )
        process.ledger = self._losses
        process.has_company = self._has_company()
        self._processes.append(process)
        return process

    def _start_second(self, first: Process) -> None:
        """Another on the ledger that the first one holds, or has just let go of."""
        second = self._process(Life(extended=first.life.extended))
        second.first = first
        self._seconds.add(asyncio.get_running_loop().create_task(self._until_over(second)))

    async def _until_over(self, process: Process) -> None:
        try:
            await process.live(self._safeguards)
        except LedgerLockedError as error:
            if process.first is None:
                self._troubles.append(f"raised: life {process.number}: {error}")
            process.turned_away += 1
            process.alive = False
        except Exception as error:  # noqa: BLE001  # whatever a process raises is for the record
            if not (self._may_refuse(process) and isinstance(error, CannotWriteError)):
                what = f"{type(error).__name__}: {error}"
                self._troubles.append(f"raised: life {process.number}: {what}")
            process.alive = False
            process.bury()

    def _may_refuse(self, process: Process) -> bool:
        """Whether the database has reason to: another had its way, somebody meddled, no space."""
        return bool(
            process.has_company or self._has_company() or process.meddled or process.refused_by_disk
        )

    def _has_company(self) -> bool:
        """Whether a process that was taken for dead still lives."""
        return any(process.stolen and not process.over for process in self._processes)

    def _is_finished(self) -> bool:
        counts = self._last.counts
        return not any(counts.get(state) for state in UNFINISHED)

    def _calls_in_doubt(self) -> int:
        for process in self._processes:
            process.bury()
        with open_reader(self._ledger) as reader:
            campaign = reader.campaign(CAMPAIGN)
            return reader.calls(campaign.id).ambiguous if campaign else 0

    def _faults(self) -> Counter[str]:
        faults = Counter({kind.value: n for kind, n in self._emulator.tally.faults.items()})
        faults["throttled by quota"] = (
            self._emulator.tally.statuses[429] - faults[FaultKind.THROTTLE.value]
        )
        faults["stale listing"] = self._wire.stale
        faults["missed by a listing"] = len(self._wire.missed)
        faults["session of yesterday"] = len(self._before)
        faults["ledger lost"] = self._losses
        for process in self._processes:
            faults["frozen"] += process.frozen
            faults["clock jumped"] += process.jumped
            faults["taken for dead"] += process.stolen
            faults["drained"] += process.drained
            faults["second instance turned away"] += process.turned_away
            faults["disk full"] += bool(process.refused_by_disk)
            faults["rows set back by hand"] += process.meddled
        for call in self._wire.calls:
            faults["late on the wire"] += call.was_held_up
            faults["never arrived"] += call.arrived_at is None
        return +faults
