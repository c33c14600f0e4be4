"""Raw columns in, a session request or every fault out; no file, no line, no format."""

from collections.abc import Hashable, Mapping, Sequence

import msgspec

from provisioner.entry import Entry, Terms, terms_of
from provisioner.errors import ConfigurationError
from provisioner.session import CAPABILITIES, NAME, GeoMatchParams, SessionRequest
from provisioner.settings import RowDefaults
from provisioner.source.columns import PARTICIPANTS
from provisioner.source.numbers import are_canonical, canonical_number
from provisioner.source.values import JOB_ID_LENGTH, PARSERS, InvalidValueError

_KNOWN_TERMS_MAXIMUM = 4096
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


class Accepted(msgspec.Struct, frozen=True, gc=False):
    """A row that may become a job: its pair in E.164, its own Name and job id, empty if none."""

    terms: Terms
    first: str
    second: str
    name: str
    job_id: str

    def entry(self, number: int, line: int, cells: str, campaign: str | None) -> Entry:
        """The row as it is recorded."""
        return self.terms.entry(
            number,
            line,
            cells,
            first=self.first,
            second=self.second,
            name=self.name,
            key=self.job_id,
            campaign=campaign,
        )


class Validator:
    """Turns raw columns into requests, under the defaults of one run.

    `examine` is the whole truth. `recognise` gives the same verdict faster to a row whose terms
    (everything but the participants, the name and the job id) were accepted before.
    """

    def __init__(self, defaults: RowDefaults) -> None:
        self._defaults = _checked_defaults(defaults)
        self._known: dict[Hashable, Terms] = {}

    def examine(self, fields: Mapping[str, object]) -> Accepted | list[Fault]:
        """The verdict on one row; `fields` maps our columns to raw values, in any order."""
        given = {column: value for column, value in fields.items() if not is_empty(value)}
        given = self._defaults | given
        values, faults = _parse(given)
        faults += _contradictions(given, values)
        if faults:
            return faults
        return _accepted(values)

    def remember(self, raw: Hashable, terms: Terms) -> None:
        """Note what rows with these raw terms ask for beside their pair and Name."""
        if len(self._known) >= _KNOWN_TERMS_MAXIMUM:
            self._known.clear()
        self._known[raw] = terms

    def recognise(
        self, raw: Hashable, pair: Sequence[str], name: str, job_id: str
    ) -> Accepted | None:
        """Accept a row like one remembered; None when it needs `examine`."""
        terms = self._known.get(raw)
        if terms is None:
            return None
        first, second = pair
        if not are_canonical(first, second):
            first, second = canonical_number(first) or "", canonical_number(second) or ""
        if not first or not second or first == second:
            return None
        if name and not NAME.fullmatch(name := name.strip()):
            return None
        job_id = job_id.strip()
        if len(job_id) > JOB_ID_LENGTH or not job_id.isprintable():
            return None
        return Accepted(terms, first, second, name, job_id)


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


def _accepted(values: dict[str, object]) -> Accepted:
    request = _request(values)
    return Accepted(
        terms_of(request),
        *request.participants,
        request.name or "",
        str(values.get("job_id", "")),
    )


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
