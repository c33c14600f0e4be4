"""Raw columns in, a session request or every fault out; no file, no line, no format."""

from collections.abc import Mapping

import msgspec

from provisioner.errors import ConfigurationError
from provisioner.session import CAPABILITIES, GeoMatchParams, SessionRequest
from provisioner.settings import RowDefaults
from provisioner.source.columns import PARTICIPANTS
from provisioner.source.values import PARSERS, InvalidValueError

_MISSING = {
    "participant_1": "is empty; write a phone number, such as +14155550100",
    "participant_2": "is empty; write a phone number, such as +14155550100",
    "voice_connector_id": "is empty; write it in the row, or give --voice-connector-id for all",
}


class Fault(msgspec.Struct, frozen=True, kw_only=True):
    """One thing wrong with a row's values; `column` is our name, None for the row as a whole."""

    column: str | None
    value: object = None
    message: str


class Accepted(msgspec.Struct, frozen=True):
    """What a row asks for, and its own job id, empty if it has none."""

    request: SessionRequest
    job_id: str


class Validator:
    """Turns raw columns into requests, under the defaults of one run."""

    def __init__(self, defaults: RowDefaults) -> None:
        self._defaults = _checked_defaults(defaults)

    def examine(self, fields: Mapping[str, object]) -> Accepted | list[Fault]:
        """The verdict on one row; `fields` maps our columns to raw values, in any order."""
        given = {column: value for column, value in fields.items() if not is_empty(value)}
        given = self._defaults | given
        values, faults = _parse(given)
        faults += _contradictions(given, values)
        return faults or Accepted(_request(values), str(values.get("job_id", "")))


def _checked_defaults(defaults: RowDefaults) -> dict[str, object]:
    given = {
        column: value
        for column, value in msgspec.structs.asdict(defaults).items()
        if not is_empty(value)
    }
    for column, value in given.items():
        try:
            PARSERS[column](value)
        except InvalidValueError as error:
            option = "--" + column.replace("_", "-")
            raise ConfigurationError(
                f"{option} {value}: {error}", hint=f"correct {option}, or leave it out"
            ) from error
    return given


def is_empty(value: object) -> bool:
    """Whether a value leaves its column unset: null, or nothing but spaces."""
    return value is None or (isinstance(value, str) and not value.strip())


def _parse(given: Mapping[str, object]) -> tuple[dict[str, object], list[Fault]]:
    values: dict[str, object] = {}
    faults: list[Fault] = []
    for column, parse in PARSERS.items():
        if column not in given:
            if column in _MISSING:
                faults.append(Fault(column=column, message=_MISSING[column]))
            continue
        try:
            values[column] = parse(given[column])
        except InvalidValueError as error:
            faults.append(Fault(column=column, value=given[column], message=str(error)))
    return values, faults


def _contradictions(given: Mapping[str, object], values: Mapping[str, object]) -> list[Fault]:
    faults = []
    first, second = (values.get(column) for column in PARTICIPANTS)
    if first is not None and first == second:
        faults.append(
            Fault(
                column="participant_2",
                value=given["participant_2"],
                message="is the same number as participant_1; write the other party's number",
            )
        )
    for column, other in (
        ("geo_match_country", "geo_match_area_code"),
        ("geo_match_area_code", "geo_match_country"),
    ):
        if column in given and other not in given:
            message = f"is empty while {column} is not; give both or neither"
            faults.append(Fault(column=other, message=message))
    return faults


def _request(values: dict[str, object]) -> SessionRequest:
    members = {column: value for column, value in values.items() if column in _PLAIN_MEMBERS}
    params = None
    if "geo_match_country" in values:
        params = GeoMatchParams(
            country=str(values["geo_match_country"]), area_code=str(values["geo_match_area_code"])
        )
    return SessionRequest(
        participants=(str(values["participant_1"]), str(values["participant_2"])),
        geo_match_params=params,
        **({"capabilities": CAPABILITIES} | members),  # type: ignore[arg-type] # parsed to fit
    )


_PLAIN_MEMBERS = frozenset(SessionRequest.__struct_fields__) & PARSERS.keys()
