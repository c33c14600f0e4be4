"""The operations' inputs and outputs, typed; decoding one is the service's whole validation."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Literal, TypeAlias

import msgspec
from msgspec import Meta

from provisioner.emulator.refusal import bad_request
from provisioner.session import (
    AREA_CODE,
    CONNECTOR_ID_LENGTH,
    COUNTRY,
    EXPIRY_MINUTES_MINIMUM,
    LIST_PAGE_MAXIMUM,
    NAME,
    PHONE_NUMBER,
    Session,
)


def _whole(pattern: str) -> str:
    return rf"(?a)^(?:{pattern})\Z"


Identifier: TypeAlias = Annotated[
    str, Meta(min_length=1, max_length=CONNECTOR_ID_LENGTH, pattern=r"\S")
]
PhoneNumber: TypeAlias = Annotated[str, Meta(pattern=_whole(PHONE_NUMBER.pattern))]
Name: TypeAlias = Annotated[str, Meta(pattern=_whole(NAME.pattern))]
Country: TypeAlias = Annotated[str, Meta(pattern=_whole(f"|{COUNTRY.pattern}"))]
AreaCode: TypeAlias = Annotated[str, Meta(pattern=_whole(f"|{AREA_CODE.pattern}"))]
Minutes: TypeAlias = Annotated[int, Meta(ge=EXPIRY_MINUTES_MINIMUM)]
Capabilities: TypeAlias = Annotated[tuple[Literal["Voice", "SMS"], ...], Meta(min_length=1)]


class _Message(
    msgspec.Struct, frozen=True, kw_only=True, rename="pascal", omit_defaults=True, gc=False
):
    """A request or a response in the API's spelling, unset members left out."""


class GeoMatch(_Message, frozen=True):
    """Where the proxy number should be; empty text means anywhere."""

    country: Country
    area_code: AreaCode


class CreateProxySession(_Message, frozen=True):
    """The order of the participants counts: geographic matching looks at the first."""

    voice_connector_id: Identifier
    participant_phone_numbers: tuple[PhoneNumber, PhoneNumber]
    capabilities: Capabilities
    name: Name | None = None
    expiry_minutes: Minutes | None = None
    number_selection_behavior: Literal["PreferSticky", "AvoidSticky"] | None = None
    geo_match_level: Literal["Country", "AreaCode"] | None = None
    geo_match_params: GeoMatch | None = None


class ListProxySessions(_Message, frozen=True):
    """One page; `max_results` unset means a full one."""

    voice_connector_id: Identifier
    status: Literal["Open", "InProgress", "Closed"] | None = None
    next_token: str | None = None
    max_results: Annotated[int, Meta(ge=1, le=LIST_PAGE_MAXIMUM)] = LIST_PAGE_MAXIMUM


class OneProxySession(_Message, frozen=True):
    """What GetProxySession and DeleteProxySession take."""

    voice_connector_id: Identifier
    proxy_session_id: Identifier


class UpdateProxySession(_Message, frozen=True):
    """New capabilities, and a new expiry counted from the session's creation."""

    voice_connector_id: Identifier
    proxy_session_id: Identifier
    capabilities: Capabilities
    expiry_minutes: Minutes | None = None


class GetVoiceConnectorProxy(_Message, frozen=True):
    """The connector whose configuration is wanted."""

    voice_connector_id: Identifier


class PutVoiceConnectorProxy(_Message, frozen=True):
    """A connector's proxy configuration, replaced as a whole."""

    voice_connector_id: Identifier
    default_session_expiry_minutes: Minutes
    phone_number_pool_countries: Annotated[tuple[Country, ...], Meta(min_length=1, max_length=100)]
    fall_back_phone_number: PhoneNumber | None = None
    disabled: bool = False


class Proxy(msgspec.Struct, frozen=True, kw_only=True, rename="pascal"):
    """A connector's proxy configuration as the service tells it."""

    default_session_expiry_minutes: int
    disabled: bool
    phone_number_countries: tuple[str, ...]
    fall_back_phone_number: str | msgspec.UnsetType = msgspec.UNSET


class ProxySessionAnswer(_Message, frozen=True):
    """What creating, getting and updating a session answer."""

    proxy_session: Session


class ProxySessionsAnswer(msgspec.Struct, frozen=True, kw_only=True, rename="pascal"):
    """One page of sessions; the token is there while more may follow."""

    proxy_sessions: tuple[Session, ...]
    next_token: str | msgspec.UnsetType = msgspec.UNSET


class ProxyAnswer(_Message, frozen=True):
    """What reading and writing a proxy configuration answer."""

    proxy: Proxy


Request: TypeAlias = (
    CreateProxySession
    | ListProxySessions
    | OneProxySession
    | UpdateProxySession
    | GetVoiceConnectorProxy
    | PutVoiceConnectorProxy
)
Answer: TypeAlias = ProxySessionAnswer | ProxySessionsAnswer | ProxyAnswer

REQUESTS: dict[str, type[Request]] = {
    "CreateProxySession": CreateProxySession,
    "ListProxySessions": ListProxySessions,
    "GetProxySession": OneProxySession,
    "UpdateProxySession": UpdateProxySession,
    "DeleteProxySession": OneProxySession,
    "GetVoiceConnectorProxy": GetVoiceConnectorProxy,
    "PutVoiceConnectorProxy": PutVoiceConnectorProxy,
}
"""What each operation takes."""

SUCCESS = {"CreateProxySession": 201, "UpdateProxySession": 201, "DeleteProxySession": 204}
"""The status of an operation's success where it is not 200."""


def parse_request(operation: str, parameters: Mapping[str, object]) -> Request:
    """The operation's input from parameters in the API's spelling.

    Raises:
        Refusal: 400, naming the member and what it should be, never its value.
    """
    wanted = REQUESTS[operation]
    try:
        return msgspec.convert(parameters, wanted, strict=wanted is not ListProxySessions)
    except msgspec.ValidationError as error:
        raise bad_request(str(error)) from None
