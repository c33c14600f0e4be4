"""A call's outcome as a log line, and how loud it is."""

from __future__ import annotations

import logging
from collections import Counter
from typing import TYPE_CHECKING

from provisioner.events import OutcomeRecorded
from provisioner.job import JobState, Verdict

if TYPE_CHECKING:
    from structlog.typing import FilteringBoundLogger

ALIKE = 20
"""So many that are alike are each worth a warning: rows with one error code, strays of a kind."""

LEVELS = {
    Verdict.CREATED: logging.DEBUG,
    Verdict.RETRYABLE: logging.DEBUG,
    Verdict.REFUSED: logging.WARNING,
    Verdict.AMBIGUOUS: logging.WARNING,
    Verdict.FATAL: logging.ERROR,
}
_TITLES = {
    Verdict.CREATED: "session created",
    Verdict.RETRYABLE: "call to be retried",
    Verdict.REFUSED: "call refused",
    Verdict.AMBIGUOUS: "call ambiguous",
    Verdict.FATAL: "call refused for other rows, too",
}


class OutcomeLines:
    """One line a row, but what befalls many rows alike is a warning for the first of them only."""

    def __init__(self) -> None:
        self._alike = Counter[tuple[Verdict, str | None]]()

    def __call__(self, logger: FilteringBoundLogger, event: OutcomeRecorded) -> None:
        """Tell one."""
        outcome = event.outcome
        gave_up = outcome.verdict is Verdict.RETRYABLE and event.state is JobState.FAILED
        level = logging.WARNING if gave_up else LEVELS[outcome.verdict]
        if level != logging.WARNING:
            _outcome(logger, event, level, _TITLES[outcome.verdict])
            return
        kind = outcome.verdict, outcome.error_code
        self._alike[kind] += 1
        title = "row given up" if gave_up else _TITLES[outcome.verdict]
        loud = self._alike[kind] <= ALIKE
        _outcome(logger, event, level if loud else logging.INFO, title)
        if self._alike[kind] == ALIKE:
            logger.warning("more of these are told at info only", error_code=outcome.error_code)


def _outcome(logger: FilteringBoundLogger, event: OutcomeRecorded, level: int, title: str) -> None:
    outcome = event.outcome
    facts = {
        "status": outcome.status,
        "error_code": outcome.error_code,
        "message": outcome.message,
        "request_id": outcome.request_id,
        "throttled": outcome.throttled or None,
        "retry_in": event.retry_in and round(event.retry_in, 3),
    }
    logger.log(
        level,
        title,
        job_key=event.job_key,
        attempt=event.attempt,
        latency=round(event.latency, 3),
        **{name: value for name, value in facts.items() if value is not None},
    )
