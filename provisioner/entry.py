"""Rows as they are recorded: named, and their requests as the text that will be sent."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from hashlib import sha256
from zlib import crc32

import msgspec

from provisioner.job import Problem
from provisioner.session import SessionRequest, session_name

_IDENTITY_DIGITS = 32
_FIRST, _SECOND, _NAME = "+1", "+2", "N"
_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder(SessionRequest).decode


class Entry(msgspec.Struct, frozen=True, kw_only=True, array_like=True, gc=False):
    """One row of a job file, read, validated and ready to be recorded.

    `number` counts data rows from 1. `cells` is JSON text of the row's own columns, verbatim: an
    array of strings for CSV, an object for JSONL, or one string for a line that is neither. `key`
    is the row's identity, `body` the API's JSON, `fingerprint` what it shares with its session,
    `connector` the voice connector's id; all None for a row with `problems`.
    """

    number: int
    line: int
    cells: str
    key: str | None = None
    body: str | None = None
    fingerprint: int | None = None
    connector: str | None = None
    problems: tuple[Problem, ...] = ()

    @property
    def request(self) -> SessionRequest | None:
        """What `body` asks for."""
        return None if self.body is None else _decode(self.body)


class Block(msgspec.Struct, frozen=True, kw_only=True, tag="block"):
    """Valid rows, column by column; members as in Entry. `connectors` are those of all rows."""

    numbers: list[int]
    lines: list[int]
    cells: list[str]
    keys: list[str]
    bodies: list[str]
    fingerprints: list[int]
    connectors: set[str]

    def __len__(self) -> int:
        return len(self.numbers)

    def __iter__(self) -> Iterator[Entry]:
        for number, line, cells, key, body, fingerprint in zip(
            self.numbers,
            self.lines,
            self.cells,
            self.keys,
            self.bodies,
            self.fingerprints,
            strict=True,
        ):
            yield Entry(
                number=number,
                line=line,
                cells=cells,
                key=key,
                body=body,
                fingerprint=fingerprint,
                connector=_decode(body).voice_connector_id,
            )


class Terms(msgspec.Struct, frozen=True):
    """What a request says beside its pair and its Name, as the text around them."""

    opening: str
    middle: str
    rest: str
    connector: str

    def spell(
        self, first: str, second: str, name: str, key: str, campaign: str | None
    ) -> tuple[str, str, int]:
        """Key, body and fingerprint of the row of this pair, in E.164.

        Without a `key` it is known by what it asks for. In a campaign, a row that brings no Name
        gets one to find its session again by.
        """
        opening = f'{self.opening}{first}","{second}{self.middle}'
        body = f'{opening},"Name":"{name}"{self.rest}' if name else opening + self.rest
        key = key or identity(body)
        if not name and campaign is not None:
            name = session_name(campaign, key)
            body = f'{opening},"Name":"{name}"{self.rest}'
        numbers = f"{first} {second}" if first < second else f"{second} {first}"
        return key, body, crc32(f"{name} {numbers}".encode())


def terms_of(request: SessionRequest) -> Terms:
    """The terms of a request; its numbers and its Name need no escape in JSON."""
    like = msgspec.structs.replace(request, participants=(_FIRST, _SECOND), name=_NAME)
    opening, _, further = _encode(like).decode().partition(f'{_FIRST}","{_SECOND}')
    middle, _, rest = further.partition(f',"Name":"{_NAME}"')
    return Terms(opening, middle, rest, request.voice_connector_id)


def entry(
    number: int,
    line: int,
    cells: str,
    *,
    request: SessionRequest,
    key: str = "",
    campaign: str | None = None,
) -> Entry:
    """The row of a request, as `Terms.spell` gives it."""
    first, second = request.participants
    terms = terms_of(request)
    key, body, shared = terms.spell(first, second, request.name or "", key, campaign)
    return Entry(
        number=number,
        line=line,
        cells=cells,
        key=key,
        body=body,
        fingerprint=shared,
        connector=terms.connector,
    )


def identity(body: str) -> str:
    """What a row without a `job_id` is known by: 128 bits of SHA-256, hexadecimal.

    The order of the participants counts: geographic matching looks at the first.
    """
    return sha256(body.encode()).hexdigest()[:_IDENTITY_DIGITS]


def fingerprint(name: str | None, numbers: Iterable[str]) -> int:
    """32 bits of a session's Name and its numbers, all in E.164 with their `+`, in no order.

    Equal fingerprints prove nothing: they say which few jobs to compare with.
    """
    return _crc(name or "", " ".join(sorted(numbers)))


def _crc(name: str, numbers: str) -> int:
    return crc32(f"{name} {numbers}".encode("utf-8", "surrogatepass"))
