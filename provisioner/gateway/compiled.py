"""CreateProxySession at one connector with one credential: only body and time are left to vary."""

from __future__ import annotations

import time
from calendar import timegm
from itertools import count
from uuid import uuid4

import msgspec
from botocore.auth import SIGV4_TIMESTAMP
from botocore.credentials import ReadOnlyCredentials
from multidict import CIMultiDict

from provisioner.gateway.post import PooledPost
from provisioner.gateway.rehearsal import Rehearsal
from provisioner.gateway.signature import Signer
from provisioner.session import SessionRequest

_ENCODER = msgspec.json.Encoder()
_VARYING = {"X-Amz-Date", "Authorization", "amz-sdk-invocation-id", "Content-Length"}
_UNDERSTOOD = {
    "accept-encoding",
    "amz-sdk-invocation-id",
    "amz-sdk-request",
    "authorization",
    "content-length",
    "content-type",
    "user-agent",
    "x-amz-date",
    "x-amz-security-token",
    "x-amzn-trace-id",
}
"""Headers that are constant, or vary as they do below."""


class CompiledCall:
    """Makes what the client made of a rehearsal; `post` sends it over the client's own pool."""

    def __init__(self, rehearsal: Rehearsal, signer: Signer, patience: float) -> None:
        self._rehearsal = rehearsal
        self._signer = signer
        connector = {"VoiceConnectorId": rehearsal.request.voice_connector_id}
        self._in_path = len(_json(connector)) + len(", ") - len("}")
        self._invocation = str(uuid4())[:24]
        self._invocations = count()
        self.post = PooledPost(
            rehearsal.session,
            rehearsal.url,
            rehearsal.headers,
            varying=_VARYING,
            patience=patience,
        )

    def body(self, request: SessionRequest) -> bytes:
        """As botocore writes it, without the connector: the first member, it goes into the path."""
        return b"{" + _json(request)[self._in_path :]

    def varying(self, body: bytes, now: float) -> dict[str, str]:
        """The headers that `body` and `now`, epoch seconds, make different."""
        stamp, authorization = self._signer.sign(body, now)
        return {
            "X-Amz-Date": stamp,
            "Authorization": authorization,
            "amz-sdk-invocation-id": f"{self._invocation}{next(self._invocations):012x}",
            "Content-Length": str(len(body)),
        }

    def headers(self, body: bytes, now: float) -> CIMultiDict[str]:
        """All headers of a request, in order."""
        headers = self._rehearsal.headers.copy()
        headers.update(self.varying(body, now))
        return headers

    def repeats_the_rehearsal(self) -> bool:
        """Whether the client's own request comes out, to the byte and the signature."""
        headers = self._rehearsal.headers
        signed_at = timegm(time.strptime(headers["X-Amz-Date"], SIGV4_TIMESTAMP))
        body = self.body(self._rehearsal.request)
        again = self.headers(body, signed_at)
        again["amz-sdk-invocation-id"] = headers["amz-sdk-invocation-id"]
        understood = _UNDERSTOOD.issuperset(name.lower() for name in headers)
        return understood and body == self._rehearsal.body and again == headers


def compiled(
    rehearsal: Rehearsal, credentials: ReadOnlyCredentials, patience: float
) -> CompiledCall | None:
    """The call that repeats a rehearsal; None where the client sends what is not understood.

    That includes whatever it sends through a proxy.
    """
    if rehearsal.method != "POST" or any(rehearsal.rest.values()):
        return None
    try:
        signer = Signer(credentials, rehearsal.method, str(rehearsal.url), rehearsal.headers)
        call = CompiledCall(rehearsal, signer, patience)
        return call if call.repeats_the_rehearsal() else None
    except (KeyError, ValueError):
        return None


def _json(value: object) -> bytes:
    """JSON with the spaces that botocore, as json.dumps, puts after commas and colons."""
    return msgspec.json.format(_ENCODER.encode(value), indent=0)
