"""Columns from the objects of a JSONL file, taken apart by a type of all the keys seen so far."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from itertools import repeat
from operator import attrgetter
from typing import Any, TypeAlias

import msgspec
from msgspec import UNSET, UnsetType

from provisioner.source.columns import GEO_MATCH_PARAMS, PAIR, PARTICIPANTS, TERMS, column_of
from provisioner.source.in_bulk import Columns
from provisioner.source.jsonl_fields import gather
from provisioner.source.known_terms import KnownTerms
from provisioner.source.validation import Validator

_KEYS_MAXIMUM = 256
_UNFIT_FOR_A_TYPE = frozenset({'"', "\\", *map(chr, range(32))})
_NOBODY = ("", "")
_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder().decode


class _GeoMatch(msgspec.Struct, frozen=True, rename="pascal", forbid_unknown_fields=True):
    country: str
    area_code: str


_Row: TypeAlias = Any
"""An object, of the type that was made for the keys of its file."""
_Getter: TypeAlias = Callable[[_Row], Any]
# No floats and booleans: 1, 1.0 and True would be one when looked up.
_Term: TypeAlias = str | int | tuple[str, ...] | _GeoMatch | UnsetType | None
_TERMS = frozenset({*TERMS, GEO_MATCH_PARAMS})
_TYPE_OF: dict[str | None, tuple[object, object]] = {
    PAIR: (tuple[str, str], ()),
    **dict.fromkeys((*PARTICIPANTS, "name", "job_id"), (str, "")),
    **dict.fromkeys(_TERMS, (_Term, UNSET)),
}
_Scalar: TypeAlias = str | int | float | bool | None
_Flat: TypeAlias = _Scalar | list[_Scalar] | dict[str, _Scalar]
_Nested: TypeAlias = _Scalar | list[_Flat] | dict[str, _Flat]
_CARRIED: tuple[object, object] = (_Nested, None)


class ObjectKinds:
    """Takes objects apart that say each thing once, in the usual types."""

    def __init__(self, validator: Validator) -> None:
        self._known = KnownTerms[Any](validator, self._fields)
        self._learn(())

    def columns(self, lines: Sequence[str], keys: Collection[str]) -> Columns | None:
        """What the objects on these lines say; None if one has a key that is not in `keys`.

        `keys` only ever grow.
        """
        if len(keys) != self._keys_known:
            self._learn(keys)
        try:
            rows = [self._parse(line) for line in lines]
        except (ValueError, RecursionError):
            return None
        terms = self._known.of(map(self._terms, rows))
        firsts, seconds = self._pairs(rows)
        names, job_ids = self._said(rows, "name"), self._said(rows, "job_id")
        if terms is None or firsts is None or seconds is None or names is None or job_ids is None:
            return None
        return Columns(
            cells=[line.strip() for line in lines],
            terms=terms,
            firsts=firsts,
            seconds=seconds,
            names=names,
            job_ids=job_ids,
        )

    def _pairs(self, rows: Sequence[_Row]) -> Iterator[Sequence[str] | None]:
        pairs = self._said(rows, PAIR)
        if pairs is None:
            return repeat(None, 2)
        paired = zip(*(pair or _NOBODY for pair in pairs), strict=True)
        return map(self._said, repeat(rows), PARTICIPANTS, paired if any(pairs) else repeat(None))

    def _said(
        self, rows: Sequence[_Row], column: str, already: Sequence[Any] | None = None
    ) -> Sequence[Any] | None:
        """What each row says of a column under any of its keys; None if one says two things."""
        said = already
        for get in self._getters.get(column, ()):
            more = list(map(get, rows))
            if said is None:
                said = more
            elif any(one and other for one, other in zip(said, more, strict=True)):
                return None
            else:
                said = [one or other for one, other in zip(said, more, strict=True)]
        return ("",) * len(rows) if said is None else said

    def _learn(self, keys: Collection[str]) -> None:
        """Make a type for objects of these keys."""
        self._keys_known = len(keys)
        fit = [key for key in keys if _UNFIT_FOR_A_TYPE.isdisjoint(key)]
        members = {f"f{i}": key for i, key in enumerate(fit[:_KEYS_MAXIMUM])}
        columns = {member: column_of(key) for member, key in members.items()}
        row = msgspec.defstruct(
            "Row",
            [(member, *_TYPE_OF.get(columns[member], _CARRIED)) for member in members],
            rename=members,
            forbid_unknown_fields=True,
            gc=False,
        )
        self._parse: Callable[[str], _Row] = msgspec.json.Decoder(row).decode
        self._getters: dict[str | None, list[_Getter]] = {}
        for member, column in columns.items():
            self._getters.setdefault(column, []).append(attrgetter(member))
        terms = [member for member, column in columns.items() if column in _TERMS]
        self._term_keys = [members[member] for member in terms]
        self._terms = _all_of(terms)

    def _fields(self, terms: Iterable[object]) -> dict[str, object] | None:
        said = zip(self._term_keys, terms, strict=True)
        # Through JSON, so that a tuple is a list again and an object a dict.
        told = gather({key: _decode(_encode(term)) for key, term in said if term is not UNSET})
        return None if told.faults else told.fields


def _all_of(members: Sequence[str]) -> Callable[[_Row], tuple[object, ...]]:
    if len(members) > 1:
        return attrgetter(*members)
    return lambda row: tuple(getattr(row, member) for member in members)
