"""Where moto finds the operations."""

from __future__ import annotations

from provisioner.emulator.moto.responses import ChimeSDKVoiceResponse

url_bases = [r"https?://voice-chime\.(.+)\.amazonaws\.com"]

_CONNECTOR = "{0}/voice-connectors/(?P<voiceConnectorId>[^/]+)"

url_paths = {
    f"{_CONNECTOR}/proxy-sessions$": ChimeSDKVoiceResponse.dispatch,
    f"{_CONNECTOR}/proxy-sessions/(?P<proxySessionId>[^/]+)$": ChimeSDKVoiceResponse.dispatch,
    f"{_CONNECTOR}/programmable-numbers/proxy$": ChimeSDKVoiceResponse.dispatch,
}
