"""A run without a wire, in virtual time: the same work at every run, for counting what it takes.

    python -m benchmarks.pipeline 400      400 jobs; prints how many were created

Job file, validation, ledger (a real file, a commit for each order), engine, limiter, summary and
result files are the product's; the service is the emulator's state machine behind the gateway
port. What an HTTP call costs is not in it.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path
from random import Random

from benchmarks.contenders import write_pairs
from provisioner.campaign import conclude, enrol
from provisioner.clock import VirtualClock
from provisioner.emulator.emulator import Emulator
from provisioner.emulator.faults import parse_faults
from provisioner.emulator.gateway import EmulatedGateway
from provisioner.emulator.settings import EmulatorSettings
from provisioner.engine import Engine
from provisioner.events import EventSink
from provisioner.gateway import BackoffPolicy
from provisioner.lane import Lane
from provisioner.ledger import ImmediateLedger, SqliteLedger
from provisioner.pacing import CircuitBreaker, build_limiter
from provisioner.report import RunTally, Summary
from provisioner.settings import InputSettings, PaceSettings, Settings

_CONNECTIONS = 16
_FAULTS = "throttle=1%,unavailable=1%,latency=50ms~30ms"


class Pipeline:
    """One campaign of `jobs` jobs in `folder`: a context manager, then `enrol`, `send`, `conclude`.

    1 % of the calls are throttled and 1 % find the service unavailable, always the same ones.
    """

    def __init__(self, folder: Path, jobs: int) -> None:
        write_pairs(folder / "jobs.csv", jobs)
        self._settings = Settings(
            input=InputSettings(path=str(folder / "jobs.csv")),
            pace=PaceSettings(rate=200.0),
            out=folder / "out",
        )
        self.clock = VirtualClock()
        self.core = SqliteLedger(folder / "ledger.db", self.clock.time)
        self.tally = RunTally()

    def enrol(self) -> None:
        """The job file into the ledger."""
        self.campaign = enrol(self.core, self._settings, lambda _: None)
        self.core.select(self.campaign.id)

    def send(self, emit: EventSink) -> None:
        """Every job to the service."""
        pace = self._settings.pace
        emulator = Emulator(EmulatorSettings(faults=parse_faults(_FAULTS)))
        lane = Lane(
            gateway=EmulatedGateway(emulator, self.clock),
            limiter=build_limiter(pace, self.clock, emit),
            breaker=CircuitBreaker(give_up=pace.give_up, budget=pace.retry_budget),
            retry=BackoffPolicy(pace.max_attempts, Random(1)),
            connections=_CONNECTIONS,
        )
        self.clock.run(Engine(ImmediateLedger(self.core), lane, self.clock, emit).run())

    def conclude(self) -> Summary:
        """The result files and the summary."""
        return conclude(self.core, self.campaign, self._settings, self.tally, None)


def run(jobs: int) -> int:
    """All of it; the rows created."""
    with tempfile.TemporaryDirectory() as folder:
        pipeline = Pipeline(Path(folder), jobs)
        with pipeline.core:
            pipeline.enrol()
            pipeline.send(pipeline.tally)
            return pipeline.conclude().counts["created"]


if __name__ == "__main__":
    print(run(int(sys.argv[1])))
