"""Rows as they are recorded: named, and their requests as the text that will be sent."""

from __future__ import annotations

from collections.abc import Iterable
from zlib import crc32

import msgspec

from provisioner.job import Problem, Row
from provisioner.session import session_name

_encode = msgspec.json.Encoder().encode


class Entry(msgspec.Struct, frozen=True, kw_only=True, array_like=True, gc=False):
    """A row ready to be recorded; `number`, `line`, `cells`, `key`, `problems` as in `Row`.

    `request` is the API's JSON, `fingerprint` what it shares with its session, `connector` the
    voice connector's id; None for a row with problems.
    """

    number: int
    line: int
    cells: str
    key: str | None = None
    request: str | None = None
    fingerprint: int | None = None
    connector: str | None = None
    problems: tuple[Problem, ...] = ()


def entry(row: Row, campaign: str | None = None) -> Entry:
    """The entry of a row; in a campaign, one that brings no Name gets one to find it again by."""
    request, key = row.request, row.key
    if request is None or key is None:
        return Entry(
            number=row.number, line=row.line, cells=row.cells, key=key, problems=row.problems
        )
    if campaign is not None and not request.name:
        request = msgspec.structs.replace(request, name=session_name(campaign, key))
    return Entry(
        number=row.number,
        line=row.line,
        cells=row.cells,
        key=key,
        request=_encode(request).decode(),
        fingerprint=fingerprint(request.name, request.participants),
        connector=request.voice_connector_id,
    )


def fingerprint(name: str | None, numbers: Iterable[str]) -> int:
    """32 bits of a session's Name and its numbers, all in E.164 with their `+`, in no order.

    Equal fingerprints prove nothing: they say which few jobs to compare with.
    """
    return crc32(f"{name or ''} {' '.join(sorted(numbers))}".encode("utf-8", "surrogatepass"))
