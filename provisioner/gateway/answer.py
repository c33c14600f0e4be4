"""botocore's parsed answers as values."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import msgspec

from provisioner.job import Outcome, Verdict
from provisioner.session import ConnectorProxy, Session, SessionPage


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


def _text(value: object) -> object:
    if not isinstance(value, datetime):
        return value
    return value.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
