"""A session as the service remembers it, and the token that leads to the next page of them."""

from __future__ import annotations

from base64 import urlsafe_b64decode, urlsafe_b64encode
from binascii import Error as Base64Error
from functools import lru_cache
from time import gmtime, strftime

import msgspec

from provisioner.emulator.refusal import bad_request
from provisioner.emulator.requests import CreateProxySession
from provisioner.session import GeoMatchParams, Participant, Session


class Record(msgspec.Struct, kw_only=True, gc=False):
    """One session, open or not. Times are epoch seconds; `numbers` are places in the pool.

    `luck` decides in which order participants and capabilities are told.
    """

    id: str
    request: CreateProxySession
    numbers: tuple[int, int]
    proxies: tuple[str, str]
    created_at: float
    updated_at: float
    expiry_minutes: int
    capabilities: tuple[str, ...]
    listed_at: float
    luck: int
    ended_at: float | None = None
    deleted: bool = False

    @property
    def expires_at(self) -> float:
        """When it closes by itself."""
        return self.created_at + 60 * self.expiry_minutes

    @property
    def status(self) -> str:
        """As the service says it; a session of this emulator never has a call in progress."""
        return "Open" if self.ended_at is None else "Closed"


def describe(record: Record) -> Session:
    """The session in the service's words."""
    request = record.request
    one, two = request.participant_phone_numbers
    first = Participant(phone_number=one, proxy_phone_number=record.proxies[0])
    second = Participant(phone_number=two, proxy_phone_number=record.proxies[1])
    created = timestamp(record.created_at)
    untouched = record.updated_at == record.created_at
    return Session(
        voice_connector_id=request.voice_connector_id,
        proxy_session_id=record.id,
        name=request.name,
        status=record.status,
        expiry_minutes=record.expiry_minutes,
        capabilities=record.capabilities[:: -1 if record.luck & 4 else 1],
        created_at=created,
        updated_at=created if untouched else timestamp(record.updated_at),
        ended_at=None if record.ended_at is None else timestamp(record.ended_at),
        participants=(second, first) if record.luck & 2 else (first, second),
        number_selection_behavior=request.number_selection_behavior,
        geo_match_level=request.geo_match_level,
        geo_match_params=_place(request),
    )


def _place(request: CreateProxySession) -> GeoMatchParams | None:
    place = request.geo_match_params
    if place is None:
        return None
    return GeoMatchParams(country=place.country, area_code=place.area_code)


def timestamp(seconds: float) -> str:
    """Epoch seconds as ISO-8601 with milliseconds, in UTC."""
    milliseconds = int(seconds * 1000)
    return f"{_to_the_second(milliseconds // 1000)}.{milliseconds % 1000:03d}Z"


@lru_cache(maxsize=4096)
def _to_the_second(seconds: int) -> str:
    return strftime("%Y-%m-%dT%H:%M:%S", gmtime(seconds))


def page_token(connector_id: str, status: str | None, position: int) -> str:
    """An opaque token for the rest of a listing, of which `position` sessions are dealt with."""
    return urlsafe_b64encode(f"{connector_id} {status} {position}".encode()).decode()


def page_position(token: str | None, connector_id: str, status: str | None) -> int:
    """Where a listing goes on.

    Raises:
        Refusal: the token is none of ours, or of another listing.
    """
    if token is None:
        return 0
    try:
        text = urlsafe_b64decode(token).decode()
    except (Base64Error, ValueError):
        text = ""
    beginning, _, position = text.rpartition(" ")
    if beginning != f"{connector_id} {status}":
        raise bad_request("Invalid NextToken")
    return int(position)
