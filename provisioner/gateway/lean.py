"""CreateProxySession with what never changes done once, per connector and credential.

Measured, in the CPU of a bare aiohttp POST: this 1.2, botocore's `before-call` hook 3.3, the client
untouched 9. The hook leaves validation, endpoint rules and User-Agent in every call; this does not.
"""

from __future__ import annotations

from typing import Any

import msgspec
from botocore.credentials import ReadOnlyCredentials
from botocore.exceptions import HTTPClientError

from provisioner.gateway import answer
from provisioner.gateway.client import Credentials
from provisioner.gateway.compiled import CompiledCall, compiled
from provisioner.gateway.fence import TooLateError
from provisioner.gateway.post import Answer
from provisioner.gateway.rehearsal import nobodys, rehearse
from provisioner.gateway.stock import StockCall
from provisioner.gateway.transport import standing_in
from provisioner.job import Outcome
from provisioner.ports import Clock
from provisioner.session import SessionRequest

_MOST_CONNECTORS = 1024
"""Compiled calls that are kept."""


class LeanCall:
    """Learns from the client what it sends and sends the like; implements `CreateCall`.

    A 201 that the typed decoder reads is the outcome. Whatever else comes of the request is played
    to the client as the answer to its own, so that botocore's parser and errors have the last
    word. Where the client sends something else than expected, `stock` makes the call.
    """

    def __init__(self, stock: StockCall, credentials: Credentials, clock: Clock) -> None:
        self._stock = stock
        self._credentials = credentials
        self._clock = clock
        self._calls: dict[str, tuple[ReadOnlyCredentials, CompiledCall | None]] = {}

    async def __call__(self, request: SessionRequest, *, not_after: float) -> Outcome:
        """As `CreateCall`."""
        call = await self._call_to(request.voice_connector_id)
        if call is None:
            return await self._stock(request, not_after=not_after)
        body = call.body(request)
        varying = call.varying(body, self._clock.time())
        if self._clock.time() > not_after:
            raise TooLateError
        try:
            reply = await call.post.send(varying, body)
        except Exception as error:  # noqa: BLE001 - the client knows what to make of it
            return await self._played(error, request)
        return answer.decoded(reply) or await self._played(reply, request)

    async def _call_to(self, connector_id: str) -> CompiledCall | None:
        credentials = await self._credentials.get_frozen_credentials()
        signed_with, call = self._calls.get(connector_id, (None, None))
        if signed_with != credentials:
            rehearsal = await rehearse(self._stock.client, nobodys(connector_id))
            call = compiled(rehearsal, credentials, self._stock.patience)
            if len(self._calls) >= _MOST_CONNECTORS:
                self._calls.clear()
            self._calls[connector_id] = credentials, call
        return call

    async def _played(self, reply: Answer | Exception, request: SessionRequest) -> Outcome:
        """What the client makes of a reply; it gets to see it unless its credentials run out."""
        seen = False

        async def give(*_: object, **__: object) -> Answer:
            nonlocal seen
            seen = True
            if isinstance(reply, Exception):
                raise reply
            return reply

        members: dict[str, Any] = msgspec.to_builtins(nobodys(request.voice_connector_id))
        with standing_in(give):
            try:
                return answer.created(await self._stock.client.create_proxy_session(**members))
            except Exception as error:
                if seen:
                    raise
                raise HTTPClientError(error=reply) from error
