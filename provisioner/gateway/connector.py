"""Why a voice connector cannot be used, as an error that says what to do."""

from __future__ import annotations

from provisioner.errors import (
    ConnectorError,
    CredentialsError,
    ExitCode,
    ProvisionerError,
    ServiceError,
)
from provisioner.job import Outcome, Verdict
from provisioner.session import ConnectorProxy

_UNREACHABLE = {
    "ConnectionRefused": "nothing is listening there",
    "NameNotResolved": "its name cannot be resolved",
    "TlsHandshake": "no TLS connection can be made",
    "ConnectTimeout": "it does not accept a connection in time",
    "ReadTimeout": "it does not answer in time",
}


def usable(proxy: ConnectorProxy | None, connector_id: str) -> ConnectorProxy:
    """The proxy configuration itself.

    Raises:
        ConnectorError: there is none, or it is disabled.
    """
    if proxy is None:
        raise ConnectorError(
            f"voice connector {connector_id} has no proxy configuration",
            hint="give it one with `aws chime-sdk-voice put-voice-connector-proxy`",
        )
    if proxy.disabled:
        raise ConnectorError(
            f"the proxy of voice connector {connector_id} is disabled",
            hint="enable it with `aws chime-sdk-voice put-voice-connector-proxy --no-disabled`",
        )
    return proxy


def unusable(outcome: Outcome, connector_id: str, endpoint: str) -> ProvisionerError:
    """The error that `outcome`, of reading a connector at `endpoint`, amounts to."""
    if outcome.fatal_exit == ExitCode.CREDENTIALS:
        return CredentialsError(
            f"these credentials may not read voice connector {connector_id}: {outcome.said}",
            hint="renew them if they expired, else allow chime:GetVoiceConnectorProxy, "
            "chime:CreateProxySession and chime:ListProxySessions; "
            "`aws sts get-caller-identity` shows who is asking",
        )
    if not outcome.answered:
        reason = _UNREACHABLE.get(outcome.error_code or "", outcome.said)
        return ServiceError(
            f"the service at {endpoint} cannot be reached: {reason}",
            hint="check the region, the network, proxies and --endpoint-url",
        )
    if outcome.verdict is Verdict.RETRYABLE:
        return ServiceError(
            f"the service at {endpoint} is unwell: {outcome.said}",
            hint="run it again later: nothing was sent",
        )
    kind = ConnectorError if outcome.connector_only else ServiceError
    return kind(
        f"voice connector {connector_id} cannot be used: {outcome.said}",
        hint="compare its id and region with `aws chime-sdk-voice list-voice-connectors`",
    )
