"""An aioboto3 client that asks once and only where it should."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from importlib.metadata import version
from typing import Any, Protocol

import aioboto3
from aiobotocore.config import AioConfig
from aiobotocore.session import get_session
from botocore import exceptions as boto
from botocore.credentials import ReadOnlyCredentials

from provisioner.errors import ConfigurationError, CredentialsError, ProvisionerError
from provisioner.gateway.classification import CREDENTIALS_ERRORS, short
from provisioner.gateway.endpoint import check_endpoint, is_loopback
from provisioner.gateway.models import find_models_fast
from provisioner.gateway.transport import OneRequestSession
from provisioner.settings import ServiceSettings

SERVICE = "chime-sdk-voice"
LONGEST_CONNECT = 10.0
LOOPBACK_REGION = "us-east-1"
LOOPBACK_KEY = "emulator"

_REGION_HINT = "give --region, set AWS_DEFAULT_REGION, or put a region into the AWS profile"
_CREDENTIALS_HINT = (
    "sign in (aws sso login), give --profile, or set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY; "
    "`aws sts get-caller-identity` shows what is found"
)
_HINTS: dict[type[Exception], str] = {
    boto.NoRegionError: _REGION_HINT,
    boto.InvalidRegionError: "a region reads like us-east-1",
    boto.ProfileNotFound: "`aws configure list-profiles` shows the profiles there are",
}


class ClientEvents(Protocol):
    """botocore's hooks."""

    def register(self, event_name: str, handler: Callable[..., object]) -> None:
        """Have `handler` called with the event's keyword arguments."""


class ClientMeta(Protocol):
    """What botocore tells of a client."""

    endpoint_url: str
    region_name: str
    events: ClientEvents


class Client(Protocol):
    """The operations used, as botocore generates them; they raise its errors."""

    meta: ClientMeta

    async def create_proxy_session(self, **request: object) -> dict[str, Any]:
        """The parsed answer."""

    async def get_voice_connector_proxy(self, **request: object) -> dict[str, Any]:
        """The parsed answer."""

    async def list_proxy_sessions(self, **request: object) -> dict[str, Any]:
        """The parsed answer."""


class Credentials(Protocol):
    """botocore's, static or refreshable."""

    async def get_frozen_credentials(self) -> ReadOnlyCredentials:
        """Those to sign with now, refreshed first where that is due."""


@asynccontextmanager
async def open_client(settings: ServiceSettings) -> AsyncIterator[tuple[Client, Credentials]]:
    """A client of the service, and the credentials found for it.

    A loopback endpoint needs neither region nor credentials: placeholders stand in for what the
    standard chain does not have. They are never used anywhere else.

    Raises:
        ConfigurationError: no region, an unknown profile, or an endpoint that cannot be used.
        CredentialsError: no credentials.
    """
    if settings.endpoint_url is not None:
        check_endpoint(settings.endpoint_url)
    async with AsyncExitStack() as stack:
        try:
            session, credentials = await _open_session(settings)
            client = await stack.enter_async_context(
                session.client(
                    SERVICE, endpoint_url=settings.endpoint_url, config=client_config(settings)
                )
            )
        except (boto.BotoCoreError, ValueError) as error:
            raise _opening_error(error) from error
        check_endpoint(client.meta.endpoint_url)
        yield client, credentials


def client_config(settings: ServiceSettings) -> AioConfig:
    """One attempt a call, whatever AWS_MAX_ATTEMPTS and AWS_RETRY_MODE say."""
    return AioConfig(
        retries={"total_max_attempts": 1, "mode": "standard"},
        max_pool_connections=settings.pool,
        connect_timeout=connect_timeout(settings),
        read_timeout=settings.timeout,
        user_agent_extra=f"provisioner/{version('provisioner')}",
        http_session_cls=OneRequestSession,
        # A proxy from the environment has no business between us and our own machine.
        proxies={} if _at_loopback(settings) else None,
    )


def connect_timeout(settings: ServiceSettings) -> float:
    """Seconds to wait for a connection."""
    return min(LONGEST_CONNECT, settings.timeout)


def _at_loopback(settings: ServiceSettings) -> bool:
    return settings.endpoint_url is not None and is_loopback(settings.endpoint_url)


async def _open_session(settings: ServiceSettings) -> tuple[aioboto3.Session, Credentials]:
    """A session whose chain has credentials, or placeholders for a loopback endpoint."""
    loopback = _at_loopback(settings)
    core = get_session()
    find_models_fast(core)
    session = aioboto3.Session(
        botocore_session=core, profile_name=settings.profile, region_name=settings.region
    )
    if loopback:
        # Asking a virtual machine's metadata service takes seconds where there is none. Only now:
        # the chain is made for the profile that the session has when it is first asked for.
        core.get_component("credential_provider").remove("iam-role")
    if loopback and session.region_name is None:
        core.set_config_variable("region", LOOPBACK_REGION)
    if await session.get_credentials() is None:
        if not loopback:
            raise CredentialsError("no AWS credentials were found", hint=_CREDENTIALS_HINT)
        core.set_credentials(LOOPBACK_KEY, LOOPBACK_KEY)
    return session, await session.get_credentials()


def _opening_error(error: Exception) -> ProvisionerError:
    message = short(str(error))
    if isinstance(error, CREDENTIALS_ERRORS):
        return CredentialsError(message, hint=_CREDENTIALS_HINT)
    hint = _HINTS.get(type(error), "check the AWS configuration: `aws configure list` shows it")
    return ConfigurationError(message, hint=hint)
