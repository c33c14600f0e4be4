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
        self._asked_at = -1
        self._frozen: ReadOnlyCredentials | None = None
        self._calls: dict[str, CompiledCall | None] = {}

    async def __call__(self, request: SessionRequest, *, not_after: float) -> Outcome:
        """As `CreateCall`."""
        connector, now = request.voice_connector_id, self._clock.time()
        if int(now) != self._asked_at or connector not in self._calls:
            call, now = await self._learned(connector), self._clock.time()
        else:
            call = self._calls[connector]
        if call is None:
            return await self._stock(request, not_after=not_after)
        if now > not_after:
            raise TooLateError
        body = call.body(request)
        try:
            reply = await call.post.send(call.varying(body, now), body)
        except Exception as error:  # noqa: BLE001 - the client knows what to make of it
            return await self._played(error, request)
        return answer.decoded(reply) or await self._played(reply, request)

    async def _learned(self, connector_id: str) -> CompiledCall | None:
        """The call to a connector, with the credentials of this second."""
        second = int(self._clock.time())
        credentials = await self._credentials.get_frozen_credentials()
        if self._frozen != credentials:
            self._frozen, self._calls = credentials, {}
        self._asked_at, calls = second, self._calls
        if connector_id not in calls:
            rehearsal = await rehearse(self._stock.client, nobodys(connector_id))
            if len(calls) >= _MOST_CONNECTORS:
                calls.clear()
            calls[connector_id] = compiled(rehearsal, credentials, self._stock.patience)
        return calls[connector_id]

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
