"""The library's way in, over the real client, ledger and result files."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import anyio
import msgspec
import pytest

import provisioner
from provisioner import (
    Event,
    ExitCode,
    InputSettings,
    PaceSettings,
    Result,
    RowDefaults,
    ServiceSettings,
    Settings,
    provision,
)
from provisioner.emulator.faults import FaultKind, FaultPlan, parse_faults
from provisioner.emulator.http import RunningServer, serve
from provisioner.emulator.settings import CONNECTOR, EmulatorSettings, Quota
from provisioner.errors import InputRefusedError, StoppedError, TooManyRowsError, UsageError
from provisioner.events import CallSent, RunFinished, RunStarted
from provisioner.halting import parse_halt
from provisioner.job import Problem
from provisioner.ledger import ledger_path, open_reader
from provisioner.timetable import parse_timetable
from tests.integration.conftest import night


@pytest.fixture
async def refusing() -> AsyncIterator[str]:
    """A service that forbids everything."""

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        length = int(head.lower().partition(b"content-length:")[2].split(b"\r\n")[0] or 0)
        await reader.readexactly(length)
        body = b'{"Code":"Forbidden","Message":"not you"}'
        writer.write(
            b"HTTP/1.1 403 Forbidden\r\nx-amzn-ErrorType: ForbiddenException\r\n"
            b"Connection: close\r\nContent-Length: %d\r\n\r\n%b" % (len(body), body)
        )
        await writer.drain()
        writer.close()
        await writer.wait_closed()

    listening = await asyncio.start_server(answer, "127.0.0.1", 0)
    async with listening:
        yield f"http://127.0.0.1:{listening.sockets[0].getsockname()[1]}"


def told(result: Result) -> dict[str, Any]:
    """What the run left for monitors."""
    written: dict[str, Any] = json.loads((result.out / "summary.json").read_text("utf-8"))
    return written


async def test_a_run_returns_what_it_came_to(jobs: Path, server: RunningServer) -> None:
    result = await provision(night(jobs, server.url))
    assert result.exit_code is ExitCode.OK
    assert result.error is None
    assert result.summary.counts["created"] == 30
    assert (result.out / "created.jsonl").stat().st_size > 0


async def test_a_run_tells_its_events(jobs: Path, server: RunningServer) -> None:
    events: list[Event] = []
    await provision(night(jobs, server.url), on_event=events.append)
    assert isinstance(events[0], RunStarted)
    assert isinstance(events[-1], RunFinished)
    assert len([event for event in events if isinstance(event, CallSent)]) == 30


async def test_a_subscriber_that_raises_ends_no_run(
    jobs: Path, server: RunningServer, caplog: pytest.LogCaptureFixture
) -> None:
    def broken(event: Event) -> None:
        raise ZeroDivisionError(event)

    result = await provision(night(jobs, server.url), on_event=broken)
    assert result.exit_code is ExitCode.OK
    assert len(caplog.records) == 1


async def test_a_run_tells_the_problems_of_its_file(jobs: Path, server: RunningServer) -> None:
    jobs.write_text("{}\n", "utf-8")
    problems: list[Problem] = []
    with pytest.raises(InputRefusedError):
        await provision(night(jobs, server.url), on_problem=problems.append)
    assert {problem.line for problem in problems} == {1}


async def test_a_recorded_run_told_to_stop_before_it_begins_sends_nothing(
    jobs: Path, server: RunningServer
) -> None:
    await provision(night(jobs, server.url, limit=5))
    stop = anyio.Event()
    stop.set()
    result = await provision(night(jobs, server.url), stop=stop)
    assert result.exit_code is ExitCode.STOPPED_EARLY
    assert result.summary.counts["pending"] == 25


async def test_a_run_told_to_stop_while_its_file_is_recorded_records_nothing(
    jobs: Path, server: RunningServer
) -> None:
    stop = anyio.Event()
    stop.set()
    with pytest.raises(StoppedError) as stopped:
        await provision(night(jobs, server.url), stop=stop)
    assert stopped.value.exit_code is ExitCode.STOPPED_EARLY
    with pytest.raises(InputRefusedError, match="no campaign"):
        await provision(Settings(campaign="night", ledger=str(jobs.parent / "ledger.db")))


@pytest.mark.parametrize("preflight", [True, False])
async def test_refused_credentials_stop_the_run_and_leave_everything_pending(
    jobs: Path, refusing: str, *, preflight: bool
) -> None:
    result = await provision(night(jobs, refusing, preflight=preflight))
    assert result.exit_code is ExitCode.CREDENTIALS
    assert told(result)["exit_code"] == ExitCode.CREDENTIALS
    assert result.error is not None
    assert result.summary.counts["pending"] == 30


async def test_a_connector_missing_midway_stops_the_run(jobs: Path, server: RunningServer) -> None:
    jobs.write_text(jobs.read_text("utf-8").replace(CONNECTOR, "zzzzzz1ghij2klmno3pqr4"), "utf-8")
    result = await provision(night(jobs, server.url, preflight=False))
    assert result.exit_code is ExitCode.SERVICE
    assert told(result)["exit_code"] == ExitCode.SERVICE
    assert result.summary.counts["pending"] == 30


@pytest.mark.parametrize("preflight", [True, False])
async def test_one_connector_missing_of_two_holds_up_its_own_rows_only(
    jobs: Path, server: RunningServer, *, preflight: bool
) -> None:
    missing = "zzzzzz1ghij2klmno3pqr4"
    rows = jobs.read_text("utf-8").splitlines()
    mixed = [row.replace(CONNECTOR, missing) if n % 3 == 0 else row for n, row in enumerate(rows)]
    jobs.write_text("\n".join(mixed), "utf-8")
    result = await provision(night(jobs, server.url, preflight=preflight))
    assert result.exit_code is ExitCode.SERVICE
    assert (result.summary.counts["created"], result.summary.counts["pending"]) == (20, 10)
    assert missing in str(result.error)
    assert CONNECTOR not in str(result.error)


@pytest.mark.parametrize(
    ("fault", "exit_code", "hint"),
    [
        ("throttle=100%", ExitCode.CONFIGURATION, "lower --rate"),
        ("unavailable=100%", ExitCode.SERVICE, "run the same command again"),
    ],
)
async def test_a_service_without_a_success_is_given_up(
    jobs: Path, server: RunningServer, fault: str, exit_code: ExitCode, hint: str
) -> None:
    server.emulator.change_faults(parse_faults(fault))
    pace = PaceSettings(rate=2000, give_up=0.5, max_attempts=100)
    result = await provision(msgspec.structs.replace(night(jobs, server.url), pace=pace))
    assert result.exit_code is exit_code
    assert result.summary.counts["pending"] == 30
    assert result.error is not None
    assert hint in result.error.hint


async def test_a_proxy_from_the_environment_never_sees_calls_to_loopback(
    jobs: Path, server: RunningServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    assert (await provision(night(jobs, server.url))).exit_code is ExitCode.OK


async def test_the_same_rows_saved_differently_are_the_same_campaign(
    jobs: Path, server: RunningServer
) -> None:
    await provision(night(jobs, server.url, limit=5))
    jobs.write_text(jobs.read_text("utf-8").replace("\n", "\r\n"), "utf-8")
    again = await provision(night(jobs, server.url))
    assert again.summary.calls.attempts == 30


async def test_the_same_rows_under_another_name_are_refused_while_unfinished(
    jobs: Path, server: RunningServer
) -> None:
    await provision(night(jobs, server.url, limit=5))
    jobs.write_text(jobs.read_text("utf-8").replace("\n", "\r\n"), "utf-8")
    with pytest.raises(InputRefusedError, match="'night'"):
        await provision(night(jobs, server.url, campaign="other"))


async def test_there_must_be_something_to_run(tmp_path: Path) -> None:
    with pytest.raises(UsageError):
        await provision(Settings(ledger=str(tmp_path / "ledger.db")))


async def test_an_unknown_campaign_cannot_be_resumed(tmp_path: Path) -> None:
    with pytest.raises(InputRefusedError, match="no campaign"):
        await provision(Settings(campaign="none", ledger=str(tmp_path / "ledger.db")))


async def test_an_unfinished_write_of_results_can_be_repeated(
    jobs: Path, server: RunningServer
) -> None:
    settings = night(jobs, server.url)
    await provision(settings)
    again = await provision(settings)
    assert again.summary.timing.latency.max is None
    assert again.summary.counts["created"] == 30


@pytest.fixture
async def strict() -> AsyncIterator[RunningServer]:
    """A service that lets no session live longer than ten minutes."""
    async with serve(EmulatorSettings(maximum_expiry_minutes=10)) as server:
        yield server


async def test_a_halt_rule_ends_the_run_and_the_next_judges_its_own_rows(
    jobs: Path, strict: RunningServer
) -> None:
    settings = night(jobs, strict.url, halt=parse_halt("failed=3"))
    service = ServiceSettings(endpoint_url=strict.url, connections=1)
    too_long = InputSettings(path=str(jobs), defaults=RowDefaults(expiry_minutes=60))
    settings = msgspec.structs.replace(settings, service=service, input=too_long)
    for failed in (3, 6):
        result = await provision(settings)
        assert result.exit_code is ExitCode.HALTED
        assert result.summary.counts["failed"] == failed
        assert result.summary.counts["pending"] == 30 - failed
        assert "failed=3: 3 of 3 rows" in (result.summary.stopped or "")
        assert told(result)["exit_code"] == ExitCode.HALTED


async def test_a_run_of_too_many_rows_is_refused_and_leaves_nothing_recorded(
    jobs: Path, server: RunningServer
) -> None:
    with pytest.raises(TooManyRowsError, match="30 rows would be sent, more than the 29"):
        await provision(night(jobs, server.url, max_rows=29))
    assert (await provision(night(jobs, server.url, campaign="other"))).exit_code is ExitCode.OK


async def test_the_rows_of_this_run_count_not_those_of_the_file(
    jobs: Path, server: RunningServer
) -> None:
    await provision(night(jobs, server.url, limit=5, max_rows=5))
    with pytest.raises(TooManyRowsError, match="25 rows"):
        await provision(night(jobs, server.url, max_rows=24))
    assert (await provision(night(jobs, server.url, max_rows=25))).exit_code is ExitCode.OK


async def test_failed_rows_to_be_sent_again_count_and_stay_failed_when_refused(
    jobs: Path, strict: RunningServer
) -> None:
    settings = night(jobs, strict.url)
    too_long = InputSettings(path=str(jobs), defaults=RowDefaults(expiry_minutes=60))
    settings = msgspec.structs.replace(settings, input=too_long)
    assert (await provision(settings)).exit_code is ExitCode.ROWS_FAILED
    again = msgspec.structs.replace(settings, retry_failed="*", max_rows=20)
    with pytest.raises(TooManyRowsError, match="30 rows"):
        await provision(again)
    other = msgspec.structs.replace(again, retry_failed="ThrottledClientException")
    assert (await provision(other)).summary.counts["failed"] == 30


async def test_a_deadline_leaves_the_rest_pending_and_the_next_run_finishes(
    jobs: Path, server: RunningServer
) -> None:
    settings = night(jobs, server.url)
    hurried = msgspec.structs.replace(
        settings, deadline=time.time() + 4.0, pace=PaceSettings(rate=3)
    )
    first = await provision(hurried)
    assert first.exit_code is ExitCode.STOPPED_EARLY
    assert first.summary.counts["pending"] > 0
    assert told(first)["exit_code"] == ExitCode.STOPPED_EARLY
    assert "the deadline" in (first.summary.stopped or "")
    assert (await provision(settings)).exit_code is ExitCode.OK


async def test_a_timetable_that_is_off_until_the_deadline_ends_the_run_at_once(
    jobs: Path, server: RunningServer
) -> None:
    hour = (datetime.now(UTC).hour + 12) % 24
    table = parse_timetable(f"{hour}:00 5/s, {(hour + 1) % 24}:00 off")
    settings = msgspec.structs.replace(
        night(jobs, server.url, deadline=time.time() + 3600.0, time_zone="UTC"),
        pace=PaceSettings(timetable=table),
    )
    with anyio.fail_after(30):
        result = await provision(settings)
    assert result.exit_code is ExitCode.STOPPED_EARLY
    assert result.summary.calls.attempts == 0
    assert "the timetable is off" in (result.summary.stopped or "")


async def test_rows_in_doubt_are_not_waited_for_beyond_the_deadline(jobs: Path) -> None:
    lossy = FaultPlan(rates={FaultKind.LOST: 1.0})
    async with serve(EmulatorSettings(faults=lossy, listing_delay=60.0)) as server:
        settings = night(jobs, server.url, deadline=time.time() + 60.0, audit=False)
        with anyio.fail_after(30):
            result = await provision(settings)
    assert result.exit_code is ExitCode.NEEDS_REVIEW
    assert "cannot be settled before the deadline" in (result.summary.stopped or "")


def test_every_public_name_can_be_imported() -> None:
    for name in provisioner.__all__:
        assert getattr(provisioner, name) is not None


def test_an_unknown_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError):
        _ = provisioner.nonsense


async def test_what_a_run_learns_is_kept_for_the_next(jobs: Path) -> None:
    limited = EmulatorSettings(quota=Quota(rate=8.0, burst=2), pool_size=400, any_connector=True)
    async with serve(limited) as server:
        settings = msgspec.structs.replace(night(jobs, server.url), pace=PaceSettings())
        first = await provision(settings)
        assert first.summary.rate.asked is None
    with open_reader(ledger_path(settings.ledger)) as reader:
        learned = reader.rates()
    assert [each.operation for each in learned] == ["CreateProxySession"]
    assert learned[0].rate == pytest.approx(8.0, rel=0.3)
    assert first.summary.rate.learned == pytest.approx(learned[0].rate, abs=0.001)
