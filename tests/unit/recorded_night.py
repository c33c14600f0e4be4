"""Rows, and campaigns in a ledger, for its tests."""

from __future__ import annotations

from provisioner.entry import Entry, entry
from provisioner.job import JobState, Outcome, Problem, Verdict
from provisioner.ledger import (
    ImmediateLedger,
    SqliteLedger,
)
from provisioner.record import CampaignRecord, Layout, NewCampaign
from provisioner.session import SessionRequest

CREATED = Outcome(verdict=Verdict.CREATED, status=201, request_id="r-1")
REFUSED = Outcome(verdict=Verdict.REFUSED, status=400)
THROTTLED = Outcome(verdict=Verdict.RETRYABLE, status=429, throttled=True)
LOST = Outcome(verdict=Verdict.AMBIGUOUS, answered=False)
LAYOUT = Layout(format="csv", columns=("a", "b"))


def request(number: int, connector: str = "c1") -> SessionRequest:
    return SessionRequest(
        voice_connector_id=connector,
        participants=("+12065550100", f"+1206555{number:04}"),
        capabilities=("Voice",),
    )


def row(number: int, key: str | None = None, of: int | None = None) -> Entry:
    return entry(
        number=number,
        line=number + 1,
        cells=f'["{number}"]',
        key=key or f"k{number}",
        request=request(of or number),
    )


def invalid(number: int) -> Entry:
    return Entry(
        number=number,
        line=number + 1,
        cells="[]",
        problems=(Problem(line=number + 1, column="name", message="too long"),),
    )


def night(name: str = "night", sha256: str = "00") -> NewCampaign:
    return NewCampaign(name=name, input_name="a.csv", input_sha256=sha256, defaults="{}")


def record(
    ledger: SqliteLedger, *rows: Entry, campaign: NewCampaign | None = None
) -> CampaignRecord:
    with ledger.begin_intake(campaign or night()) as intake:
        intake.add(rows)
        return intake.commit(LAYOUT)


async def sent(
    ledger: SqliteLedger, campaign: CampaignRecord, outcome: Outcome, state: JobState
) -> None:
    """One attempt of the campaign's first job."""
    ledger.select(campaign.id)
    shell = ImmediateLedger(ledger)
    attempt = await shell.open_attempt((await shell.claim(1))[0])
    await shell.close_attempt(attempt, outcome, state)


async def failed_once(ledger: SqliteLedger, campaign: CampaignRecord) -> None:
    await sent(ledger, campaign, REFUSED, JobState.FAILED)
