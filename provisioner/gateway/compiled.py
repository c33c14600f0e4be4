"""CreateProxySession at one connector with one credential: only body and time are left to vary."""

from __future__ import annotations

import time
from calendar import timegm
from itertools import count
from uuid import uuid4

import aiohttp
import msgspec
from botocore.auth import SIGV4_TIMESTAMP
from botocore.credentials import ReadOnlyCredentials
from multidict import CIMultiDict

from provisioner.gateway.rehearsal import Rehearsal
from provisioner.gateway.signature import Signer
from provisioner.session import SessionRequest

_ENCODER = msgspec.json.Encoder()
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
"""Headers that are constant, or made below."""


class CompiledCall:
    """Makes and sends what the client made of a rehearsal, through the client's own session.

    `patience` bounds a call in seconds: the client's own timeouts count the time between bytes,
    which a trickling answer never exhausts.
    """

    def __init__(self, rehearsal: Rehearsal, signer: Signer, patience: float) -> None:
        self._rehearsal = rehearsal
        self._signer = signer
        connector = {"VoiceConnectorId": rehearsal.request.voice_connector_id}
        self._in_path = len(_json(connector)) + len(", ") - len("}")
        self._invocation = str(uuid4())[:24]
        self._invocations = count()
        session = rehearsal.session.timeout
        self._timeout = aiohttp.ClientTimeout(
            total=patience, sock_connect=session.sock_connect, sock_read=session.sock_read
        )

    def body(self, request: SessionRequest) -> bytes:
        """As botocore writes it, without the connector: the first member, it goes into the path."""
        return b"{" + _json(request)[self._in_path :]

    def headers(self, body: bytes, now: float) -> CIMultiDict[str]:
        """Those of the rehearsal, with what `body` and `now`, epoch seconds, make different."""
        headers = self._rehearsal.headers.copy()
        stamp, authorization = self._signer.sign(body, now)
        headers["X-Amz-Date"] = stamp
        headers["Authorization"] = authorization
        headers["amz-sdk-invocation-id"] = f"{self._invocation}{next(self._invocations):012x}"
        headers["Content-Length"] = str(len(body))
        return headers

    async def send(
        self, body: bytes, headers: CIMultiDict[str]
    ) -> tuple[aiohttp.ClientResponse, bytes]:
        """One POST; its answer and all of the answer's body. Raises aiohttp's errors."""
        rehearsal = self._rehearsal
        response = await rehearsal.session.request(
            rehearsal.method,
            rehearsal.url,
            data=body,
            headers=headers,
            allow_redirects=False,
            timeout=self._timeout,
            **rehearsal.rest,
        )
        return response, await response.read()

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
    """The call that repeats a rehearsal; None where the client sends what is not understood."""
    try:
        signer = Signer(credentials, rehearsal.method, str(rehearsal.url), rehearsal.headers)
        call = CompiledCall(rehearsal, signer, patience)
        return call if call.repeats_the_rehearsal() else None
    except (KeyError, ValueError):
        return None


def _json(value: object) -> bytes:
    """JSON with the spaces that botocore, as json.dumps, puts after commas and colons."""
    return msgspec.json.format(_ENCODER.encode(value), indent=0)
