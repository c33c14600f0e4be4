"""A summary as text for people, at most 80 columns wide but for paths."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator

import msgspec

from provisioner.errors import ExitCode
from provisioner.report.bottleneck import Limits
from provisioner.report.summary import Audit, Cause, Summary

_WIDTH = 80
_LABEL = 14
_INDENT = "      "
_IN_A_SENTENCE = {"needs_review": "in need of review"}
_MINUTE = 60
_A_PERCENT = 0.01
_RESOURCES = {"cpu": "CPU", "waiting": "waits"}
_AGAIN = "Run the same command again to go on with the pending rows."
_NEXT: dict[int, str] = {
    ExitCode.ROWS_FAILED: (
        "The columns _error_code and _error_message of the failed and rejected files tell why; "
        "`--retry-failed` sends failed rows again."
    ),
    ExitCode.HALTED: (
        "Too much went wrong, so the rest was not sent. Find out why before you send it."
    ),
    ExitCode.NEEDS_REVIEW: (
        "Whether the rows that need review have a session is not known, so they are not sent "
        "again. `provisioner reconcile` settles them."
    ),
    ExitCode.SERVICE: (
        "The voice connector is missing or disabled, or the service is unwell or out of reach: "
        "`provisioner doctor` tells which."
    ),
    ExitCode.CREDENTIALS: (
        "The credentials are missing, expired or lack a permission: `provisioner doctor` tells "
        "which."
    ),
    ExitCode.UNEXPECTED: "The run ended with an unexpected error: see the log.",
}


def render_summary(summary: Summary) -> str:
    """What happened, what to do next, where the files are; ends with a line end."""
    return "\n".join(_lines(summary)) + "\n"


def seconds_text(seconds: float) -> str:
    """A duration in three digits or so: `63.8ms`, `12.3s`, `3m12s`, `2h05m`."""
    if 0 < seconds < 1:
        return f"{seconds * 1000:.3g}ms"
    if seconds < _MINUTE:
        return f"{seconds:.3g}s"
    minutes, rest = divmod(round(seconds), _MINUTE)
    hours, minutes_left = divmod(minutes, _MINUTE)
    return f"{hours}h{minutes_left:02}m" if hours else f"{minutes}m{rest:02}s"


def _lines(summary: Summary) -> Iterator[str]:
    yield from _wrapped(_headline(summary))
    yield from _wrapped(f"Stopped: {summary.stopped}." if summary.stopped else "")
    yield from _wrapped(_NEXT.get(summary.exit_code, ""))
    yield from _wrapped(_AGAIN if summary.counts["pending"] else "")
    yield ""
    yield from _rows(summary)
    yield ""
    yield from _calls(summary)
    yield from _audit(summary.audit)
    if summary.causes:
        yield ""
        for cause in summary.causes:
            yield from _cause(cause)


def _wrapped(text: str) -> list[str]:
    return textwrap.wrap(text, _WIDTH, break_on_hyphens=False)


def _headline(summary: Summary) -> str:
    created, total = summary.counts["created"], summary.input.rows
    named = f"Campaign {summary.campaign}"
    if created == total:
        return f"{named} is complete: all {total:,} rows created."
    others = (
        f"{rows:,} {_IN_A_SENTENCE.get(name, name)}"
        for name, rows in summary.counts.items()
        if rows and name != "created"
    )
    state = "stopped early" if summary.counts["pending"] else "finished"
    return f"{named} {state}: {created:,} of {total:,} rows created, {', '.join(others)}."


def _rows(summary: Summary) -> Iterator[str]:
    digits = max(len(f"{rows:,}") for rows in summary.counts.values())
    for name, rows in summary.counts.items():
        path = f"  {summary.files[name]}" if rows and name in summary.files else ""
        yield f"  {name.replace('_', ' '):<{_LABEL}}{rows:>{digits},}{path}"


def _calls(summary: Summary) -> Iterator[str]:
    calls = summary.calls
    of_which = f"{calls.throttled:,} throttled, {calls.retried:,} retried"
    doubtful = f", {calls.ambiguous:,} ambiguous, {calls.adopted:,} adopted"
    yield f"  {'calls':<{_LABEL}}{calls.attempts:,} ({of_which}{doubtful})"
    timing, latency = summary.timing, summary.timing.latency
    if timing.seconds is not None:
        took = f"{seconds_text(timing.seconds)}, {timing.rate_achieved:,.1f} calls/s"
        yield f"  {'this run':<{_LABEL}}{took}"
    if latency.max is not None:
        shown = ("p50", "p90", "p99", "max")
        values = (f"{name} {seconds_text(getattr(latency, name))}" for name in shown)
        yield f"  {'latency':<{_LABEL}}{', '.join(values)}"
        yield from _limits(timing.limited_by)


def _limits(limits: Limits) -> Iterator[str]:
    """What to raise if the run should be faster; the largest share first."""
    shares = msgspec.structs.asdict(limits)
    percents = {name: round(100 * share) for name, share in shares.items() if share >= _A_PERCENT}
    named = sorted(percents, key=lambda name: -percents[name])
    if named:
        told = ", ".join(f"{_RESOURCES.get(name, name)} {percents[name]} %" for name in named)
        yield f"  {'limited by':<{_LABEL}}{told}"


def _audit(audit: Audit) -> Iterator[str]:
    if audit.duplicates or audit.orphans:
        found = f"{audit.duplicates:,} duplicates, {audit.orphans:,} orphans"
        yield f"  {'audit':<{_LABEL}}{found}: `provisioner reconcile` lists them"
    if audit.unlisted:
        connectors = ", ".join(audit.unlisted)
        yield f"  {'not listed':<{_LABEL}}{connectors}: chime:ListProxySessions allowed?"


def _cause(cause: Cause) -> Iterator[str]:
    said = " ".join(cause.message.split())
    text = f"  {cause.rows:,} x {cause.code}{': ' if said else ''}{said}"
    yield text if len(text) <= _WIDTH else text[: _WIDTH - 3] + "..."
    yield from textwrap.wrap(
        cause.hint,
        _WIDTH,
        initial_indent=_INDENT,
        subsequent_indent=_INDENT,
        break_on_hyphens=False,
    )
