"""A block of rows validated column by column; None where any of them is not plainly sound.

`Validator.examine` is the whole truth of a row. What is accepted here it accepts too, as the same.
"""

import re
from collections.abc import Iterable, Sequence
from operator import eq

import msgspec

from provisioner.entry import Block, Terms
from provisioner.session import NAME
from provisioner.source.numbers import E164, canonical_number
from provisioner.source.values import JOB_ID_LENGTH


def _each(pattern: re.Pattern[str]) -> re.Pattern[str]:
    return re.compile(rf"(?:(?:{pattern.pattern})\n)*+")


_NUMBER_LINES = _each(E164)
_NAME_LINES = _each(NAME)


class Columns(msgspec.Struct, frozen=True, kw_only=True):
    """What rows say, as it stands there; `terms` is all but the pair, the Name and the job id."""

    cells: list[str]
    terms: list[Terms]
    firsts: Sequence[str]
    seconds: Sequence[str]
    names: Sequence[str]
    job_ids: Sequence[str]


def accepted(columns: Columns, number: int, first_line: int, campaign: str | None) -> Block | None:
    """The rows from row `number` on, one to a line."""
    pairs = _pairs(columns.firsts, columns.seconds)
    names, job_ids = _names(columns.names), _job_ids(columns.job_ids)
    if pairs is None or names is None or job_ids is None:
        return None
    rows = zip(columns.terms, *pairs, names, job_ids, strict=True)
    spelled = [
        terms.spell(first, second, name, job_id, campaign)
        for terms, first, second, name, job_id in rows
    ]
    keys, bodies, fingerprints = map(list, zip(*spelled, strict=True))
    return Block(
        numbers=list(range(number, number + len(names))),
        lines=list(range(first_line, first_line + len(names))),
        cells=columns.cells,
        keys=keys,
        bodies=bodies,
        fingerprints=fingerprints,
        connectors={terms.connector for terms in columns.terms},
    )


def _pairs(
    firsts: Sequence[str], seconds: Sequence[str]
) -> tuple[Sequence[str], Sequence[str]] | None:
    first_numbers, second_numbers = _numbers(firsts), _numbers(seconds)
    if first_numbers is None or second_numbers is None:
        return None
    return None if any(map(eq, first_numbers, second_numbers)) else (first_numbers, second_numbers)


def _names(texts: Iterable[str]) -> list[str] | None:
    stripped = [text.strip() for text in texts]
    return stripped if _all_match(_NAME_LINES, stripped) else None


def _job_ids(texts: Iterable[str]) -> list[str] | None:
    stripped = [text.strip() for text in texts]
    short = max(map(len, stripped)) <= JOB_ID_LENGTH
    return stripped if short and "".join(stripped).isprintable() else None


def _numbers(texts: Sequence[str]) -> Sequence[str] | None:
    if _all_match(_NUMBER_LINES, texts):
        return texts
    numbers = [number for text in texts if (number := canonical_number(text))]
    return numbers if len(numbers) == len(texts) else None


def _all_match(pattern: re.Pattern[str], texts: Sequence[str]) -> bool:
    joined = "\n".join(texts) + "\n"
    return joined.count("\n") == len(texts) and pattern.fullmatch(joined) is not None
