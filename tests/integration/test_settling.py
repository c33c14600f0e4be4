"""Runs that settle what they leave in doubt, over the real client, ledger and loopback."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import anyio
import msgspec
import pytest

from provisioner import (
    Event,
    ExitCode,
    PaceSettings,
    ServiceSettings,
    Settings,
    provision,
)
from provisioner.emulator.faults import parse_faults
from provisioner.emulator.http import RunningServer
from provisioner.emulator.requests import ProxySessionsAnswer
from provisioner.emulator.service import Service
from provisioner.emulator.settings import CONNECTOR
from provisioner.events import JobSettled, SettlingStarted
from provisioner.job import JobState
from provisioner.reconcile import ReconcilePolicy, reconcile
from provisioner.rulings import Ruling
from tests.integration.conftest import night


def impatient(jobs: Path, server: RunningServer, **more: object) -> Settings:
    """A run that waits a second for an answer, and little longer for proof of absence."""
    service = ServiceSettings(endpoint_url=server.url, timeout=1.0)
    return night(jobs, server.url, **{"service": service, "settle": 1.5, **more})


def faults(server: RunningServer, text: str) -> None:
    server.emulator.change_faults(parse_faults(text))


def made(server: RunningServer) -> list[str | None]:
    return [record.request.name for record in server.emulator.service.records()]


@pytest.mark.parametrize(
    "text",
    ["lost=40%", "failure_after=20%,failure_before=20%", "reset=40%", "unreadable=40%", "hang=10%"],
)
async def test_every_row_ends_created_with_one_session(
    jobs: Path, server: RunningServer, text: str
) -> None:
    faults(server, text)
    result = await provision(impatient(jobs, server))
    assert result.exit_code is ExitCode.OK
    assert result.summary.calls.adopted > 0
    assert len(made(server)) == len(set(made(server))) == 30


async def test_a_listing_that_fails_for_good_leaves_rows_for_review(
    jobs: Path, server: RunningServer
) -> None:
    faults(server, "lost=100%,on=create+list")
    result = await provision(impatient(jobs, server, pace=PaceSettings(rate=2000, max_attempts=2)))
    assert result.exit_code is ExitCode.NEEDS_REVIEW
    assert result.error is None
    assert result.summary.counts["needs_review"] == 30
    assert result.summary.audit.unlisted == (CONNECTOR,)


async def test_a_stop_ends_the_wait(jobs: Path, server: RunningServer) -> None:
    faults(server, "failure_before=100%")
    stop = anyio.Event()

    def on_event(event: Event) -> None:
        if isinstance(event, SettlingStarted):
            stop.set()

    result = await provision(impatient(jobs, server, settle=900.0), on_event=on_event, stop=stop)
    assert result.exit_code is ExitCode.NEEDS_REVIEW
    faults(server, "")
    again = await provision(impatient(jobs, server))
    assert again.exit_code is ExitCode.OK
    assert len(made(server)) == 30


async def test_a_run_with_nothing_pending_settles_what_an_earlier_one_left(
    jobs: Path, server: RunningServer
) -> None:
    faults(server, "lost=50%")
    await provision(impatient(jobs, server, reconcile=False))
    before = len(made(server))
    result = await provision(impatient(jobs, server))
    assert result.summary.counts["created"] == 30
    assert len(made(server)) == before == 30


async def test_a_limit_counts_rows_that_are_sent_again_once(
    jobs: Path, server: RunningServer
) -> None:
    faults(server, "failure_before=30%")
    result = await provision(impatient(jobs, server, limit=10))
    assert result.summary.counts["created"] == 10
    assert result.exit_code is ExitCode.STOPPED_EARLY


async def test_an_audit_counts_what_a_503_created(jobs: Path, server: RunningServer) -> None:
    faults(server, "unavailable_after=10%")
    result = await provision(impatient(jobs, server))
    assert result.summary.audit.duplicates == len(made(server)) - 30 > 0


async def test_reconciling_tells_what_it_settled(jobs: Path, server: RunningServer) -> None:
    faults(server, "lost=100%")
    await provision(impatient(jobs, server, reconcile=False))
    events: list[Event] = []
    found = await reconcile(
        impatient(jobs, server),
        ReconcilePolicy(),
        on_event=events.append,
        on_problem=lambda _: None,
    )
    assert found.settled == {Ruling.ADOPT: 30}
    assert {event.state for event in events if isinstance(event, JobSettled)} == {JobState.CREATED}


async def test_reconciling_without_a_listing_tells_why_and_settles_nothing(
    jobs: Path, server: RunningServer
) -> None:
    faults(server, "lost=100%,on=create+list")
    await provision(impatient(jobs, server, reconcile=False))
    found = await reconcile(
        impatient(jobs, server, pace=PaceSettings(rate=2000, max_attempts=1)),
        ReconcilePolicy(wait=True),
        on_event=lambda _: None,
        on_problem=lambda _: None,
    )
    assert found.exit_code == ExitCode.SERVICE
    assert list(found.unlisted) == [CONNECTOR]
    assert found.counts["needs_review"] == 30


async def test_adopting_finds_what_one_listing_missed(
    jobs: Path, server: RunningServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A session that moves to an earlier page between two pages is on neither."""
    await provision(impatient(jobs, server))
    service, pages = server.emulator.service, []

    def call(operation: str, parameters: Mapping[str, object], now: float) -> object:
        answer = Service.call(service, operation, parameters, now)
        if not isinstance(answer, ProxySessionsAnswer):
            return answer
        pages.append(answer)
        missed = len(pages) == 1
        return msgspec.structs.replace(answer, proxy_sessions=answer.proxy_sessions[missed:])

    monkeypatch.setattr(service, "call", call)
    found = await reconcile(
        impatient(jobs, server, ledger=str(tmp_path / "anew.db")),
        ReconcilePolicy(adopt=True),
        on_event=lambda _: None,
        on_problem=lambda _: None,
    )
    assert found.counts["created"] == 30
