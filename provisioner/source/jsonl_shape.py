"""What the keys of a JSON object mean, worked out once for all rows with the same keys."""

from collections.abc import Callable, Collection, Iterable, Mapping
from operator import itemgetter

import msgspec

from provisioner.source.columns import (
    GEO_MATCH_PARAMS,
    PAIR,
    PARTICIPANTS,
    TERMS,
    column_of,
    is_result_column,
)

_TERMS = frozenset({*TERMS, GEO_MATCH_PARAMS})


class Shape(msgspec.Struct, frozen=True, kw_only=True):
    """The keys of one kind of row.

    `own` are those not added by an earlier run, all of them when `whole`. `terms` takes
    all but the participants, the name and the job id from a row, and `tag` tells which keys those
    are. `pair` takes both participants, and is None where two keys may tell the same.
    """

    own: tuple[str, ...]
    whole: bool
    tag: bytes
    terms: Callable[[Mapping[str, object]], object]
    name: str
    job_id: str
    pair: Callable[[Mapping[str, object]], object] | None


def shape_of(keys: Collection[str]) -> Shape:
    """Sort out the keys of a row."""
    own = tuple(key for key in keys if not is_result_column(key))
    spelling = {column: key for key in own if (column := column_of(key))}
    terms = [key for column, key in spelling.items() if column in _TERMS]
    said_twice = len(spelling) < sum(column_of(key) is not None for key in own)
    return Shape(
        own=own,
        whole=len(own) == len(keys),
        tag=msgspec.json.encode(terms),
        terms=itemgetter(*terms) if terms else _nothing,
        name=spelling.get("name", "name"),
        job_id=spelling.get("job_id", "job_id"),
        pair=None if said_twice else _pair(spelling),
    )


def _pair(spelling: Mapping[str, str]) -> Callable[[Mapping[str, object]], object] | None:
    told = tuple(spelling[column] for column in (PAIR, *PARTICIPANTS) if column in spelling)
    expected: Iterable[str] = (PAIR,) if PAIR in spelling else PARTICIPANTS
    return itemgetter(*told) if told == tuple(map(spelling.get, expected)) else None


def _nothing(_record: Mapping[str, object]) -> None:
    return None
