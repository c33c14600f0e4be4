"""botocore's parsed answers as values."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from functools import lru_cache
from http import HTTPStatus
from typing import Any

import msgspec

from provisioner.gateway.post import Answer
from provisioner.job import Outcome, Verdict
from provisioner.session import ConnectorProxy, Session, SessionPage

_CREATED = int(HTTPStatus.CREATED)
_PLAIN_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", re.ASCII)


class _Answer(msgspec.Struct, frozen=True):
    session: Session = msgspec.field(name="ProxySession")


_ANSWERS = msgspec.json.Decoder(_Answer)


def created(parsed: Mapping[str, Any]) -> Outcome:
    """What a successful answer says: a session, or that there may be one nobody can name."""
    metadata = parsed["ResponseMetadata"]
    session = _session(parsed.get("ProxySession"))
    readable = session is not None
    return Outcome(
        verdict=Verdict.CREATED if readable else Verdict.AMBIGUOUS,
        session=session,
        status=metadata["HTTPStatusCode"],
        error_code=None if readable else "UnreadableResponse",
        message=None if readable else "The service answered without a session that can be read.",
        request_id=metadata.get("RequestId"),
    )


def decoded(reply: Answer) -> Outcome | None:
    """As `created`, of a plain 201; None for every other answer, and for what is odd in it."""
    request_id = reply.request_id
    if reply.status != _CREATED or not (request_id or "").isascii():
        return None
    try:
        session = _ANSWERS.decode(reply.content).session
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None
    if not session.proxy_session_id or not _has_plain_times(session):
        return None
    return Outcome(verdict=Verdict.CREATED, session=session, status=_CREATED, request_id=request_id)


def connector_proxy(parsed: Mapping[str, Any]) -> ConnectorProxy | None:
    """GetVoiceConnectorProxy's answer; None without a proxy configuration."""
    proxy = parsed.get("Proxy")
    if not proxy:
        return None
    return ConnectorProxy(
        default_expiry_minutes=proxy.get("DefaultSessionExpiryMinutes"),
        disabled=bool(proxy.get("Disabled")),
        countries=tuple(proxy.get("PhoneNumberCountries", ())),
    )


def session_page(parsed: Mapping[str, Any]) -> SessionPage | None:
    """ListProxySessions' answer; None when a session of it cannot be read."""
    sessions = [_session(each) for each in parsed.get("ProxySessions", ())]
    if "ProxySessions" not in parsed or None in sessions:
        return None
    return SessionPage(
        sessions=tuple(filter(None, sessions)), next_token=parsed.get("NextToken") or None
    )


def _session(parsed: Mapping[str, Any] | None) -> Session | None:
    members = {name: _text(value) for name, value in (parsed or {}).items()}
    try:
        session = msgspec.convert(members, Session)
    except msgspec.ValidationError:
        return None
    return session if session.proxy_session_id else None


def _has_plain_times(session: Session) -> bool:
    """Whether the times are written as `_text` would."""
    return all(
        time is None or _is_plain(time)
        for time in (session.created_at, session.updated_at, session.ended_at)
    )


@lru_cache(maxsize=64)
def _is_plain(time: str) -> bool:
    try:
        return bool(_PLAIN_TIME.fullmatch(time) and datetime.fromisoformat(time))
    except ValueError:
        return False


def _text(value: object) -> object:
    if not isinstance(value, datetime):
        return value
    return value.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
