"""The service's HTTP interface: paths to operations, replies to bytes."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
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
_PATIENCE_ASKED = {HTTPStatus.TOO_MANY_REQUESTS, HTTPStatus.SERVICE_UNAVAILABLE}
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
            signed_at = _parse_date(request.date) if request.date else None
            if request.body:
                parameters = self._body(request.body) | parameters
            if query:
                parameters = parameters | _query(query)
        except Refusal as refusal:
            return self._emulator.refuse(operation, refusal, self._clock())
        return self._emulator.call(operation, parameters, self._clock(), signed_at=signed_at)

    def _body(self, body: bytes) -> dict[str, object]:
        try:
            return self._decode(body)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            raise bad_request("The body is not a JSON object") from None

    def _render(self, reply: Reply) -> HttpResponse:
        headers = b"x-amzn-RequestId: %b\r\n" % self._emulator.request_id(reply.number).encode()
        body = b""
        if isinstance(reply.body, Refusal):
            headers += self._refusal_headers(reply.body)
            body = self._encode({"Code": reply.body.short_code, "Message": reply.body.message})
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

    def _refusal_headers(self, refusal: Refusal) -> bytes:
        headers = _JSON + b"x-amzn-ErrorType: %b\r\n" % refusal.code.encode()
        seconds = self._emulator.settings.retry_after
        if seconds is not None and refusal.status in _PATIENCE_ASKED:
            headers += b"Retry-After: %d\r\n" % seconds
        return headers

    def _plain(self, status: HTTPStatus, code: bytes) -> HttpResponse:
        body = self._encode({"Message": status.phrase})
        headers = _JSON + b"x-amzn-ErrorType: %b\r\n" % code
        return HttpResponse(status=status, headers=headers, body=body)


@lru_cache(maxsize=1024)
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


@lru_cache(maxsize=1024)
def _parse_date(date: bytes) -> float:
    """Epoch seconds of an X-Amz-Date."""
    try:
        moment = datetime.strptime(date.decode("utf-8", "replace") + "+0000", "%Y%m%dT%H%M%SZ%z")
    except ValueError:
        raise unauthorized("X-Amz-Date must be of the form YYYYMMDD'T'HHMMSS'Z'") from None
    return moment.timestamp()
