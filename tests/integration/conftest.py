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
