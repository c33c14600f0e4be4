"""Judges a night by the emulator's record and the result files; our own code is not asked."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from http import HTTPStatus

import msgspec

from provisioner.emulator.emulator import Emulator
from provisioner.emulator.record import Record
from provisioner.job import JobState
from provisioner.pacing.bucket import least_burst
from provisioner.session import SessionRequest
from tests.simulation.process import Process
from tests.simulation.result_files import ResultRow, Results
from tests.simulation.scenario import Scenario
from tests.simulation.wire import Call, Wire

SENT = {"created", "failed", "needs_review", "pending"}
"""The files of rows that may have been sent; those of the others are about rows only."""
UNMADE = {"failed", "pending"}
"""The files of rows that are said to have no session."""
ROUNDING = 1e-6


class Evidence(msgspec.Struct, kw_only=True):
    """All that the checker may look at; `forgotten` are sessions that closed before adoption.

    `before` are those of an earlier night.
    """

    scenario: Scenario
    emulator: Emulator
    wire: Wire
    processes: Sequence[Process]
    results: Results
    forgotten: frozenset[str] = frozenset()
    before: frozenset[str] = frozenset()


def violations(evidence: Evidence) -> list[str]:
    """Every promise that the night broke, in words."""
    return [
        *_rows_are_all_there(evidence),
        *_counts_are_true(evidence),
        *_each_row_is_settled(evidence),
        *_sessions_match_rows(evidence),
        *_every_call_had_its_intent(evidence),
        *_each_attempt_called_once(evidence),
        *_the_rate_was_kept(evidence),
        *_orderly_ends_left_nothing_in_flight(evidence),
    ]


def misled(evidence: Evidence) -> list[str]:
    """What is not true in the files of a run that has just ended in order, others to follow."""
    made = _made(evidence)
    return [
        f"lost: {row.key} is {row.file} and has a session"
        for row in evidence.results.rows
        if row.file in UNMADE and _honest(made.get(row.key, []))
    ]


def _rows_are_all_there(evidence: Evidence) -> Iterator[str]:
    wanted = [row.number for row in evidence.scenario.rows]
    found = sorted(row.number for row in evidence.results.rows)
    if wanted != found:
        yield f"rows: {len(wanted)} went in, {len(found)} came out"


def _counts_are_true(evidence: Evidence) -> Iterator[str]:
    lines = Counter(row.file for row in evidence.results.rows)
    told = evidence.results.counts
    if lines != +Counter(told):
        yield f"counts: the summary says {told}, the files have {dict(lines)}"


def _each_row_is_settled(evidence: Evidence) -> Iterator[str]:
    for row in evidence.results.rows:
        if row.file == "pending":
            yield f"unsettled: row {row.number} is still pending"


def _sessions_match_rows(evidence: Evidence) -> Iterator[str]:
    records = {record.id: record for record in evidence.emulator.service.records()}
    made = _made(evidence)
    seen = {call.session_id for call in evidence.wire.calls if call.session_id is not None}
    if records.keys() != seen | evidence.before:
        yield "the harness lost sight of a session"
    yield from (f"orphan: {call.session_id} belongs to no job" for call in made.pop(None, []))
    for row in evidence.results.rows:
        calls = made.pop(row.key, []) if row.file in SENT else []
        yield from _row_matches(row, calls, evidence, records)
        yield from _strays_are_told(row, calls, evidence, records)
    yield from (f"orphan: a session of {key}, which no row is" for key in made)


def _made(evidence: Evidence) -> dict[str | None, list[Call]]:
    """The calls that made a session which counts, by the job that they were made for."""
    made: dict[str | None, list[Call]] = defaultdict(list)
    # What was listed just before it closed has been adopted all the same.
    forgotten = evidence.forgotten - {row.session_id for row in evidence.results.rows}
    for call in evidence.wire.calls:
        if call.session_id is not None and call.session_id not in forgotten:
            made[call.intent.job_key if call.intent else None].append(call)
    return made


def _honest(calls: list[Call]) -> list[Call]:
    return [call for call in calls if call.status != HTTPStatus.SERVICE_UNAVAILABLE]


def _row_matches(
    row: ResultRow, made: list[Call], evidence: Evidence, records: dict[str, Record]
) -> Iterator[str]:
    honest = _honest(made)
    if len(honest) > 1:
        yield f"duplicate: {row.key} has {len(honest)} sessions"
    if row.file in UNMADE and honest:
        yield f"lost: {row.key} is {row.file} and has a session"
    if row.file == "created":
        request = evidence.scenario.rows[row.number - 1].request
        assert request is not None
        yield from _created_is_true(row, request, [call.session_id for call in made], records)


def _strays_are_told(
    row: ResultRow, made: list[Call], evidence: Evidence, records: dict[str, Record]
) -> Iterator[str]:
    """A 503 that lied leaves a session behind: `reconcile` finds it, and a run its own."""
    if all(call.status != HTTPStatus.SERVICE_UNAVAILABLE for call in made):
        return
    if row.file == "needs_review" and len(made) == 1:
        return
    told = {each for process in evidence.processes for each in process.reported}
    for call in made:
        if call.session_id == row.session_id or _is_hidden(call, evidence, records):
            continue
        if call.session_id not in told:
            yield f"unreported: {row.key} has a session of {call.status} that nobody tells of"
        elif row.file != "needs_review" and not _its_run_told(call, evidence):
            yield f"unaudited: {row.key} has a session of {call.status} its run does not tell of"


def _is_hidden(call: Call, evidence: Evidence, records: dict[str, Record]) -> bool:
    """Whether the service lists a session no more, or did not once: nobody can tell of it then."""
    if call.session_id in evidence.wire.missed:
        return True
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
    row: ResultRow, request: SessionRequest, made: list[str | None], records: dict[str, Record]
) -> Iterator[str]:
    if row.session_id not in made:
        yield f"wrong: {row.key} is created with a session that is not its own"
        return
    record = records[row.session_id]
    numbers = record.request.participant_phone_numbers
    proxy_of = dict(zip(numbers, record.proxies, strict=True))
    if row.proxies != tuple(map(proxy_of.get, request.participants)):
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
