"""Judges a night by the emulator's record and the rows' results; our own code is not asked."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from http import HTTPStatus

import msgspec

from provisioner.emulator.emulator import Emulator
from provisioner.emulator.record import Record
from provisioner.job import JobState
from provisioner.pacing.bucket import least_burst
from provisioner.record import RowResult
from provisioner.session import Session
from tests.simulation.process import Process
from tests.simulation.scenario import Scenario
from tests.simulation.wire import Call, Wire

FINAL = {
    JobState.CREATED,
    JobState.FAILED,
    JobState.NEEDS_REVIEW,
    JobState.REJECTED,
    JobState.DUPLICATE,
}
ROUNDING = 1e-6


class Evidence(msgspec.Struct, kw_only=True):
    """All that the checker may look at; `forgotten` are sessions that closed before adoption."""

    scenario: Scenario
    emulator: Emulator
    wire: Wire
    processes: Sequence[Process]
    rows: Sequence[RowResult]
    forgotten: frozenset[str] = frozenset()


def violations(evidence: Evidence) -> list[str]:
    """Every promise that the night broke, in words."""
    return [
        *_rows_are_all_there(evidence),
        *_each_row_is_settled(evidence),
        *_sessions_match_rows(evidence),
        *_every_call_had_its_intent(evidence),
        *_each_attempt_called_once(evidence),
        *_the_rate_was_kept(evidence),
        *_orderly_ends_left_nothing_in_flight(evidence),
    ]


def _rows_are_all_there(evidence: Evidence) -> Iterator[str]:
    wanted = [row.number for row in evidence.scenario.rows]
    found = sorted(row.number for row in evidence.rows)
    if wanted != found:
        yield f"rows: {len(wanted)} went in, {len(found)} came out"


def _each_row_is_settled(evidence: Evidence) -> Iterator[str]:
    for row in evidence.rows:
        if row.state not in FINAL:
            yield f"unsettled: row {row.number} ended as {row.state}"


def _sessions_match_rows(evidence: Evidence) -> Iterator[str]:
    records = {record.id: record for record in evidence.emulator.service.records()}
    made: dict[str | None, list[Call]] = defaultdict(list)
    for call in evidence.wire.calls:
        if call.session_id is not None:
            made[call.intent.job_key if call.intent else None].append(call)
    if len(records) != sum(map(len, made.values())):
        yield "the harness lost sight of a session"
    yield from (f"orphan: {call.session_id} belongs to no job" for call in made.pop(None, []))
    for row in evidence.rows:
        calls = made.pop(row.key, []) if row.request else []
        calls = [call for call in calls if call.session_id not in evidence.forgotten]
        yield from _row_matches(row, calls, records)
        yield from _strays_are_told(row, calls, evidence, records)
    yield from (f"orphan: a session of {key}, which no row is" for key in made)


def _row_matches(row: RowResult, made: list[Call], records: dict[str, Record]) -> Iterator[str]:
    honest = [call for call in made if call.status != HTTPStatus.SERVICE_UNAVAILABLE]
    if len(honest) > 1:
        yield f"duplicate: {row.key} has {len(honest)} sessions"
    if row.state is JobState.FAILED and honest:
        yield f"lost: {row.key} failed and has a session"
    if row.state is JobState.CREATED:
        yield from _created_is_true(row, [call.session_id for call in made], records)


def _strays_are_told(
    row: RowResult, made: list[Call], evidence: Evidence, records: dict[str, Record]
) -> Iterator[str]:
    """A 503 that lied leaves a session behind: `reconcile` finds it, and a run its own."""
    if all(call.status != HTTPStatus.SERVICE_UNAVAILABLE for call in made):
        return
    own = msgspec.json.decode(row.session_json or b"{}").get("ProxySessionId")
    if row.state is JobState.NEEDS_REVIEW and len(made) == 1:
        return
    told = {each for process in evidence.processes for each in process.reported}
    for call in made:
        if call.session_id == own or _has_vanished(call, evidence, records):
            continue
        if call.session_id not in told:
            yield f"unreported: {row.key} has a session of {call.status} that nobody tells of"
        elif row.state is not JobState.NEEDS_REVIEW and not _its_run_told(call, evidence):
            yield f"unaudited: {row.key} has a session of {call.status} its run does not tell of"


def _has_vanished(call: Call, evidence: Evidence, records: dict[str, Record]) -> bool:
    """Whether the service lists a session no more: nobody can tell of it then."""
    closed = call.session_id is not None and records[call.session_id].ended_at is not None
    return closed and evidence.emulator.settings.closed_retention is not None


def _its_run_told(call: Call, evidence: Evidence) -> bool:
    """What was seen of a 503 by a run that came to its end; of any other, only `reconcile` tells.

    Exempt is what a wrong clock measures, whom somebody else works beside, and a 201, which was
    the row's own until a ledger made anew took another.
    """
    run = evidence.processes[call.life]
    if call.status == HTTPStatus.CREATED:
        return True
    if not run.audited or run.jumped or run.stolen or run.has_company or call.was_held_up:
        return True
    return any(call.session_id in each.told for each in evidence.processes[: run.number + 1])


def _created_is_true(
    row: RowResult, made: list[str | None], records: dict[str, Record]
) -> Iterator[str]:
    session = msgspec.json.decode(row.session_json, type=Session) if row.session_json else None
    if session is None or session.proxy_session_id not in made:
        yield f"wrong: {row.key} is created with a session that is not its own"
        return
    record = records[session.proxy_session_id]
    told = {each.phone_number: each.proxy_phone_number for each in session.participants}
    true = dict(zip(record.request.participant_phone_numbers, record.proxies, strict=True))
    if told != true:
        yield f"wrong: {row.key} has other proxy numbers than its session"


def _every_call_had_its_intent(evidence: Evidence) -> Iterator[str]:
    for process in evidence.processes:
        for call in process.unrecorded:
            who = call.intent.job_key if call.intent else "nobody"
            yield f"intent: a call for {who} left without one on disk"


def _each_attempt_called_once(evidence: Evidence) -> Iterator[str]:
    ledgers = [process.ledger for process in evidence.processes]
    calls = Counter(
        (ledgers[call.life], call.intent.attempt_id) for call in evidence.wire.calls if call.intent
    )
    for (_, attempt), count in calls.items():
        if count > 1:
            yield f"repeated: attempt {attempt} was sent {count} times"


def _the_rate_was_kept(evidence: Evidence) -> Iterator[str]:
    pace = evidence.scenario.pace
    excess = (pace.burst or least_burst(pace.rate)) + ROUNDING
    times: dict[int, list[float]] = defaultdict(list)
    for call in evidence.wire.calls:
        times[call.life].append(call.left_at - call.stalled)
    for life, sent in times.items():
        worst = _most_above(sorted(sent), pace.rate)
        if worst > excess:
            yield f"rate: life {life} sent {worst:.2f} calls more than {pace.rate:g}/s allows"


def _most_above(times: list[float], rate: float) -> float:
    """The most calls by which any window exceeds `rate` times its length."""
    worst, least = 0.0, float("inf")
    for index, time in enumerate(times):
        least = min(least, index - rate * time)
        worst = max(worst, index + 1 - rate * time - least)
    return worst


def _orderly_ends_left_nothing_in_flight(evidence: Evidence) -> Iterator[str]:
    for process in evidence.processes:
        # Of two on one ledger, one sees the other's calls.
        alone = not (process.stolen or process.has_company)
        if alone and process.counts.get(JobState.IN_FLIGHT):
            yield f"in flight: life {process.number} ended in order and left calls in doubt"
