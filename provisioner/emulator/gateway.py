"""The service without a wire: the gateway port over the state machine, for simulations."""

from __future__ import annotations

from collections.abc import Mapping
from http import HTTPStatus

import msgspec

from provisioner.emulator.emulator import Delivery, Emulator, Reply
from provisioner.emulator.refusal import Refusal
from provisioner.emulator.requests import ProxyAnswer, ProxySessionAnswer, ProxySessionsAnswer
from provisioner.errors import ConnectorError, CredentialsError, ExitCode, ServiceError
from provisioner.job import TOO_LATE, Outcome, Verdict
from provisioner.ports import Clock
from provisioner.session import (
    LIST_PAGE_MAXIMUM,
    ConnectorProxy,
    SessionPage,
    SessionRequest,
    mask_numbers,
)

_VERDICTS = {
    400: Verdict.REFUSED,
    401: Verdict.FATAL,
    403: Verdict.FATAL,
    404: Verdict.FATAL,
    429: Verdict.RETRYABLE,
    503: Verdict.RETRYABLE,
}
_SILENCE = {
    Delivery.CLOSED: "ConnectionClosedError",
    Delivery.RESET: "ConnectionResetError",
    Delivery.NEVER: "ReadTimeoutError",
    Delivery.UNREADABLE: "UnreadableResponse",
}
_PROXY_TRIES = 10
_PATIENCE = 1.0


class EmulatedGateway:
    """Calls an emulator directly. Half of a call's latency passes before the deed, half after.

    `timeout` is the seconds a caller waits for an answer; it should exceed the latency.
    """

    def __init__(self, emulator: Emulator, clock: Clock, *, timeout: float = 30.0) -> None:
        self._emulator = emulator
        self._clock = clock
        self._timeout = timeout
        self._sent = 0

    async def create(self, request: SessionRequest, *, not_after: float) -> Outcome:
        """One CreateProxySession; what came of it, as far as a caller can know."""
        if self._clock.time() > not_after:
            return TOO_LATE
        reply = await self._call("CreateProxySession", msgspec.to_builtins(request))
        if isinstance(reply.body, ProxySessionAnswer) and reply.delivery is Delivery.WHOLE:
            return Outcome(
                verdict=Verdict.CREATED,
                session=reply.body.proxy_session,
                status=reply.status,
                request_id=self._emulator.request_id(reply.number),
            )
        return self._unsuccessful(reply)

    async def list_sessions(
        self, connector_id: str, next_token: str | None = None
    ) -> SessionPage | Outcome:
        """One ListProxySessions: a page, or why there is none."""
        parameters = {"VoiceConnectorId": connector_id, "MaxResults": LIST_PAGE_MAXIMUM}
        token = {} if next_token is None else {"NextToken": next_token}
        reply = await self._call("ListProxySessions", parameters | token)
        if isinstance(reply.body, ProxySessionsAnswer) and reply.delivery is Delivery.WHOLE:
            return SessionPage(
                sessions=reply.body.proxy_sessions, next_token=reply.body.next_token or None
            )
        outcome = self._unsuccessful(reply)
        if outcome.verdict is Verdict.AMBIGUOUS:
            return msgspec.structs.replace(outcome, verdict=Verdict.RETRYABLE)
        return outcome

    async def connector_proxy(self, connector_id: str) -> ConnectorProxy:
        """The connector's configuration; tried again where that may help.

        Raises:
            ConnectorError: the connector is missing.
            ServiceError: ten tries got no usable answer.
            CredentialsError: not allowed.
        """
        for _ in range(_PROXY_TRIES):
            reply = await self._call("GetVoiceConnectorProxy", {"VoiceConnectorId": connector_id})
            if reply.delivery is Delivery.WHOLE and isinstance(reply.body, ProxyAnswer):
                return _configuration(reply.body)
            if reply.delivery is Delivery.WHOLE and isinstance(reply.body, Refusal):
                _raise_if_final(reply.body)
            await self._clock.sleep(_PATIENCE)
        raise ServiceError("the emulated service cannot be reached", hint="lower its faults")

    def _unsuccessful(self, reply: Reply) -> Outcome:
        if isinstance(reply.body, Refusal) and reply.delivery is Delivery.WHOLE:
            request_id = self._emulator.request_id(reply.number)
            return _refused(reply.body, request_id, self._emulator.settings.retry_after)
        return _silent(reply)

    async def _call(self, operation: str, parameters: Mapping[str, object]) -> Reply:
        """The reply, when it would have come; one that never comes takes the timeout."""
        signed_at = self._clock.time()
        self._sent += 1
        way = self._emulator.latency(self._sent) / 2
        await self._clock.sleep(way)
        now = self._clock.time()
        reply = self._emulator.call(operation, parameters, now, signed_at=signed_at)
        hangs = reply.delivery is Delivery.NEVER
        await self._clock.sleep(self._timeout - way if hangs else way)
        return reply


def _silent(reply: Reply) -> Outcome:
    """Nobody knows: the answer did not come, or could not be read."""
    unreadable = reply.delivery is Delivery.UNREADABLE
    return Outcome(
        verdict=Verdict.AMBIGUOUS,
        error_code=_SILENCE[reply.delivery],
        status=reply.status if unreadable else None,
        answered=unreadable,
    )


def _refused(refusal: Refusal, request_id: str, retry_after: float | None) -> Outcome:
    status = refusal.status
    verdict, fatal_exit = _VERDICTS.get(status, Verdict.AMBIGUOUS), None
    if refusal.is_about_connector:
        verdict, fatal_exit = Verdict.FATAL, ExitCode.SERVICE
    elif verdict is Verdict.FATAL:
        fatal_exit = ExitCode.CREDENTIALS
    return Outcome(
        verdict=verdict,
        status=status,
        error_code=refusal.code,
        message=mask_numbers(refusal.message),
        request_id=request_id,
        retry_after=retry_after if verdict is Verdict.RETRYABLE else None,
        throttled=status == HTTPStatus.TOO_MANY_REQUESTS,
        fatal_exit=fatal_exit,
        connector_only=refusal.is_about_connector,
    )


def _configuration(answer: ProxyAnswer) -> ConnectorProxy:
    return ConnectorProxy(
        default_expiry_minutes=answer.proxy.default_session_expiry_minutes,
        disabled=answer.proxy.disabled,
        countries=answer.proxy.phone_number_countries,
    )


def _raise_if_final(refusal: Refusal) -> None:
    if refusal.status in {HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN}:
        raise CredentialsError(refusal.message, hint="check the clock and the credentials")
    if refusal.status == HTTPStatus.NOT_FOUND:
        raise ConnectorError(refusal.message, hint="give the id of a connector that exists")
