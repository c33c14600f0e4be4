"""Epoch seconds as text."""

from __future__ import annotations

from datetime import UTC, datetime


def iso(at: float) -> str:
    """ISO-8601 in UTC with milliseconds."""
    moment = datetime.fromtimestamp(at, UTC).isoformat(timespec="milliseconds")
    return moment.replace("+00:00", "Z")
