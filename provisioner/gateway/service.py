"""The gateway itself: typed requests in, outcomes out."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import anyio
import msgspec

from provisioner.gateway import answer
from provisioner.gateway.classification import classify
from provisioner.gateway.client import SERVICE, Client, connect_timeout, open_client
from provisioner.gateway.connector import unusable, usable
from provisioner.gateway.fence import TooLateError, refuse_late
from provisioner.gateway.lean import LeanCall
from provisioner.gateway.scope import quota_scope
from provisioner.gateway.stock import CreateCall, StockCall
from provisioner.job import TOO_LATE, Outcome, Verdict
from provisioner.ports import Clock, RetryPolicy
from provisioner.session import LIST_PAGE_MAXIMUM, ConnectorProxy, SessionPage, SessionRequest
from provisioner.settings import ServiceSettings

CREATE = "CreateProxySession"
READ_PROXY = "GetVoiceConnectorProxy"
LIST = "ListProxySessions"

_UNREADABLE = Outcome(
    verdict=Verdict.RETRYABLE,
    error_code="UnreadableResponse",
    message="The service answered with a listing that cannot be read.",
)


@asynccontextmanager
async def open_gateway(
    settings: ServiceSettings, *, retry: RetryPolicy, clock: Clock
) -> AsyncIterator[ServiceGateway]:
    """The service, ready for calls; its connections are closed at the end.

    Raises:
        ConfigurationError: no region, an unknown profile, or an endpoint that cannot be used.
        CredentialsError: no credentials.
    """
    patience = connect_timeout(settings) + settings.timeout
    async with open_client(settings) as (client, credentials):
        client.meta.events.register(f"before-send.{SERVICE}.{CREATE}", refuse_late(clock.time))
        create: CreateCall = StockCall(client, patience)
        if settings.sdk_path == "lean":
            create = LeanCall(StockCall(client, patience), credentials, clock)
        gateway = ServiceGateway(client, create, retry=retry, clock=clock, patience=patience)
        known_as = await credentials.get_frozen_credentials()
        gateway.scope = quota_scope(settings, client.meta, known_as)
        yield gateway


class ServiceGateway:
    """The calls of `ports.Gateway` through aioboto3.

    `patience` bounds a whole read in seconds, as `StockCall` has it for a creation. `scope` names
    the quota that its calls count against.
    """

    def __init__(
        self,
        client: Client,
        create: CreateCall,
        *,
        retry: RetryPolicy,
        clock: Clock,
        patience: float,
    ) -> None:
        self.scope = ""
        self._client = client
        self._create = create
        self._retry = retry
        self._clock = clock
        self._patience = patience

    async def create(self, request: SessionRequest, *, not_after: float) -> Outcome:
        """One CreateProxySession request on the wire by `not_after`, never two."""
        try:
            return await self._create(request, not_after=not_after)
        except TooLateError:
            return TOO_LATE
        except Exception as error:  # noqa: BLE001 - whatever it is, the call may have arrived
            return classify(error, operation=CREATE, now=self._clock.time())

    async def connector_proxy(self, connector_id: str) -> ConnectorProxy:
        """The connector's proxy configuration; a read, so tried again whatever was ambiguous.

        Raises:
            ConnectorError: the connector or its proxy is missing or disabled.
            ServiceError: the service cannot be reached.
            CredentialsError: no credentials, or not allowed.
        """
        attempts = 0
        while True:
            attempts += 1
            found = await self._read_proxy(connector_id)
            if not isinstance(found, Outcome):
                return usable(found, connector_id)
            delay = self._retry.delay(found, attempts)
            if delay is None:
                raise unusable(found, connector_id, self._client.meta.endpoint_url)
            await self._clock.sleep(delay)

    async def list_sessions(
        self, connector_id: str, next_token: str | None = None
    ) -> SessionPage | Outcome:
        """One ListProxySessions request: a page, or why there is none."""
        token = {} if next_token is None else {"NextToken": next_token}
        parsed = await self._read(
            LIST,
            self._client.list_proxy_sessions,
            VoiceConnectorId=connector_id,
            MaxResults=LIST_PAGE_MAXIMUM,
            **token,
        )
        if isinstance(parsed, Outcome):
            return parsed
        return answer.session_page(parsed) or _UNREADABLE

    async def _read_proxy(self, connector_id: str) -> ConnectorProxy | Outcome | None:
        parsed = await self._read(
            READ_PROXY, self._client.get_voice_connector_proxy, VoiceConnectorId=connector_id
        )
        return parsed if isinstance(parsed, Outcome) else answer.connector_proxy(parsed)

    async def _read(
        self, operation: str, call: Callable[..., Awaitable[dict[str, Any]]], **members: object
    ) -> dict[str, Any] | Outcome:
        """The parsed answer to one read; what is ambiguous for a creation is retryable here."""
        try:
            with anyio.fail_after(self._patience):
                return await call(**members)
        except Exception as error:  # noqa: BLE001 - the table knows them all
            outcome = classify(error, operation=operation, now=self._clock.time())
        if outcome.verdict is Verdict.AMBIGUOUS:
            return msgspec.structs.replace(outcome, verdict=Verdict.RETRYABLE)
        return outcome
