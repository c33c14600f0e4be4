"""The gateway itself: typed requests in, outcomes out."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import anyio
import msgspec

from provisioner.gateway import answer
from provisioner.gateway.classification import classify
from provisioner.gateway.client import Client, connect_timeout, open_client
from provisioner.gateway.connector import unusable, usable
from provisioner.job import Outcome, Verdict
from provisioner.ports import Clock, Gateway, RetryPolicy
from provisioner.session import ConnectorProxy, SessionRequest
from provisioner.settings import ServiceSettings

CREATE = "CreateProxySession"
READ_PROXY = "GetVoiceConnectorProxy"


@asynccontextmanager
async def open_gateway(
    settings: ServiceSettings, *, retry: RetryPolicy, clock: Clock
) -> AsyncIterator[Gateway]:
    """The service, ready for calls; its connections are closed at the end.

    Raises:
        ConfigurationError: no region, an unknown profile, or an endpoint that cannot be used.
        CredentialsError: no credentials.
    """
    patience = connect_timeout(settings) + settings.timeout
    async with open_client(settings) as client:
        yield ServiceGateway(client, retry=retry, clock=clock, patience=patience)


class ServiceGateway:
    """CreateProxySession and GetVoiceConnectorProxy through aioboto3; see `ports.Gateway`.

    `patience` bounds a whole call in seconds: the client's own timeouts count the time between
    bytes, which a trickling answer never exhausts.
    """

    def __init__(
        self, client: Client, *, retry: RetryPolicy, clock: Clock, patience: float
    ) -> None:
        self._client = client
        self._retry = retry
        self._clock = clock
        self._patience = patience

    async def create(self, request: SessionRequest) -> Outcome:
        """One CreateProxySession request on the wire, never two."""
        members = msgspec.to_builtins(request)
        try:
            with anyio.fail_after(self._patience):
                parsed = await self._client.create_proxy_session(**members)
        except Exception as error:  # noqa: BLE001 - whatever it is, the call may have arrived
            return classify(error, operation=CREATE, now=self._clock.time())
        return answer.created(parsed)

    async def connector_proxy(self, connector_id: str) -> ConnectorProxy:
        """The connector's proxy configuration; a read, so tried again whatever was ambiguous.

        Raises:
            ServiceError: the connector or its proxy is missing or disabled, or the service
                cannot be reached.
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

    async def _read_proxy(self, connector_id: str) -> ConnectorProxy | Outcome | None:
        try:
            with anyio.fail_after(self._patience):
                parsed = await self._client.get_voice_connector_proxy(VoiceConnectorId=connector_id)
        except Exception as error:  # noqa: BLE001 - the table knows them all
            outcome = classify(error, operation=READ_PROXY, now=self._clock.time())
            if outcome.verdict is Verdict.AMBIGUOUS:
                return msgspec.structs.replace(outcome, verdict=Verdict.RETRYABLE)
            return outcome
        return answer.connector_proxy(parsed)
