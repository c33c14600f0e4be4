"""The service's HTTP interface: paths to operations, replies to bytes."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from functools import lru_cache
from http import HTTPStatus
from urllib.parse import parse_qsl, unquote

import msgspec

from provisioner.emulator import admin
from provisioner.emulator.emulator import Delivery, Emulator, Reply
from provisioner.emulator.protocol import HttpRequest, HttpResponse
from provisioner.emulator.refusal import Refusal, bad_request, unauthorized

_JSON = b"Content-Type: application/json\r\n"
_ALGORITHM = b"AWS4-HMAC-SHA256 Credential="
_SCOPE = b"/chime/aws4_request"
_UNREADABLE = b"<html><body>a proxy between us was here</body></html>"

_SESSIONS = {b"POST": "CreateProxySession", b"GET": "ListProxySessions"}
_SESSION = {
    b"GET": "GetProxySession",
    b"POST": "UpdateProxySession",
    b"DELETE": "DeleteProxySession",
}
_PROXY = {b"GET": "GetVoiceConnectorProxy", b"PUT": "PutVoiceConnectorProxy"}
_QUERY = {"status": "Status", "next-token": "NextToken", "max-results": "MaxResults"}


class ServiceApplication:
    """Answers HTTP requests for an emulator; `clock` gives epoch seconds."""

    def __init__(self, emulator: Emulator, clock: Callable[[], float]) -> None:
        self._emulator = emulator
        self._clock = clock
        self._encode = msgspec.json.Encoder().encode
        self._decode = msgspec.json.Decoder(dict[str, object]).decode

    def __call__(self, request: HttpRequest) -> HttpResponse:
        """The response to one request; never raises for anything a caller sends."""
        path, _, query = request.target.partition(b"?")
        if path.startswith(admin.PREFIX):
            return admin.answer(self._emulator, request, self._clock())
        route = _route(path)
        if route is None:
            return self._plain(HTTPStatus.NOT_FOUND, b"UnknownOperationException")
        operations, parameters = route
        operation = operations.get(request.method)
        if operation is None:
            return self._plain(HTTPStatus.METHOD_NOT_ALLOWED, b"UnknownOperationException")
        return self._render(self._call(operation, parameters, request, query))

    def _call(
        self, operation: str, parameters: dict[str, object], request: HttpRequest, query: bytes
    ) -> Reply:
        try:
            _check_authorization(request.authorization)
            if request.body:
                parameters = self._body(request.body) | parameters
            if query:
                parameters |= _query(query)
            signed_at = _signed_at(request.date)
        except Refusal as refusal:
            return self._emulator.refuse(operation, refusal, self._clock())
        return self._emulator.call(operation, parameters, self._clock(), signed_at=signed_at)

    def _body(self, body: bytes) -> dict[str, object]:
        try:
            return self._decode(body)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            raise bad_request("The body is not a JSON object") from None

    def _render(self, reply: Reply) -> HttpResponse:
        settings = self._emulator.settings
        headers = b"x-amzn-RequestId: %b\r\n" % self._emulator.request_id(reply.number).encode()
        body = b""
        if isinstance(reply.body, Refusal):
            refusal = reply.body
            headers += _JSON + b"x-amzn-ErrorType: %b\r\n" % refusal.code.encode()
            if settings.retry_after is not None and refusal.status in {429, 503}:
                headers += b"Retry-After: %d\r\n" % settings.retry_after
            body = self._encode({"Code": refusal.short_code, "Message": refusal.message})
        elif reply.body is not None:
            headers += _JSON
            body = self._encode(reply.body)
        return HttpResponse(
            status=reply.status,
            headers=headers,
            body=_UNREADABLE if reply.delivery is Delivery.UNREADABLE else body,
            delivery=reply.delivery,
            delay=reply.delay,
            hang_seconds=self._emulator.faults.hang_seconds,
        )

    def _plain(self, status: HTTPStatus, code: bytes) -> HttpResponse:
        body = self._encode({"Message": status.phrase})
        headers = _JSON + b"x-amzn-ErrorType: %b\r\n" % code
        return HttpResponse(status=status, headers=headers, body=body)


def _route(path: bytes) -> tuple[dict[bytes, str], dict[str, object]] | None:
    """The operations of a path by method, and the parameters that stand in it."""
    match path.split(b"/"):
        case [b"", b"voice-connectors", connector, b"proxy-sessions"]:
            return _SESSIONS, {"VoiceConnectorId": _text(connector)}
        case [b"", b"voice-connectors", connector, b"proxy-sessions", session]:
            found = {"VoiceConnectorId": _text(connector), "ProxySessionId": _text(session)}
            return _SESSION, found
        case [b"", b"voice-connectors", connector, b"programmable-numbers", b"proxy"]:
            return _PROXY, {"VoiceConnectorId": _text(connector)}
    return None


def _text(part: bytes) -> object:
    return unquote(part.decode("utf-8", "replace"))


def _query(query: bytes) -> dict[str, object]:
    pairs = parse_qsl(query.decode("utf-8", "replace"), keep_blank_values=True)
    return {_QUERY[name]: value for name, value in pairs if name in _QUERY}


def _check_authorization(header: bytes) -> None:
    if not header:
        raise unauthorized("Missing Authentication Token")
    if not header.startswith(_ALGORITHM) or _SCOPE not in header:
        raise unauthorized("Credential should be scoped to correct service: 'chime'")


def _signed_at(date: bytes) -> float | None:
    """Epoch seconds of an X-Amz-Date, None without one."""
    if not date:
        return None
    try:
        return _parse_date(date)
    except ValueError:
        raise unauthorized("X-Amz-Date must be of the form YYYYMMDD'T'HHMMSS'Z'") from None


@lru_cache(maxsize=1024)
def _parse_date(date: bytes) -> float:
    return datetime.strptime(date.decode(), "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC).timestamp()
