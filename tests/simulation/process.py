"""A process under test: behind its ports it may freeze, jump in time, or die."""

from __future__ import annotations

import asyncio
import shutil
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import anyio

from provisioner.clock import VirtualClock
from provisioner.errors import CannotWriteError
from provisioner.intake import IntakePolicy, admit
from provisioner.job import JobState
from provisioner.ledger import SqliteLedger
from provisioner.record import CampaignRecord, NewCampaign
from provisioner.stopping import Stop
from tests.simulation.assembly import SimulatedRun
from tests.simulation.rows import RowsInMemory
from tests.simulation.safeguards import Safeguards
from tests.simulation.scenario import STOLEN_FOR, Life, Scenario
from tests.simulation.wire import Call, Wire

CAMPAIGN = "night"


class Process:
    """One life on a ledger file. `steps` counts the crossings of ports so far."""

    def __init__(
        self, scenario: Scenario, life: Life, wire: Wire, ledger: Path, out: Path, number: int
    ) -> None:
        self.scenario = scenario
        self.life = life
        self.wire = wire
        self.path = ledger
        self.out = out
        self.number = number
        self.steps = 0
        self.alive = True
        self.reaped = False
        self.skew = 0.0
        self.clock = ProcessClock(self, wire.clock)
        self.counts: dict[JobState, int] = {}
        self.on_wire: set[Call] = set()
        self.frozen = self.jumped = self.drained = self.settled_beside = 0
        self.turned_away = self.meddled = self.refused_by_disk = 0
        self.first: Process | None = None
        self.ended = self.stolen = self.crashed = self.has_company = False
        self.unrecorded: list[Call] = []
        self.reported: set[str] = set()
        self.told: frozenset[str] = frozenset()
        self.audited = False
        self.ledger = 0
        self.adopts = self.adopted = False
        self.too_late_to_adopt: frozenset[str] = frozenset()
        self._frozen_until = 0.0
        self._freezes = dict(life.freezes)
        self._jumps = dict(life.jumps)
        self.safeguards = Safeguards()
        self._core: SqliteLedger | None = None
        self.start_second: Callable[[], None] = lambda: None

    async def live(self, safeguards: Safeguards) -> None:
        """Return when it has ended, is dead, or is taken for dead."""
        self.safeguards = safeguards
        self.death = asyncio.get_running_loop().create_future()
        # Kept for as long as the process is, or the loop forgets what only waits for ever.
        self._task = asyncio.get_running_loop().create_task(self._main_while_alive())
        await asyncio.wait({self._task, self.death}, return_when=asyncio.FIRST_COMPLETED)
        if self._task.done():
            self._task.result()
            return
        self._task.add_done_callback(_forgiven)
        if self.alive:
            self.path.with_name(self.path.name + ".lock").unlink()

    @property
    def over(self) -> bool:
        """Whether nothing more will come from it."""
        return not self.alive or self._task.done()

    def bury(self) -> None:
        """Let go of the files it held."""
        if self._core is not None:
            self._reader.close()
            self._core.__exit__(None, None, None)
            self._core = None

    def cross(self, port: str, *facts: object) -> None:
        """A port is crossed: the moment at which things happen to a process."""
        if not self.alive:
            return
        self.steps += 1
        self.wire.note(self.number, self.steps, port, *facts)
        if self.steps in self._jumps:
            self.jumped += 1
            self.skew = self._jumps[self.steps]
        if self.steps in self._freezes:
            self.frozen += 1
            self._freeze(self._freezes[self.steps])
        if self.steps == self.life.second_at and self.life.stolen_at is None:
            self.start_second()
        if self._is_stolen(port):
            self.stolen = True
            self._freeze(STOLEN_FOR)
            self.death.set_result(None)
        elif self.steps == self.life.crash_at and not self.stolen:
            self._die()

    @contextmanager
    def disk(self) -> Iterator[None]:
        """Where it is written to; when it is full, what failed may all the same be on it."""
        at = self.life.full_at
        # One that only ends with the night writes no more.
        full = self.alive and not self.reaped and at is not None and self.steps >= at
        if not full or self.steps % 2:
            yield
        if full:
            self.refused_by_disk += 1
            raise CannotWriteError("the disk is full", hint="")

    def _freeze(self, seconds: float) -> None:
        self._frozen_until = max(self._frozen_until, self.wire.clock.now + seconds)

    def _is_stolen(self, port: str) -> bool:
        at = self.life.stolen_at
        return at is not None and not self.stolen and self.steps >= at and port == "opened"

    async def step(self, port: str, *facts: object) -> None:
        """Cross a port; return once alive and awake, or never."""
        self.cross(port, *facts)
        await self.awake()

    async def awake(self) -> None:
        """Stand still while frozen, and for ever when dead."""
        while self.alive and self.wire.clock.now < self._frozen_until:
            await self.wire.clock.sleep(self._frozen_until - self.wire.clock.now)
        if self.reaped:
            raise asyncio.CancelledError
        if not self.alive:
            await asyncio.get_running_loop().create_future()

    def _die(self) -> None:
        """At once: the ledger's bytes as they are now are all that is left."""
        self.alive, self.crashed = False, True
        self.death.set_result(None)
        for call in sorted(self.on_wire, key=lambda call: call.left_at):
            self.wire.orphan(call)
        if self.has_company:
            # Another lives on this very file, which a copy would part it from.
            if self._core is not None:
                self._core._lock._release()
            return
        grave = self.path.with_name(f"ledger-{self.number + 1}.db")
        for suffix in ("", "-wal"):
            if (file := Path(f"{self.path}{suffix}")).exists():
                shutil.copyfile(file, f"{grave}{suffix}")
        self.path = grave

    async def _main_while_alive(self) -> None:
        """What a dead process would raise when the night is swept up is nobody's affair."""
        try:
            await self._main()
        except Exception:
            if self.alive and not self.reaped:
                raise

    async def _main(self) -> None:
        await self.step("start")
        core = self.safeguards.core(self.path, self.clock.time)
        core.__enter__()
        self._reader = sqlite3.connect(self.path, isolation_level=None)
        self._core = core
        await self.step("recovered")
        self.campaign = self._enrol(core)
        await self.step("enrolled")
        run = await self._provision(core)
        self.counts = core.counts()
        run.conclude()
        self.bury()
        self.ended = True

    def _enrol(self, core: SqliteLedger) -> CampaignRecord:
        rows = self.scenario.rows
        if not self.life.extended:
            rows = rows[: self.scenario.first_rows]
        source = RowsInMemory(rows)
        campaign = NewCampaign(
            name=CAMPAIGN, input_name=source.name, input_sha256=source.sha256, defaults="{}"
        )
        policy = IntakePolicy(skip_invalid=True, extend=True)
        record = admit(core, source, campaign, policy, lambda _: None)
        if self.life.retry_failed:
            core.requeue_failed(record.id, "*")
        core.select(record.id)
        return record

    async def _provision(self, core: SqliteLedger) -> SimulatedRun:
        self._stop = Stop(anyio.Event())
        if self.life.drain_at is not None:
            asyncio.get_running_loop().call_later(self.life.drain_at, self._signal)
        run = SimulatedRun(self, core, self._stop)
        await run.provision()
        return run

    def forget_what_has_closed(self) -> None:
        """Sessions that have ended are not adopted: their rows are sent again."""
        service = self.wire.emulator.service
        service.advance(self.wire.clock.time())
        ended = (record.id for record in service.records() if record.ended_at is not None)
        self.too_late_to_adopt |= frozenset(ended)

    def _signal(self) -> None:
        if self.alive and not self.ended:
            self.drained += 1
            self.wire.note(self.number, "signal")
            self._stop.now("asked to stop")

    def has_intent(self, call: Call) -> bool:
        """Whether the ledger's file says, to a stranger, that this call is about to be made."""
        if call.intent is None:
            return False
        found = self._reader.execute(
            "SELECT state FROM attempts WHERE id = ? AND job_id = ?",
            (call.intent.attempt_id, call.intent.job_id),
        ).fetchone()
        # Whoever takes a process for dead declares its open attempts unknown.
        return found is not None and (found[0] == "open" or self.stolen)


class ProcessClock:
    """A process' view of time: its wall clock may be wrong, its sleep may be cut by a freeze."""

    def __init__(self, process: Process, clock: VirtualClock) -> None:
        self._process = process
        self._clock = clock

    def time(self) -> float:
        """As the machine's clock shows it."""
        return self._clock.time() + self._process.skew

    def monotonic(self) -> float:
        """True seconds."""
        return self._clock.now

    async def sleep(self, seconds: float) -> None:
        """At least so long."""
        await self._clock.sleep(seconds)
        await self._process.awake()


def _forgiven(task: asyncio.Task[None]) -> None:
    """What a process meets whose ledger has moved on is its own affair."""
    if not task.cancelled():
        task.exception()
