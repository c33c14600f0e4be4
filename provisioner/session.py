"""What CreateProxySession takes and gives: the service's own names, patterns and limits.

The patterns and enumerations are botocore's (`data/chime-sdk-voice/2022-08-03`); a test holds
these against that model.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from hashlib import sha256

import msgspec

PHONE_NUMBER = re.compile(r"\+?[1-9]\d{1,14}", re.ASCII)
NAME = re.compile(r"[a-zA-Z0-9 ]{0,30}")
COUNTRY = re.compile(r"[A-Z]{2}")
AREA_CODE = re.compile(r"[0-9]{3}")
CONNECTOR_ID_LENGTH = 128
EXPIRY_MINUTES_MINIMUM = 1
LIST_PAGE_MAXIMUM = 100

CAPABILITIES = ("Voice", "SMS")
NUMBER_SELECTION_BEHAVIORS = ("PreferSticky", "AvoidSticky")
GEO_MATCH_LEVELS = ("Country", "AreaCode")
STATUSES = ("Open", "InProgress", "Closed")

_NUMBER_IN_TEXT = re.compile(r"\+?[1-9]\d{7,14}(?!\d)", re.ASCII)
_NAME_DIGITS = 28
_SHORTEST_TOLD = 7
_SHORT = 11

SESSION_NAME = re.compile(rf"p[0-9a-f]{{{_NAME_DIGITS}}}")
"""What `session_name` gives."""


class GeoMatchParams(msgspec.Struct, frozen=True, kw_only=True):
    """Where the proxy number should be: `country` two capitals, `area_code` three digits."""

    country: str = msgspec.field(name="Country")
    area_code: str = msgspec.field(name="AreaCode")


class SessionRequest(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """One CreateProxySession request; encodes to the API's spelling, unset members left out.

    `participants` is ordered: geographic matching looks at the first. `capabilities` is kept in
    the order of `CAPABILITIES`, so that equal requests are equal values.
    """

    voice_connector_id: str = msgspec.field(name="VoiceConnectorId")
    participants: tuple[str, str] = msgspec.field(name="ParticipantPhoneNumbers")
    capabilities: tuple[str, ...] = msgspec.field(name="Capabilities")
    name: str | None = msgspec.field(default=None, name="Name")
    expiry_minutes: int | None = msgspec.field(default=None, name="ExpiryMinutes")
    number_selection_behavior: str | None = msgspec.field(
        default=None, name="NumberSelectionBehavior"
    )
    geo_match_level: str | None = msgspec.field(default=None, name="GeoMatchLevel")
    geo_match_params: GeoMatchParams | None = msgspec.field(default=None, name="GeoMatchParams")


class Participant(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A participant and the proxy number shown to the other one."""

    phone_number: str = msgspec.field(default="", name="PhoneNumber")
    proxy_phone_number: str | None = msgspec.field(default=None, name="ProxyPhoneNumber")


class Session(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A proxy session as the service describes it; timestamps are ISO-8601 text, as received.

    Participants and capabilities come in any order. Members that were not sent may be absent.
    """

    proxy_session_id: str = msgspec.field(name="ProxySessionId")
    voice_connector_id: str | None = msgspec.field(default=None, name="VoiceConnectorId")
    name: str | None = msgspec.field(default=None, name="Name")
    status: str | None = msgspec.field(default=None, name="Status")
    expiry_minutes: int | None = msgspec.field(default=None, name="ExpiryMinutes")
    capabilities: tuple[str, ...] = msgspec.field(default=(), name="Capabilities")
    created_at: str | None = msgspec.field(default=None, name="CreatedTimestamp")
    updated_at: str | None = msgspec.field(default=None, name="UpdatedTimestamp")
    ended_at: str | None = msgspec.field(default=None, name="EndedTimestamp")
    participants: tuple[Participant, ...] = msgspec.field(default=(), name="Participants")
    number_selection_behavior: str | None = msgspec.field(
        default=None, name="NumberSelectionBehavior"
    )
    geo_match_level: str | None = msgspec.field(default=None, name="GeoMatchLevel")
    geo_match_params: GeoMatchParams | None = msgspec.field(default=None, name="GeoMatchParams")

    def proxy_number_of(self, participant: str) -> str | None:
        """The proxy number for a participant, matched by number with or without its `+`."""
        wanted = participant.lstrip("+")
        for each in self.participants:
            if each.phone_number.lstrip("+") == wanted:
                return each.proxy_phone_number
        return None


class SessionPage(msgspec.Struct, frozen=True, kw_only=True):
    """One page of a listing; `next_token` leads to the next one, None on the last."""

    sessions: tuple[Session, ...]
    next_token: str | None = None


class ConnectorProxy(msgspec.Struct, frozen=True, kw_only=True):
    """A connector's proxy configuration, from GetVoiceConnectorProxy."""

    default_expiry_minutes: int | None = None
    disabled: bool = False
    countries: tuple[str, ...] = ()


def session_name(campaign: str, job_key: str) -> str:
    """A Name that finds this job's session again: 29 alphanumerics, 112 bits of SHA-256."""
    digest = sha256(f"{campaign}\0{job_key}".encode("utf-8", "surrogatepass")).hexdigest()
    return "p" + digest[:_NAME_DIGITS]


def pair(numbers: Iterable[str]) -> frozenset[str]:
    """The numbers of a pair in no order, with or without their `+`."""
    return frozenset(number.lstrip("+") for number in numbers)


def mask_number(number: str) -> str:
    """A phone number fit for a log: `+14155550100` becomes `+1415***0100`, a short one less."""
    if len(number) < _SHORTEST_TOLD:
        return number[:2] + "***"
    if len(number) < _SHORT:
        return f"{number[:3]}***{number[-2:]}"
    return f"{number[:5]}***{number[-4:]}"


def mask_numbers(text: str) -> str:
    """Text with every phone number in it masked."""
    return _NUMBER_IN_TEXT.sub(lambda match: mask_number(match[0]), text)
