"""The service itself: one pure state machine. Time is an argument, randomness is given in."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from heapq import heappop, heappush
from random import Random
from typing import Any

import msgspec

from provisioner.emulator.numbers import COUNTRIES, NumberPool
from provisioner.emulator.quota import QuotaGate
from provisioner.emulator.record import Record, describe, page_position, page_token
from provisioner.emulator.refusal import PROXY_DISABLED, bad_request, not_found, throttled
from provisioner.emulator.requests import (
    Answer,
    CreateProxySession,
    GetVoiceConnectorProxy,
    ListProxySessions,
    OneProxySession,
    Proxy,
    ProxyAnswer,
    ProxySessionAnswer,
    ProxySessionsAnswer,
    PutVoiceConnectorProxy,
    UpdateProxySession,
    parse_request,
)
from provisioner.emulator.settings import EmulatorSettings, Quota
from provisioner.errors import ConfigurationError


class Connector(msgspec.Struct, kw_only=True):
    """A voice connector: its proxy configuration, if any, and its sessions, oldest first."""

    proxy: Proxy | None = None
    sessions: list[Record] = []


class Service:
    """Amazon Chime SDK Voice, as far as proxy sessions go.

    `call` is the one way in. The clock it is given may step back: the service's own does not.

    Raises:
        ConfigurationError: the settings ask for numbers that the fictional ranges do not have.
    """

    def __init__(self, settings: EmulatorSettings, random: Random) -> None:
        self.settings = settings
        self._random = random
        self._pool = NumberPool(settings.pool_size)
        self._gate = QuotaGate(settings.quota)
        self._sessions: dict[str, Record] = {}
        self._expiries: list[tuple[float, str]] = []
        self._now = float("-inf")
        self._connectors = _connectors(settings)
        self._handlers: dict[str, Callable[[Any], Answer | None]] = {
            "CreateProxySession": self._create,
            "ListProxySessions": self._list,
            "GetProxySession": self._get,
            "UpdateProxySession": self._update,
            "DeleteProxySession": self._delete,
            "GetVoiceConnectorProxy": self._get_proxy,
            "PutVoiceConnectorProxy": self._put_proxy,
        }

    def call(self, operation: str, parameters: Mapping[str, object], now: float) -> Answer | None:
        """One request: its answer, None where there is nothing to say.

        `parameters` are in the API's spelling, whatever their place on the wire; `now` is epoch
        seconds. The quota is charged before the parameters are looked at.

        Raises:
            Refusal: any answer that is not a success.
        """
        self.advance(now)
        if not self._gate.admit(operation, self._now):
            raise throttled()
        return self._handlers[operation](parse_request(operation, parameters))

    def advance(self, now: float) -> None:
        """Let time pass: sessions whose minutes are over close."""
        self._now = max(self._now, now)
        expiries = self._expiries
        while expiries and expiries[0][0] <= self._now:
            record = self._sessions[heappop(expiries)[1]]
            if record.ended_at is None and record.expires_at <= self._now:
                self._close(record, record.expires_at)

    def records(self) -> Iterator[Record]:
        """Every session ever made, in order of creation; those made meanwhile are left out."""
        return iter(list(self._sessions.values()))

    def hide_from_lists(self, session_id: str, seconds: float) -> None:
        """Keep a session out of lists for at least so long after its creation."""
        record = self._sessions[session_id]
        record.listed_at = max(record.listed_at, record.created_at + seconds)

    def change_quota(self, quota: Quota | None) -> None:
        """From now on the limits are these; what was spent is forgotten."""
        self._gate = QuotaGate(quota)

    def _create(self, request: CreateProxySession) -> ProxySessionAnswer:
        connector = self._connector(request.voice_connector_id)
        record = self._open(request, _usable(connector.proxy))
        self._sessions[record.id] = record
        connector.sessions.append(record)
        heappush(self._expiries, (record.expires_at, record.id))
        return ProxySessionAnswer(proxy_session=describe(record))

    def _open(self, request: CreateProxySession, proxy: Proxy) -> Record:
        minutes = request.expiry_minutes or proxy.default_session_expiry_minutes
        self._check_expiry(minutes)
        self._check_pair(request)
        bits = self._random.getrandbits(160)
        luck = bits & 0xFFFFFFFF
        numbers = self._pool.reserve(request, proxy.phone_number_countries, luck)
        first, second = numbers
        return Record(
            id=_session_id(bits >> 32),
            request=request,
            numbers=numbers,
            proxies=(self._pool.numbers[first], self._pool.numbers[second]),
            created_at=self._now,
            updated_at=self._now,
            expiry_minutes=minutes,
            capabilities=request.capabilities,
            listed_at=self._now + self.settings.listing_delay,
            luck=luck,
        )

    def _check_expiry(self, minutes: int) -> None:
        maximum = self.settings.maximum_expiry_minutes
        if maximum is not None and minutes > maximum:
            raise bad_request(f"ExpiryMinutes must be at most {maximum}")

    def _check_pair(self, request: CreateProxySession) -> None:
        first, second = request.participant_phone_numbers
        if first.lstrip("+") == second.lstrip("+"):
            raise bad_request("ParticipantPhoneNumbers must be two different numbers")

    def _list(self, request: ListProxySessions) -> ProxySessionsAnswer:
        """One page, newest first; a session made meanwhile moves the others to later pages."""
        connector_id, status = request.voice_connector_id, request.status
        sessions = self._connector(connector_id).sessions
        position = page_position(request.next_token, connector_id, status)
        page: list[Record] = []
        while position < len(sessions) and len(page) < request.max_results:
            position += 1
            record = sessions[-position]
            if self._is_listed(record) and status in {None, record.status}:
                page.append(record)
        self._random.shuffle(page)
        more = position < len(sessions)
        return ProxySessionsAnswer(
            proxy_sessions=tuple(map(describe, page)),
            next_token=page_token(connector_id, status, position) if more else msgspec.UNSET,
        )

    def _is_listed(self, record: Record) -> bool:
        if record.deleted or record.listed_at > self._now:
            return False
        kept = self.settings.closed_retention
        return record.ended_at is None or kept is None or self._now - record.ended_at < kept

    def _get(self, request: OneProxySession) -> ProxySessionAnswer:
        return ProxySessionAnswer(proxy_session=describe(self._session(request)))

    def _update(self, request: UpdateProxySession) -> ProxySessionAnswer:
        record = self._session(request)
        if record.ended_at is not None:
            raise bad_request(f"Proxy session {record.id} is closed")
        minutes = request.expiry_minutes or record.expiry_minutes
        self._check_expiry(minutes)
        record.capabilities = request.capabilities
        record.expiry_minutes = minutes
        record.updated_at = self._now
        heappush(self._expiries, (record.expires_at, record.id))
        self.advance(self._now)
        return ProxySessionAnswer(proxy_session=describe(record))

    def _delete(self, request: OneProxySession) -> None:
        record = self._session(request)
        if record.ended_at is None:
            self._close(record, self._now)
        record.deleted = True

    def _close(self, record: Record, at: float) -> None:
        record.ended_at = record.updated_at = at
        self._pool.release(record.request.participant_phone_numbers, record.numbers)

    def _get_proxy(self, request: GetVoiceConnectorProxy) -> ProxyAnswer:
        connector = self._connector(request.voice_connector_id)
        if connector.proxy is None:
            raise not_found("The voice connector has no proxy configuration")
        return ProxyAnswer(proxy=connector.proxy)

    def _put_proxy(self, request: PutVoiceConnectorProxy) -> ProxyAnswer:
        connector = self._connector(request.voice_connector_id)
        countries = tuple(dict.fromkeys(filter(None, request.phone_number_pool_countries)))
        if not countries or not set(countries) <= set(COUNTRIES):
            raise bad_request(f"PhoneNumberPoolCountries must be among {', '.join(COUNTRIES)}")
        self._check_expiry(request.default_session_expiry_minutes)
        connector.proxy = Proxy(
            default_session_expiry_minutes=request.default_session_expiry_minutes,
            disabled=request.disabled,
            phone_number_countries=countries,
            fall_back_phone_number=request.fall_back_phone_number or msgspec.UNSET,
        )
        return ProxyAnswer(proxy=connector.proxy)

    def _connector(self, connector_id: str) -> Connector:
        connector = self._connectors.get(connector_id)
        if connector is None and self.settings.any_connector:
            connector = self._connectors[connector_id] = Connector(proxy=_proxy(self.settings))
        if connector is None:
            raise not_found(f"Voice connector {connector_id} does not exist")
        return connector

    def _session(self, request: OneProxySession | UpdateProxySession) -> Record:
        self._connector(request.voice_connector_id)
        record = self._sessions.get(request.proxy_session_id)
        found = record is not None and not record.deleted
        if (
            record is None
            or not found
            or record.request.voice_connector_id != request.voice_connector_id
        ):
            raise not_found(f"Proxy session {request.proxy_session_id} does not exist")
        return record


def _connectors(settings: EmulatorSettings) -> dict[str, Connector]:
    if not settings.countries or not set(settings.countries) <= set(COUNTRIES):
        raise ConfigurationError(
            f"no numbers for the countries {', '.join(settings.countries) or '(none)'}",
            hint=f"there are numbers for {', '.join(COUNTRIES)}",
        )
    connectors = {each: Connector(proxy=_proxy(settings)) for each in settings.connectors}
    for each in settings.disabled_connectors:
        connectors[each] = Connector(proxy=_proxy(settings, disabled=True))
    for each in settings.bare_connectors:
        connectors[each] = Connector()
    return connectors


def _proxy(settings: EmulatorSettings, *, disabled: bool = False) -> Proxy:
    return Proxy(
        default_session_expiry_minutes=settings.default_expiry_minutes,
        disabled=disabled,
        phone_number_countries=settings.countries,
    )


def _session_id(bits: int) -> str:
    """128 bits in the form of a UUID."""
    digits = f"{bits:032x}"
    return f"{digits[:8]}-{digits[8:12]}-{digits[12:16]}-{digits[16:20]}-{digits[20:]}"


def _usable(proxy: Proxy | None) -> Proxy:
    """The configuration, if sessions may be created under it; both answers are assumptions."""
    if proxy is None:
        raise bad_request("The voice connector has no proxy configuration")
    if proxy.disabled:
        raise bad_request(PROXY_DISABLED)
    return proxy
