"""Thirty jobs and a service to send them to."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from pathlib import Path

import msgspec
import pytest

from provisioner import InputSettings, PaceSettings, ServiceSettings, Settings
from provisioner.emulator.http import RunningServer, serve
from provisioner.emulator.settings import CONNECTOR, EmulatorSettings
from tests.integration import wire


@pytest.fixture
def jobs(tmp_path: Path) -> Path:
    path = tmp_path / "night.jsonl"
    rows = [
        {
            "VoiceConnectorId": CONNECTOR,
            "ParticipantPhoneNumbers": [f"+1206555{n:04}", f"+1312555{n:04}"],
            "Capabilities": ["Voice"],
        }
        for n in range(30)
    ]
    path.write_text("\n".join(map(json.dumps, rows)), "utf-8")
    return path


@pytest.fixture
async def server() -> AsyncIterator[RunningServer]:
    async with serve(EmulatorSettings()) as server:
        yield server


@pytest.fixture
def account(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """One that is not the machine's, and retry settings that must not matter."""
    for name in ("AWS_PROFILE", "AWS_REGION", "AWS_DEFAULT_REGION", "AWS_ENDPOINT_URL"):
        monkeypatch.delenv(name, raising=False)
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "http_proxy", "https_proxy"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "config"))
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "credentials"))
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "testing")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "testing")
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "5")
    monkeypatch.setenv("AWS_RETRY_MODE", "legacy")


@pytest.fixture(params=["lean", "stock"])
def sdk_path(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Both ways through the SDK."""
    monkeypatch.setattr(wire, "SDK_PATH", request.param)


def night(jobs: Path, url: str, **more: object) -> Settings:
    """A run of `jobs` at `url`; `more` replaces what it is told."""
    settings = Settings(
        input=InputSettings(path=str(jobs)),
        ledger=str(jobs.parent / "ledger.db"),
        out=jobs.parent / "out",
        service=ServiceSettings(endpoint_url=url),
        pace=PaceSettings(rate=2000),
    )
    return msgspec.structs.replace(settings, **more)
