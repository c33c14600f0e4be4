"""What the client would send, learned from the client itself: a call that never leaves."""

from __future__ import annotations

from typing import Any, NamedTuple

import aiohttp
import msgspec
from multidict import CIMultiDict
from yarl import URL

from provisioner.gateway.client import Client
from provisioner.gateway.transport import standing_in
from provisioner.session import SessionRequest


class Rehearsal(NamedTuple):
    """A request, and how aiobotocore hands it to aiohttp, signed and ready.

    `rest` are the arguments that depend on neither body nor time: the proxy and its headers.
    """

    request: SessionRequest
    session: aiohttp.ClientSession
    method: str
    url: URL
    headers: CIMultiDict[str]
    body: bytes
    rest: dict[str, Any]


def nobodys(connector_id: str) -> SessionRequest:
    """A request to a connector that names nobody's number."""
    return SessionRequest(
        voice_connector_id=connector_id,
        participants=("+10000000000", "+10000000001"),
        capabilities=("Voice",),
    )


async def rehearse(client: Client, request: SessionRequest) -> Rehearsal:
    """What `create_proxy_session` would send; raises what the client does before it sends."""
    taken: list[Rehearsal] = []

    async def take(
        session: aiohttp.ClientSession,
        method: str,
        **arguments: Any,  # noqa: ANN401  # aiohttp's own
    ) -> aiohttp.ClientResponse:
        url, headers, body = (arguments.pop(name) for name in ("url", "headers", "data"))
        taken.append(Rehearsal(request, session, method, url, headers, body, arguments))
        raise aiohttp.ClientError

    with standing_in(take):
        try:
            await client.create_proxy_session(**msgspec.to_builtins(request))
        except Exception:
            if not taken:
                raise
    return taken[0]
