"""What an operator reads of a run's events, a log line each."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from provisioner.errors import ExitCode
from provisioner.events import (
    AuditAwaited,
    BreakerClosed,
    BreakerOpened,
    CallSent,
    ConcurrencyChanged,
    ConcurrencyLimits,
    ConnectorSetAside,
    DrainStarted,
    Event,
    EventSink,
    JobSettled,
    ListingFailed,
    OutcomeRecorded,
    OutcomeUnrecorded,
    RateChanged,
    RateLearned,
    RetryUnmatched,
    RunFinished,
    RunStarted,
    SettlingStarted,
    StrayFound,
)
from provisioner.job import JobState
from provisioner.report.exits import file_counts
from provisioner.report.moments import iso
from provisioner.report.outcome_lines import ALIKE, LEVELS, OutcomeLines

if TYPE_CHECKING:
    from structlog.typing import FilteringBoundLogger

_FAR = 0.1


def event_logger(logger: FilteringBoundLogger) -> EventSink:
    """An event sink that tells what an operator wants to read; calls only as far as `level` asks.

    Single calls that went well are debug lines, rows that failed or are in doubt warnings, what
    ends the run an error.
    """
    told = {verdict for verdict, level in LEVELS.items() if logger.is_enabled_for(level)}
    unrecorded, breaker, outcomes = _Unrecorded(), _BreakerLines(), OutcomeLines()
    tellers: dict[type, Callable[[FilteringBoundLogger, Any], None]] = {
        RunStarted: unrecorded.begin,
        RetryUnmatched: _retry_unmatched,
        OutcomeUnrecorded: unrecorded,
        RateChanged: _RateLines(),
        RateLearned: _rate_learned,
        ConcurrencyChanged: _concurrency_changed,
        ConcurrencyLimits: _concurrency_limits,
        BreakerOpened: breaker.open,
        BreakerClosed: breaker.close,
        ConnectorSetAside: _connector_set_aside,
        DrainStarted: _drain_started,
        SettlingStarted: _settling_started,
        AuditAwaited: _audit_awaited,
        ListingFailed: _listing_failed,
        JobSettled: _job_settled,
        StrayFound: _StrayLines(),
        RunFinished: _run_finished,
    }

    def log(event: Event) -> None:
        if isinstance(event, OutcomeRecorded):
            if event.outcome.verdict in told or event.state is JobState.FAILED:
                outcomes(logger, event)
        elif not isinstance(event, CallSent):
            tellers[type(event)](logger, event)

    return log


class _Unrecorded:
    """Tells what only this process knows, with all that finds the session again."""

    def __init__(self) -> None:
        self._campaign = ""

    def begin(self, logger: FilteringBoundLogger, event: RunStarted) -> None:
        self._campaign = event.campaign
        _run_started(logger, event)

    def __call__(self, logger: FilteringBoundLogger, event: OutcomeUnrecorded) -> None:
        outcome = event.outcome
        logger.error(
            "outcome not recorded",
            campaign=self._campaign,
            job_key=event.job_key,
            attempt=event.attempt,
            verdict=outcome.verdict.value,
            proxy_session_id=outcome.session.proxy_session_id if outcome.session else None,
            request_id=outcome.request_id,
            hint="the next run settles this row by listing its connector",
        )


def _run_started(logger: FilteringBoundLogger, event: RunStarted) -> None:
    logger.info(
        "run started",
        campaign=event.campaign,
        rate=event.rate or "auto",
        concurrency=event.concurrency,
        **file_counts(event.counts),
    )


def _retry_unmatched(logger: FilteringBoundLogger, event: RetryUnmatched) -> None:
    """Quiet where nothing failed at all: so it is after a nightly retry that went well."""
    logger.log(
        logging.WARNING if event.failed else logging.INFO,
        "no failed row is sent again",
        asked=event.code,
        failed=", ".join(f"{rows:,} x {code}" for code, rows in event.failed.items()) or "none",
        hint="name a code that rows failed with; --retry-failed alone sends all of them",
    )


class _RateLines:
    """Tells a rate that has moved far since it was last told; a pace that hunts is debug talk.

    A pause, and that it is over, is told loudly. A change from itself is where a run begins.
    """

    def __init__(self) -> None:
        self._told: float | None = None

    def __call__(self, logger: FilteringBoundLogger, event: RateChanged) -> None:
        told = event.previous if self._told is None else self._told
        begins = event.rate == event.previous
        far = begins or abs(event.rate - told) >= _FAR * told
        self._told = event.rate if far else told
        paused = not (event.rate and event.previous)
        logger.log(
            logging.WARNING if paused else logging.INFO if far else logging.DEBUG,
            "rate known" if begins else "rate changed" if event.rate else "calls paused",
            rate=round(event.rate, 2),
            previous=round(told if far else event.previous, 2),
            reason=event.reason,
        )


class _BreakerLines:
    """Tells loudly that the service is left alone, and quietly what follows until it answers."""

    def __init__(self) -> None:
        self._open = False

    def open(self, logger: FilteringBoundLogger, event: BreakerOpened) -> None:
        logger.log(
            logging.INFO if self._open else logging.WARNING,
            "service still unwell" if self._open else "service unwell, calls paused",
            reason=event.reason,
            next_call_in=round(event.seconds, 1),
        )
        self._open = True

    def close(self, logger: FilteringBoundLogger, _: BreakerClosed) -> None:
        logger.warning("service answers again, calls go on")
        self._open = False


def _rate_learned(logger: FilteringBoundLogger, event: RateLearned) -> None:
    logger.info("rate learned", lane=event.lane, rate=round(event.rate, 2))


def _concurrency_changed(logger: FilteringBoundLogger, event: ConcurrencyChanged) -> None:
    logger.debug("concurrency changed", connections=event.connections)


def _concurrency_limits(logger: FilteringBoundLogger, event: ConcurrencyLimits) -> None:
    logger.warning(
        "concurrency limits, not the quota",
        connections=event.connections,
        reachable=round(event.reachable, 2),
        hint="answers are slow for this rate; a larger --concurrency may reach it",
    )


def _drain_started(logger: FilteringBoundLogger, event: DrainStarted) -> None:
    logger.warning("drain started", reason=event.reason, in_flight=event.in_flight)


def _connector_set_aside(logger: FilteringBoundLogger, event: ConnectorSetAside) -> None:
    logger.error(
        "connector set aside",
        voice_connector_id=event.connector_id,
        reason=event.reason,
        hint="its rows stay pending, the others are sent",
    )


def _settling_started(logger: FilteringBoundLogger, event: SettlingStarted) -> None:
    logger.info(
        "waiting to settle",
        ambiguous=event.ambiguous,
        seconds=round(event.until - event.at),
        until=iso(event.until),
    )


def _audit_awaited(logger: FilteringBoundLogger, event: AuditAwaited) -> None:
    logger.info(
        "waiting to audit what answered 503",
        seconds=round(event.until - event.at),
        until=iso(event.until),
    )


def _listing_failed(logger: FilteringBoundLogger, event: ListingFailed) -> None:
    outcome = event.outcome
    forbidden = outcome.fatal_exit == ExitCode.CREDENTIALS
    logger.error(
        "connector not listed",
        voice_connector_id=event.connector_id,
        status=outcome.status,
        error_code=outcome.error_code,
        message=outcome.message,
        hint="allow chime:ListProxySessions"
        if forbidden
        else "`provisioner reconcile` tries again",
    )


def _job_settled(logger: FilteringBoundLogger, event: JobSettled) -> None:
    review = event.state is JobState.NEEDS_REVIEW
    facts = {"proxy_session_id": event.session_id, "reason": event.reason}
    logger.log(
        logging.WARNING if review else logging.INFO,
        "row settled",
        job_key=event.job_key,
        ruling=event.ruling.value,
        state=event.state.value,
        **{name: value for name, value in facts.items() if value is not None},
    )


class _StrayLines:
    """Tells the first strays of a kind: an account may have many that are another ledger's."""

    def __init__(self) -> None:
        self._alike = Counter[str]()

    def __call__(self, logger: FilteringBoundLogger, event: StrayFound) -> None:
        title = "orphan found" if event.owned is None else "duplicate found"
        self._alike[title] += 1
        logger.log(
            logging.WARNING if self._alike[title] <= ALIKE else logging.DEBUG,
            title,
            voice_connector_id=event.connector_id,
            proxy_session_id=event.session_id,
            job_key=event.job_key,
            owned=event.owned,
        )
        if self._alike[title] == ALIKE:
            logger.warning(
                "more of these are told at debug only", hint="`provisioner reconcile` lists all"
            )


def _run_finished(logger: FilteringBoundLogger, event: RunFinished) -> None:
    logger.info("run finished", campaign=event.campaign, **file_counts(event.counts))
