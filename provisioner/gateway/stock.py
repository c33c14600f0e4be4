"""CreateProxySession as aioboto3 makes it, untouched."""

from __future__ import annotations

from typing import Protocol

import anyio
import msgspec

from provisioner.gateway import answer
from provisioner.gateway.client import Client
from provisioner.gateway.fence import leaving_by
from provisioner.job import Outcome
from provisioner.session import SessionRequest


class CreateCall(Protocol):
    """One CreateProxySession on the wire by `not_after`, epoch seconds, never two.

    Raises:
        TooLateError: it had not left by then, and was not sent.
        Exception: botocore's, or whatever else `classify` is to judge.
    """

    async def __call__(self, request: SessionRequest, *, not_after: float) -> Outcome:
        """What a successful answer says."""


class StockCall:
    """The client's own call.

    `patience` bounds it in seconds: the client's own timeouts count the time between bytes, which
    a trickling answer never exhausts.
    """

    def __init__(self, client: Client, patience: float) -> None:
        self.client = client
        self.patience = patience

    async def __call__(self, request: SessionRequest, *, not_after: float) -> Outcome:
        """As `CreateCall`."""
        members = msgspec.to_builtins(request)
        with anyio.fail_after(self.patience), leaving_by(not_after):
            return answer.created(await self.client.create_proxy_session(**members))
