"""One run of a campaign, wired from end to end."""

from __future__ import annotations

from collections.abc import Awaitable
from pathlib import Path
from typing import TypeVar

import anyio
import msgspec

from provisioner import defaults
from provisioner.audit import Auditor
from provisioner.campaign import conclude, enrol, out_folder, requeue
from provisioner.clock import SystemClock
from provisioner.engine import Engine
from provisioner.errors import (
    ConfigurationError,
    ConnectorError,
    CredentialsError,
    ExitCode,
    ProvisionerError,
    ServiceError,
    ungrouped,
)
from provisioner.events import EventSink, RunFinished, RunStarted
from provisioner.intake import ProblemSink
from provisioner.job import JobState, Outcome
from provisioner.ledger import GroupCommitLedger, LedgerSettlement, SqliteLedger, ledger_path
from provisioner.ports import Clock, Gateway
from provisioner.quotas import keep_rate
from provisioner.record import CampaignRecord
from provisioner.report import RunTally, Summary, ensure_writable
from provisioner.settings import Settings
from provisioner.settler import Settler
from provisioner.steering import obey, order_file
from provisioner.stopping import HaltWatch, Stop
from provisioner.subscribers import each_of
from provisioner.timekeeping import Timekeeper
from provisioner.widening import Widening
from provisioner.window import DeadlineWatch, deadline_watch
from provisioner.wiring import open_lane, refuse_haste, settle_policy, settling

T = TypeVar("T")


class Result(msgspec.Struct, frozen=True, kw_only=True):
    """What a run came to. `error` is what stopped it, if it was not asked to stop."""

    exit_code: ExitCode
    summary: Summary
    out: Path
    error: ProvisionerError | None = None


async def provision(
    settings: Settings,
    *,
    on_event: EventSink | None = None,
    on_problem: ProblemSink | None = None,
    stop: anyio.Event | None = None,
    tally: RunTally | None = None,
) -> Result:
    """Run one campaign: record its job file, provision what is pending, write the results.

    `on_problem` hears every problem of the job file. Setting `stop` drains: no call starts any
    more, those in flight finish and are recorded. Whatever ends a run, the same call resumes it.
    `tally` is where to fold the run's events, for callers that want to look at it meanwhile; it
    gets each before `on_event` does. What `on_event` raises is logged once and ends nothing.

    Raises:
        InputMissingError, InputRefusedError: nothing was sent.
        TooManyRowsError: an InputRefusedError; nothing new was recorded, either.
        CannotWriteError: the ledger or the results; what was recorded is safe.
        LedgerLockedError: another process is running on the ledger.
        StoppedError: `stop` was set while a job file was being recorded; nothing of it was.
        ConfigurationError, UsageError: settings that cannot be used.
    """
    refuse_haste(settings)
    tally = tally or RunTally()
    stop = stop or anyio.Event()
    ending = Stop(stop)
    deadline = deadline_watch(settings, tally, ending, SystemClock().time())
    halt = HaltWatch(settings.halt, ending) if settings.halt else None
    emit = each_of(tally, on_event, halt, deadline)
    with SqliteLedger(ledger_path(settings.ledger)) as core:
        campaign = await anyio.to_thread.run_sync(
            enrol, core, settings, on_problem or _ignore, stop.is_set
        )
        await _ready(core, campaign, settings, emit)
        run = _Run(settings, campaign, tally, emit, ending)
        error = await _watched(run.send(core), ending, deadline)
        summary = await anyio.to_thread.run_sync(conclude, core, campaign, settings, tally, error)
    return Result(
        exit_code=ExitCode(summary.exit_code),
        summary=summary,
        out=out_folder(settings, campaign.name),
        error=error,
    )


async def _ready(
    core: SqliteLedger, campaign: CampaignRecord, settings: Settings, emit: EventSink
) -> None:
    """Choose the campaign, its failed rows pending again if they are to be sent again."""
    unmatched = await anyio.to_thread.run_sync(requeue, core, campaign, settings)
    if unmatched is not None:
        emit(unmatched)
    core.select(campaign.id)
    ensure_writable(out_folder(settings, campaign.name))


async def _watched(work: Awaitable[T], ending: Stop, deadline: DeadlineWatch | None) -> T:
    """Do the work beside those who may end it early."""
    with ungrouped():
        async with anyio.create_task_group() as watches:
            watches.start_soon(ending.listen)
            if deadline is not None:
                watches.start_soon(deadline.keep, SystemClock())
            done = await work
            watches.cancel_scope.cancel()
    return done


class _Run:
    """The part of a run that talks to the service."""

    def __init__(
        self,
        settings: Settings,
        campaign: CampaignRecord,
        tally: RunTally,
        emit: EventSink,
        stop: Stop,
    ) -> None:
        self._settings = settings
        self._campaign = campaign
        self._tally = tally
        self._emit = emit
        self._stop = stop
        self._clock: Clock = SystemClock()
        self._orders = order_file(ledger_path(settings.ledger))

    async def send(self, core: SqliteLedger) -> ProvisionerError | None:
        """Provision what is pending; the error that stopped it, if one did."""
        error: ProvisionerError | None = None
        self._connectors = core.pending_connectors(self._campaign)
        self._rates = core.reader().rates()
        async with GroupCommitLedger(core) as ledger:
            counts = await ledger.counts()
            self._emit(self._started(counts))
            if self._has_work(counts):
                try:
                    error = await self._provision(ledger)
                except (ServiceError, CredentialsError) as refused:
                    error = refused
            counts = await ledger.counts()
        self._emit(RunFinished(campaign=self._campaign.name, counts=counts, at=self._clock.time()))
        return error or self._stop.error

    def _has_work(self, counts: dict[JobState, int]) -> bool:
        ambiguous = self._settings.reconcile and counts.get(JobState.AMBIGUOUS)
        return bool(counts.get(JobState.PENDING) or ambiguous)

    async def _provision(self, ledger: GroupCommitLedger) -> ProvisionerError | None:
        async with open_lane(self._settings, self._clock, self._emit, self._rates) as lane:
            engine = Engine(ledger, lane, self._clock, self._emit)
            settlement, policy = LedgerSettlement(ledger), settle_policy(self._settings)
            desk = settling(settlement, lane, self._clock, policy, self._emit)
            with ungrouped():
                async with anyio.create_task_group() as tasks:
                    self._drain_when_told(engine)
                    timekeeper = Timekeeper(self._settings, lane.limiter, self._stop, self._clock)
                    tasks.start_soon(timekeeper.keep)
                    widening = Widening(engine, lane, self._tally, self._emit)
                    tasks.start_soon(widening.keep, self._clock)
                    tasks.start_soon(obey, self._orders, lane.limiter, self._clock)
                    await self._unless_told(self._check_connectors(lane.gateway, engine))
                    outcome = await self._work(engine, *desk)
                    tasks.cancel_scope.cancel()
            await keep_rate(ledger, lane, self._clock, self._emit)
            return _stopped_by(outcome) or _lacking(engine.unusable)

    async def _work(self, engine: Engine, settler: Settler, auditor: Auditor) -> Outcome | None:
        """Send and settle side by side, then audit; why the lane stopped, if it did."""
        async with anyio.create_task_group() as tasks:
            if self._settings.reconcile:
                tasks.start_soon(self._attend, settler)
            outcome = await self._send_all(engine, settler)
            tasks.cancel_scope.cancel()
        if outcome is None and self._settings.audit and not self._stop.is_set():
            await self._unless_told(auditor.audit())
        return outcome

    async def _attend(self, settler: Settler) -> None:
        await self._unless_told(settler.attend())

    async def _send_all(self, engine: Engine, settler: Settler) -> Outcome | None:
        """Until nothing is left to send, nor can come back from settling."""
        while True:
            outcome = await engine.run(self._settings.limit)
            if outcome is not None or self._stop.is_set() or not self._settings.reconcile:
                return outcome
            if not await self._unless_told(settler.settle()):
                return None

    def _drain_when_told(self, engine: Engine) -> None:
        self._stop.heeded_by(lambda: engine.drain(self._stop.reason))

    async def _unless_told(self, work: Awaitable[T]) -> T | None:
        """Do what may be dropped at any moment; None if it was."""
        done = None
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(self._cancel_when_told, tasks.cancel_scope)
            done = await work
            tasks.cancel_scope.cancel()
        return done

    async def _cancel_when_told(self, scope: anyio.CancelScope) -> None:
        await self._stop.wait()
        scope.cancel()

    async def _check_connectors(self, gateway: Gateway, engine: Engine) -> None:
        """Set aside the connectors that cannot be used, unless that is all of them."""
        refused: dict[str, ConnectorError] = {}
        for connector in self._connectors if self._settings.preflight else ():
            try:
                await gateway.connector_proxy(connector)
            except ConnectorError as error:
                refused[connector] = error
        if refused and len(refused) == len(self._connectors):
            raise next(iter(refused.values()))
        for connector, why in refused.items():
            engine.set_aside(connector, str(why))

    def _started(self, counts: dict[JobState, int]) -> RunStarted:
        return RunStarted(
            campaign=self._campaign.name,
            counts=counts,
            rate=self._settings.pace.rate,
            concurrency=self._settings.service.connections or defaults.CONNECTIONS,
            at=self._clock.time(),
        )


def _stopped_by(outcome: Outcome | None) -> ProvisionerError | None:
    if outcome is None:
        return None
    if outcome.fatal_exit == ExitCode.CREDENTIALS:
        return CredentialsError(
            f"the service refused the credentials: {outcome.said}",
            hint="mend them and run the same command again: the rest is pending",
        )
    if outcome.fatal_exit == ExitCode.CONFIGURATION:
        return ConfigurationError(
            f"the service throttled whatever was sent: {outcome.said}",
            hint="lower --rate, or ask AWS for a higher quota, and run the same command again: "
            "the rest is pending; does another program use the same account and region?",
        )
    return ServiceError(
        f"the service cannot be used: {outcome.said}",
        hint="run the same command again when it is mended: the rest is pending",
    )


def _lacking(unusable: dict[str, str]) -> ConnectorError | None:
    if not unusable:
        return None
    told = "; ".join(f"{connector} ({why})" for connector, why in unusable.items())
    return ConnectorError(
        f"voice connectors that cannot be used: {told}",
        hint="their rows are pending: run the same command again when they are mended",
    )


def _ignore(_: object) -> None:
    pass
