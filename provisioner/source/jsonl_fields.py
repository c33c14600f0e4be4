"""What a JSON object says of our columns: several spellings, the pair, the geographic object."""

from collections.abc import Mapping

import msgspec

from provisioner.source.columns import GEO_MATCH_PARAMS, PAIR, PARTICIPANTS, column_of
from provisioner.source.numbers import canonical_number
from provisioner.source.validation import Fault, is_empty
from provisioner.source.values import InvalidValueError

_GEO_COLUMNS = {"Country": "geo_match_country", "AreaCode": "geo_match_area_code"}
_TOLD_BY = {PAIR: PARTICIPANTS, GEO_MATCH_PARAMS: tuple(_GEO_COLUMNS.values())}


class Gathered(msgspec.Struct, kw_only=True):
    """Raw values by column, the key that said each, and what cannot be told from the object.

    `settled` are the columns whose fault is already among `faults`.
    """

    fields: dict[str, object] = msgspec.field(default_factory=dict)
    labels: dict[str, str] = msgspec.field(default_factory=dict)
    faults: list[Fault] = msgspec.field(default_factory=list)
    settled: set[str] = msgspec.field(default_factory=set)

    def say(self, column: str, key: str, value: object) -> None:
        """Note that `key` gives `column` a value; a second one has to agree with the first."""
        if is_empty(value):
            self.labels.setdefault(column, key)
        elif column not in self.fields:
            self.fields[column], self.labels[column] = value, key
        elif not _agree(self.fields[column], value):
            message = f"{self.labels[column]} and {key} say different things; keep one of them"
            self.blame(column, Fault(column=column, value=value, message=message))

    def blame(self, column: str, fault: Fault) -> None:
        """Record a fault that makes what `column` tells unusable."""
        self.faults.append(fault)
        self.settled.update(_TOLD_BY.get(column, (column,)))


def gather(record: Mapping[str, object]) -> Gathered:
    """Everything an object says of our columns."""
    gathered = Gathered()
    for key, value in record.items():
        column = column_of(key)
        if column is None:
            continue
        if column not in _TOLD_BY:
            gathered.say(column, key, value)
        elif not is_empty(value):
            _unfold(gathered, column, key, value)
    return gathered


def _unfold(gathered: Gathered, column: str, key: str, value: object) -> None:
    try:
        told = _pair(value) if column == PAIR else _geo_match(value)
    except InvalidValueError as error:
        gathered.labels[column] = key
        gathered.blame(column, Fault(column=column, value=value, message=str(error)))
    else:
        for each, part in told.items():
            gathered.say(each, key, part)


def _pair(value: object) -> dict[str, object]:
    if not isinstance(value, list) or len(value) != len(PARTICIPANTS):
        raise InvalidValueError(
            'takes exactly two phone numbers; write it such as ["+14155550100", "+14155550101"]'
        )
    return dict(zip(PARTICIPANTS, value, strict=True))


def _geo_match(value: object) -> dict[str, object]:
    if not isinstance(value, dict) or value.keys() != _GEO_COLUMNS.keys():
        raise InvalidValueError(
            "takes Country and AreaCode, both and nothing else; "
            'write it such as {"Country": "US", "AreaCode": "415"}'
        )
    return {column: value[member] for member, column in _GEO_COLUMNS.items()}


def _agree(one: object, other: object) -> bool:
    if isinstance(one, str) and isinstance(other, str):
        return one.strip() == other.strip() or (
            canonical_number(one) == canonical_number(other) is not None
        )
    return one == other
