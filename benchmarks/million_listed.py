"""A million listed sessions: what listings cost in time and memory.

python -m benchmarks.million_listed [SESSIONS]

A made-up service gives pages of 100 sessions at once, so that what is measured is ours: keeping
what matters, finding the jobs, settling, adopting. The ledger is real and has a row for each
session. Against a service a page also costs a call: 10,000 calls a million sessions.
"""

# what it finds goes to the terminal

from __future__ import annotations

import asyncio
import resource
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from pathlib import Path
from random import Random
from typing import Any

from provisioner.audit import Auditor
from provisioner.clock import SystemClock
from provisioner.entry import Entry, entry
from provisioner.gateway import BackoffPolicy
from provisioner.job import JobState, Outcome, Verdict
from provisioner.lane import Lane
from provisioner.ledger import GroupCommitLedger, LedgerSettlement, SqliteLedger
from provisioner.pacing import CircuitBreaker
from provisioner.record import Layout, NewCampaign
from provisioner.rulings import SettlePolicy
from provisioner.session import (
    LIST_PAGE_MAXIMUM,
    ConnectorProxy,
    Participant,
    Session,
    SessionPage,
    SessionRequest,
    session_name,
)
from provisioner.settings import PaceSettings
from provisioner.settler import Settler
from provisioner.wiring import settling

CONNECTOR = "abcdef1ghij2klmno3pqr4"
IN_DOUBT = 1_000
AT_ONCE = 1_000
SILENCE = Outcome(verdict=Verdict.AMBIGUOUS, error_code="ReadTimeoutError", answered=False)


class Service:
    """Has a session for every row, and gives its pages at once."""

    def __init__(self, sessions: int) -> None:
        self._sessions = sessions
        self._created = datetime.now(UTC).isoformat()

    async def connector_proxy(self, _: str) -> ConnectorProxy:
        """As a connector is by default."""
        return ConnectorProxy(default_expiry_minutes=720)

    async def list_sessions(self, _: str, next_token: str | None = None) -> SessionPage:
        """The page that begins at the token."""
        first = int(next_token or 1)
        after = min(first + LIST_PAGE_MAXIMUM, self._sessions + 1)
        page = tuple(self._session(number) for number in range(first, after))
        return SessionPage(
            sessions=page, next_token=str(after) if after <= self._sessions else None
        )

    def _session(self, number: int) -> Session:
        participants = tuple(
            Participant(phone_number=each, proxy_phone_number="+12065550100")
            for each in numbers(number)
        )
        return Session(
            proxy_session_id=f"{number:08}-0000-4000-8000-000000000000",
            voice_connector_id=CONNECTOR,
            name=session_name("night", f"k{number}"),
            status="Open",
            capabilities=("Voice",),
            created_at=self._created,
            participants=participants,
        )


class Unlimited:
    """A pace that never waits."""

    rate = 1e9

    async def take(self) -> None:
        """At once."""

    async def depart(self) -> None:
        """At once."""

    def set_ceiling(self, ceiling: float, reason: str) -> None:
        """Nothing."""

    def observe(self, outcome: Outcome, *, sent_at: float) -> None:
        """Nothing."""


def numbers(number: int) -> tuple[str, str]:
    """The pair of a row."""
    return (f"+1206{number:07}", f"+1312{number:07}")


def record(core: SqliteLedger, rows: int) -> None:
    """A campaign of so many rows."""
    campaign = NewCampaign(name="night", input_name="n.csv", input_sha256="0", defaults="{}")
    with core.begin_intake(campaign) as intake:
        for first in range(1, rows + 1, AT_ONCE):
            intake.add([_row(each) for each in range(first, min(first + AT_ONCE, rows + 1))])
        core.select(intake.commit(Layout(format="csv")).id)


def _row(number: int) -> Entry:
    key = f"k{number}"
    request = SessionRequest(
        voice_connector_id=CONNECTOR,
        participants=numbers(number),
        capabilities=("Voice",),
        name=session_name("night", key),
    )
    return entry(number=number, line=number, cells="[]", key=key, request=request)


async def doubt(ledger: GroupCommitLedger) -> None:
    """Leave some rows in doubt."""
    for job in await ledger.claim(IN_DOUBT):
        attempt = await ledger.open_attempt(job)
        await ledger.close_attempt(attempt, SILENCE, JobState.AMBIGUOUS)


async def measure(what: str, work: Callable[[], Awaitable[Any]]) -> None:
    """A line of the table."""
    began = time.perf_counter()
    result = await work()
    seconds = time.perf_counter() - began
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(f"| {what} | {result:,} | {seconds:.1f} | {peak:.0f} |", flush=True)


def _discard(_: object) -> None:
    pass


async def main(sessions: int, path: Path) -> None:
    """Record, then list: to settle what is in doubt, and all that `reconcile --adopt` does."""
    with SqliteLedger(path) as core:
        began = time.perf_counter()
        record(core, sessions)
        print(f"{sessions:,} rows recorded in {time.perf_counter() - began:.1f} s\n")
        print("| listing | rows | seconds | peak MiB so far |\n|---|---:|---:|---:|")
        async with GroupCommitLedger(core) as ledger:
            await doubt(ledger)
            pace = PaceSettings()
            lane = Lane(
                gateway=Service(sessions),  # type: ignore[arg-type]  # what a listing asks of it
                limiter=Unlimited(),
                breaker=CircuitBreaker(give_up=pace.give_up, budget=pace.retry_budget),
                retry=BackoffPolicy(8, Random(1)),
                connections=64,
            )
            settlement = LedgerSettlement(ledger)
            desk = settling(settlement, lane, SystemClock(), SettlePolicy(), _discard)
            await measure("settles what is in doubt", lambda: _settled(ledger, desk[0]))
            await measure("adopts all the rest", lambda: _adopted(desk[1]))
            await measure("looks again for what the first has missed", lambda: _adopted(desk[1]))
            await measure("then tells the sessions that no row has", lambda: _strays(desk[1]))


async def _settled(ledger: GroupCommitLedger, settler: Settler) -> int:
    await settler.settle()
    return (await ledger.counts())[JobState.CREATED]


async def _adopted(auditor: Auditor) -> int:
    await auditor.list_all([CONNECTOR])
    return await auditor.adopt()


async def _strays(auditor: Auditor) -> int:
    return sum([1 async for _ in auditor.strays()])


if __name__ == "__main__":
    size = int(sys.argv[1]) if sys.argv[1:] else 1_000_000
    with tempfile.TemporaryDirectory() as folder:
        asyncio.run(main(size, Path(folder) / "ledger.db"))
