"""Columns from the objects of a JSONL file, taken apart by a type of all the keys seen so far."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Sequence
from functools import partial
from typing import Any, TypeAlias

import msgspec
from msgspec import UNSET, UnsetType
from msgspec.structs import astuple

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
            rows = [astuple(self._parse(line)) for line in lines]
        except (ValueError, RecursionError):
            return None
        terms = self._known.of(row[self._first_term :] for row in rows)
        said = partial(self._said, list(zip(*rows, strict=True)), len(rows))
        pairs, names, job_ids = said(PAIR), said("name"), said("job_id")
        if terms is None or pairs is None or names is None or job_ids is None:
            return None
        paired = zip(*(pair or _NOBODY for pair in pairs), strict=True) if any(pairs) else _NOBODY
        firsts, seconds = map(said, PARTICIPANTS, paired)
        if firsts is None or seconds is None:
            return None
        return Columns(
            cells=[line.strip() for line in lines],
            terms=terms,
            firsts=firsts,
            seconds=seconds,
            names=names,
            job_ids=job_ids,
        )

    def _said(
        self,
        columns: Sequence[Sequence[Any]],
        rows: int,
        column: str,
        already: Sequence[Any] = (),
    ) -> Sequence[Any] | None:
        """What each row says of a column under any of its keys; None if one says two things."""
        said = already
        for index in self._places.get(column, ()):
            more = columns[index]
            if any(one and other for one, other in zip(said, more, strict=False)):
                return None
            said = [one or other for one, other in zip(said, more, strict=True)] if said else more
        return said or ("",) * rows

    def _learn(self, keys: Collection[str]) -> None:
        """Make a type for objects of these keys; those that tell terms are its last members."""
        self._keys_known = len(keys)
        fit = [key for key in keys if _UNFIT_FOR_A_TYPE.isdisjoint(key)][:_KEYS_MAXIMUM]
        fit.sort(key=lambda key: column_of(key) in _TERMS)
        columns = list(map(column_of, fit))
        names = [f"f{index}" for index in range(len(fit))]
        types = (_TYPE_OF.get(column, _CARRIED) for column in columns)
        members = [(name, *type_) for name, type_ in zip(names, types, strict=True)]
        spelling = dict(zip(names, fit, strict=True))
        row = msgspec.defstruct(
            "Row", members, rename=spelling, forbid_unknown_fields=True, gc=False
        )
        self._parse: Callable[[str], msgspec.Struct] = msgspec.json.Decoder(row).decode
        self._first_term = sum(column not in _TERMS for column in columns)
        self._term_keys = fit[self._first_term :]
        self._places = {
            column: [index for index, other in enumerate(columns) if other == column]
            for column in columns
        }

    def _fields(self, terms: Iterable[object]) -> dict[str, object] | None:
        said = zip(self._term_keys, terms, strict=True)
        # Through JSON, so that a tuple is a list again and an object a dict.
        told = gather({key: _decode(_encode(term)) for key, term in said if term is not UNSET})
        return None if told.faults else told.fields
