"""One run of a campaign, wired from end to end: read, record, provision, report."""

from __future__ import annotations

import time
from functools import partial
from pathlib import Path
from random import Random

import anyio
import msgspec

from provisioner.clock import SystemClock
from provisioner.engine import Engine, Lane
from provisioner.errors import (
    CredentialsError,
    ExitCode,
    InputRefusedError,
    ProvisionerError,
    ServiceError,
    UsageError,
    ungrouped,
)
from provisioner.events import Event, EventSink, RunFinished, RunStarted
from provisioner.gateway import BackoffPolicy, open_gateway
from provisioner.intake import IntakePolicy, ProblemSink, admit
from provisioner.job import JobState, Outcome, Problem
from provisioner.ledger import GroupCommitLedger, SqliteLedger, SqliteReader, ledger_path
from provisioner.pacing import build_limiter
from provisioner.ports import CampaignRecord, Clock, Gateway, NewCampaign, Source
from provisioner.report import (
    Causes,
    RunTally,
    Summary,
    ensure_writable,
    result_paths,
    summarize,
    summary_json,
    write_results,
    write_summary,
)
from provisioner.settings import Settings
from provisioner.source import open_source

_PREFLIGHT_ATTEMPTS = 4


class Result(msgspec.Struct, frozen=True, kw_only=True):
    """What a run came to. `error` is why the service stopped it, if it did."""

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
    gets each before `on_event` does.

    Raises:
        InputMissingError, InputRefusedError: nothing was sent.
        CannotWriteError: the ledger or the results; what was recorded is safe.
        LedgerLockedError: another process is running on the ledger.
        ConfigurationError, UsageError: settings that cannot be used.
    """
    tally = tally or RunTally()
    emit = _each(tally, on_event) if on_event else tally
    with SqliteLedger(ledger_path(settings.ledger)) as core:
        campaign = await anyio.to_thread.run_sync(_enrol, core, settings, on_problem or _ignore)
        core.select(campaign.id)
        ensure_writable(out_folder(settings, campaign.name))
        error = await _Run(settings, campaign, emit, stop or anyio.Event()).send(core)
        stopped = error.exit_code if error else None
        conclude = partial(_conclude, core, campaign, settings, tally, stopped)
        summary = await anyio.to_thread.run_sync(conclude)
    return Result(
        exit_code=ExitCode(summary.exit_code),
        summary=summary,
        out=out_folder(settings, campaign.name),
        error=error,
    )


def campaign_name(settings: Settings) -> str:
    """The campaign's name: `--campaign` with `{date}` and `{stem}` expanded, or the file's stem.

    Raises:
        UsageError: a name that could not be a folder's.
    """
    stem = "stdin"
    if settings.input is not None and settings.input.path != "-":
        stem = Path(settings.input.path).stem
    name = settings.campaign or stem
    name = name.replace("{stem}", stem).replace("{date}", time.strftime("%Y-%m-%d"))
    if not name.isprintable() or "/" in name or name.strip(". ") == "":
        raise UsageError(
            f"{name!r} cannot be a campaign's name", hint="use letters, digits, dots and dashes"
        )
    return name


def new_campaign(settings: Settings, source: Source) -> NewCampaign:
    """The campaign that a run of these settings records `source` into."""
    defaults = settings.input.defaults if settings.input is not None else None
    return NewCampaign(
        name=campaign_name(settings),
        input_name=source.name,
        input_sha256=source.sha256,
        defaults=msgspec.json.encode(defaults).decode(),
    )


def out_folder(settings: Settings, campaign: str) -> Path:
    """Where the result files go."""
    return settings.out if settings.out is not None else Path("out") / campaign


def write_campaign(
    reader: SqliteReader,
    campaign: CampaignRecord,
    summary: Summary,
    out: Path,
    results: str | None,
) -> Summary:
    """Write a campaign's result files and its summary; returns the summary with its causes.

    `results` is `csv`, `jsonl` or None for the job file's own format.
    """
    causes = Causes()
    write_results(causes.counting(reader.results(campaign.id)), campaign.layout, out, results)
    paths = result_paths(campaign.layout, out, results)
    summary = msgspec.structs.replace(
        summary,
        causes=causes.commonest(),
        files={name: str(path) for name, path in paths.items()},
    )
    write_summary(summary, out)
    return summary


class _Run:
    """The part of a run that talks to the service."""

    def __init__(
        self, settings: Settings, campaign: CampaignRecord, emit: EventSink, stop: anyio.Event
    ) -> None:
        self._settings = settings
        self._campaign = campaign
        self._emit = emit
        self._stop = stop
        self._clock: Clock = SystemClock()

    async def send(self, core: SqliteLedger) -> ProvisionerError | None:
        """Provision what is pending; why the service stopped it, if it did."""
        error: ProvisionerError | None = None
        async with GroupCommitLedger(core) as ledger:
            counts = await ledger.counts()
            self._emit(self._started(counts))
            if counts.get(JobState.PENDING):
                try:
                    error = _stopped_by(await self._provision(ledger))
                except (ServiceError, CredentialsError) as refused:
                    error = refused
            counts = await ledger.counts()
        self._emit(RunFinished(campaign=self._campaign.name, counts=counts, at=self._clock.time()))
        return error

    async def _provision(self, ledger: GroupCommitLedger) -> Outcome | None:
        pace = self._settings.pace
        service = self._settings.service
        jitter = Random()  # noqa: S311  # spreads retries, guards nothing
        patience = BackoffPolicy(_PREFLIGHT_ATTEMPTS, jitter)
        async with open_gateway(service, retry=patience, clock=self._clock) as gateway:
            lane = Lane(
                gateway=gateway,
                limiter=build_limiter(pace, self._clock, self._emit),
                retry=BackoffPolicy(pace.max_attempts, jitter),
                connections=service.connections,
            )
            engine = Engine(ledger, lane, self._clock, self._emit)
            preflight = anyio.CancelScope()
            with ungrouped():
                async with anyio.create_task_group() as tasks:
                    tasks.start_soon(self._drain_when_told, preflight, engine)
                    with preflight:
                        await self._check_connectors(gateway)
                    outcome = await engine.run(self._settings.limit)
                    tasks.cancel_scope.cancel()
            return outcome

    async def _drain_when_told(self, preflight: anyio.CancelScope, engine: Engine) -> None:
        await self._stop.wait()
        preflight.cancel()
        engine.drain("asked to stop")

    async def _check_connectors(self, gateway: Gateway) -> None:
        if self._settings.preflight:
            for connector in self._campaign.connectors:
                await gateway.connector_proxy(connector)

    def _started(self, counts: dict[JobState, int]) -> RunStarted:
        return RunStarted(
            campaign=self._campaign.name,
            counts=counts,
            rate=self._settings.pace.rate,
            concurrency=self._settings.service.connections,
            at=self._clock.time(),
        )


def _enrol(core: SqliteLedger, settings: Settings, on_problem: ProblemSink) -> CampaignRecord:
    """The campaign to run, recorded from the job file or found by name; failed rows requeued."""
    if settings.input is None:
        campaign = _recorded(core, settings)
    else:
        source = open_source(settings.input)
        policy = IntakePolicy(skip_invalid=settings.skip_invalid, extend=settings.extend)
        campaign = admit(core, source, new_campaign(settings, source), policy, on_problem)
    if settings.retry_failed is not None:
        core.requeue_failed(campaign.id, settings.retry_failed)
    return campaign


def _recorded(core: SqliteLedger, settings: Settings) -> CampaignRecord:
    if settings.campaign is None:
        raise UsageError(
            "there is nothing to run", hint="name a job file, or a recorded --campaign to resume"
        )
    name = campaign_name(settings)
    campaign = core.campaign(name)
    if campaign is None:
        raise InputRefusedError(
            f"the ledger {settings.ledger} has no campaign {name!r}",
            hint="`provisioner status` lists them; give the job file to record a new one",
        )
    return campaign


def _conclude(
    core: SqliteLedger,
    campaign: CampaignRecord,
    settings: Settings,
    tally: RunTally,
    stopped: ExitCode | None,
) -> Summary:
    reader = core.reader()
    summary = summarize(
        campaign, reader.counts(campaign.id), reader.calls(campaign.id), tally, stopped
    )
    out = out_folder(settings, campaign.name)
    summary = write_campaign(reader, campaign, summary, out, settings.results)
    core.record_run(campaign.id, summary_json(summary))
    return summary


def _stopped_by(outcome: Outcome | None) -> ProvisionerError | None:
    if outcome is None:
        return None
    said = ": ".join(filter(None, (outcome.error_code, outcome.message)))
    if outcome.fatal_exit == ExitCode.CREDENTIALS:
        return CredentialsError(
            f"the service refused the credentials: {said}",
            hint="mend them and run the same command again: the rest is pending",
        )
    return ServiceError(
        f"the service cannot be used: {said}",
        hint="run the same command again when it is mended: the rest is pending",
    )


def _each(*sinks: EventSink) -> EventSink:
    def emit(event: Event) -> None:
        for sink in sinks:
            sink(event)

    return emit


def _ignore(_: Problem) -> None:
    pass
