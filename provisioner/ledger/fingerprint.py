"""A number that a job and the sessions that may be its own have in common."""

from __future__ import annotations

from collections.abc import Iterable
from zlib import crc32


def fingerprint(name: str | None, numbers: Iterable[str]) -> int:
    """32 bits of a session's Name and its numbers, all in E.164 with their `+`, in no order.

    Equal fingerprints prove nothing: they say which few jobs to compare with.
    """
    return crc32(" ".join((name or "", *sorted(numbers))).encode("utf-8", "surrogatepass"))
