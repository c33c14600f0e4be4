"""The backend: one emulator for each account and region."""

from __future__ import annotations

from moto.core.base_backend import BackendDict, BaseBackend

from provisioner.emulator.emulator import Emulator
from provisioner.emulator.settings import EmulatorSettings


class ChimeSDKVoiceBackend(BaseBackend):
    """What moto keeps and resets."""

    settings = EmulatorSettings()

    def __init__(self, region_name: str, account_id: str) -> None:
        super().__init__(region_name, account_id)
        self.emulator = Emulator(self.settings)


chimesdkvoice_backends = BackendDict(ChimeSDKVoiceBackend, "chime-sdk-voice")


def start_afresh(settings: EmulatorSettings) -> None:
    """Forget every session; emulators made from here on have these settings."""
    ChimeSDKVoiceBackend.settings = settings
    chimesdkvoice_backends.reset()
