"""Settling a campaign without sending anything: what `provisioner reconcile` does."""

from __future__ import annotations

from collections.abc import Sequence

import anyio
import msgspec

from provisioner.audit import Auditor
from provisioner.campaign import campaign_name, enrol
from provisioner.clock import SystemClock
from provisioner.errors import ExitCode, InputRefusedError
from provisioner.events import Event, EventSink, JobSettled
from provisioner.intake import ProblemSink
from provisioner.job import Outcome
from provisioner.ledger import GroupCommitLedger, LedgerSettlement, SqliteLedger, ledger_path
from provisioner.record import CampaignRecord
from provisioner.report import exit_code, file_counts, iso
from provisioner.rulings import Stray
from provisioner.settings import Settings
from provisioner.settler import Settler
from provisioner.subscribers import each_of
from provisioner.wiring import open_lane, refuse_haste, settle_policy, settling


class StraySession(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A session that no row has; `owned` is the session of its row, if that has one."""

    voice_connector_id: str
    proxy_session_id: str
    name: str | None
    status: str | None
    created_at: str | None
    job_key: str | None
    owned: str | None = None


class Reconciliation(msgspec.Struct, frozen=True, kw_only=True):
    """What settling came to.

    `counts` are the campaign's rows by result file, `settled` those settled now by ruling;
    `waiting` rows are not due before `due`, ISO-8601. `unlisted` tells by connector why it could
    not be listed. Duplicates and orphans as in `Summary.audit`.
    """

    campaign: str
    counts: dict[str, int]
    settled: dict[str, int]
    waiting: int
    due: str | None
    unlisted: dict[str, str]
    duplicates: Sequence[StraySession]
    orphans: Sequence[StraySession]
    exit_code: int


class ReconcilePolicy(msgspec.Struct, frozen=True, kw_only=True):
    """`adopt` gives unsent rows the sessions that are there; `wait` waits for what is not due."""

    adopt: bool = False
    wait: bool = False


async def reconcile(
    settings: Settings,
    policy: ReconcilePolicy,
    *,
    on_event: EventSink,
    on_problem: ProblemSink,
) -> Reconciliation:
    """Settle a recorded campaign, or record one and adopt its sessions, and look for strays.

    Raises:
        InputMissingError, InputRefusedError: as `provision` does.
        CannotWriteError, LedgerLockedError, ConfigurationError, CredentialsError: likewise.
    """
    refuse_haste(settings)
    with SqliteLedger(ledger_path(settings.ledger)) as core:
        _refuse_unknown(core, settings, policy)
        campaign = await anyio.to_thread.run_sync(enrol, core, settings, on_problem)
        core.select(campaign.id)
        async with GroupCommitLedger(core) as ledger:
            return await _reconcile(ledger, campaign, settings, policy, on_event)


async def _reconcile(
    ledger: GroupCommitLedger,
    campaign: CampaignRecord,
    settings: Settings,
    policy: ReconcilePolicy,
    on_event: EventSink,
) -> Reconciliation:
    clock, settled = SystemClock(), _Settled()
    emit = each_of(settled, on_event)
    settlement = LedgerSettlement(ledger)
    await settlement.reopen_reviewed()
    async with open_lane(settings, clock, emit) as lane:
        desk = settling(settlement, lane, clock, settle_policy(settings), emit)
        settler, auditor = desk
        await _settle(*desk, campaign, policy)
        strays = [stray async for stray in auditor.strays()]
    counts = await ledger.counts()
    outlook = await settler.outlook()
    return Reconciliation(
        campaign=campaign.name,
        counts=file_counts(counts),
        settled=settled.by_ruling,
        waiting=outlook.ambiguous,
        due=iso(min(outlook.due.values())) if outlook.due else None,
        unlisted={each: _why(outcome) for each, outcome in settler.unlisted.items()},
        duplicates=[_told(each) for each in strays if each.owned is not None],
        orphans=[_told(each) for each in strays if each.owned is None],
        exit_code=exit_code(counts, _stopped(settler.unlisted)),
    )


async def _settle(
    settler: Settler, auditor: Auditor, campaign: CampaignRecord, policy: ReconcilePolicy
) -> None:
    while policy.wait and await settler.settle():
        pass
    await settler.decide_all(await auditor.list_all(campaign.connectors))
    if policy.adopt:
        await auditor.adopt()
        # What moves to another page while pages are read may be missed by one listing.
        await auditor.list_all(campaign.connectors)
        await auditor.adopt()


def _refuse_unknown(core: SqliteLedger, settings: Settings, policy: ReconcilePolicy) -> None:
    name = campaign_name(settings)
    if settings.input is not None and not policy.adopt and core.campaign(name) is None:
        raise InputRefusedError(
            f"the ledger {settings.ledger} has no campaign {name!r}",
            hint="--adopt records it and finds the sessions it has at the service",
        )


class _Settled:
    """Counts settled rows by ruling."""

    def __init__(self) -> None:
        self.by_ruling: dict[str, int] = {}

    def __call__(self, event: Event) -> None:
        if isinstance(event, JobSettled):
            self.by_ruling[event.ruling] = self.by_ruling.get(event.ruling, 0) + 1


def _stopped(unlisted: dict[str, Outcome]) -> ExitCode | None:
    """What to tell the caller where nobody could look."""
    codes = [outcome.fatal_exit or ExitCode.SERVICE for outcome in unlisted.values()]
    return ExitCode(max(codes)) if codes else None


def _why(outcome: Outcome) -> str:
    forbidden = outcome.fatal_exit == ExitCode.CREDENTIALS
    return outcome.said + (" (allow chime:ListProxySessions)" if forbidden else "")


def _told(stray: Stray) -> StraySession:
    session = stray.session
    return StraySession(
        voice_connector_id=stray.connector_id,
        proxy_session_id=session.proxy_session_id,
        name=session.name,
        status=session.status,
        created_at=session.created_at,
        job_key=stray.job_key,
        owned=stray.owned,
    )
