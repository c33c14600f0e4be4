"""Operations as moto calls them, each handed to the state machine."""

from __future__ import annotations

import time

import msgspec
from moto.core.exceptions import ServiceException
from moto.core.responses import ActionResult, BaseResponse, EmptyResult

from provisioner.emulator.emulator import Delivery
from provisioner.emulator.moto.models import ChimeSDKVoiceBackend, chimesdkvoice_backends
from provisioner.emulator.refusal import Refusal, failure


class _RefusedError(ServiceException):
    """A refusal in moto's words; moto looks for an error's model by the module of its class."""


class ChimeSDKVoiceResponse(BaseResponse):
    """One request."""

    def __init__(self) -> None:
        super().__init__(service_name="chime-sdk-voice")
        self.automated_parameter_parsing = True

    def create_proxy_session(self) -> ActionResult:
        """CreateProxySession."""
        return self._answer("CreateProxySession")

    def list_proxy_sessions(self) -> ActionResult:
        """ListProxySessions."""
        return self._answer("ListProxySessions")

    def get_proxy_session(self) -> ActionResult:
        """GetProxySession."""
        return self._answer("GetProxySession")

    def update_proxy_session(self) -> ActionResult:
        """UpdateProxySession."""
        return self._answer("UpdateProxySession")

    def delete_proxy_session(self) -> ActionResult:
        """DeleteProxySession."""
        return self._answer("DeleteProxySession")

    def get_voice_connector_proxy(self) -> ActionResult:
        """GetVoiceConnectorProxy."""
        return self._answer("GetVoiceConnectorProxy")

    def put_voice_connector_proxy(self) -> ActionResult:
        """PutVoiceConnectorProxy."""
        return self._answer("PutVoiceConnectorProxy")

    def _answer(self, operation: str) -> ActionResult:
        backend: ChimeSDKVoiceBackend = chimesdkvoice_backends[self.current_account][self.region]
        reply = backend.emulator.call(operation, self._get_params(), time.time())
        time.sleep(reply.delay)
        body = reply.body if reply.delivery is Delivery.WHOLE else failure()
        if isinstance(body, Refusal):
            raise _RefusedError(body.code, body.message)
        return EmptyResult() if body is None else ActionResult(msgspec.to_builtins(body))
