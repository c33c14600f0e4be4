"""The emulator under the clients people use, and as the process they start."""

import json
import os
import shutil
import signal
import subprocess
import sys
import urllib.request
from pathlib import Path

import aioboto3
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError

from provisioner.emulator.__main__ import main
from provisioner.emulator.child import start_child
from provisioner.emulator.faults import parse_faults
from provisioner.emulator.http import serve
from provisioner.emulator.moto import register
from provisioner.emulator.settings import CONNECTOR, EmulatorSettings
from provisioner.errors import ConfigurationError, ServiceError

AWS = shutil.which("aws", path=f"{Path(sys.executable).parent}:{os.environ['PATH']}")
PAIR = ["+14155550170", "+14155550171"]
KEYS = {
    "AWS_ACCESS_KEY_ID": "test",
    "AWS_SECRET_ACCESS_KEY": "test",
    "AWS_DEFAULT_REGION": "us-east-1",
    "AWS_EC2_METADATA_DISABLED": "true",
    "AWS_PAGER": "",
}


def read_state(url):
    with urllib.request.urlopen(f"{url}/_emulator/state", timeout=5) as answer:  # noqa: S310 - our own server
        return json.load(answer)


def start(*arguments):
    command = [sys.executable, "-m", "provisioner.emulator", *arguments]
    return subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)


async def test_aioboto3_creates_lists_and_reads_errors():
    session = aioboto3.Session("test", "test", region_name="us-east-1")
    config = Config(retries={"total_max_attempts": 1, "mode": "standard"})
    async with (
        serve(EmulatorSettings()) as server,
        session.client("chime-sdk-voice", endpoint_url=server.url, config=config) as client,
    ):
        created = await client.create_proxy_session(
            VoiceConnectorId=CONNECTOR, ParticipantPhoneNumbers=PAIR, Capabilities=["Voice"]
        )
        listed = await client.list_proxy_sessions(VoiceConnectorId=CONNECTOR)
        with pytest.raises(ClientError, match="does not exist") as caught:
            await client.get_voice_connector_proxy(VoiceConnectorId="unknown")
    assert listed["ProxySessions"] == [created["ProxySession"]]
    assert caught.value.response["Error"]["Code"] == "NotFoundException"


@pytest.mark.skipif(AWS is None, reason="the AWS CLI is not installed")
def test_the_aws_cli_creates_lists_gets_and_deletes():
    def aws(operation, *arguments):
        where = ["--endpoint-url", url, "--voice-connector-id", CONNECTOR, "--output", "json"]
        command = [AWS, "chime-sdk-voice", operation, *where, *arguments]
        done = subprocess.run(
            command, env=os.environ | KEYS, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout or "null")

    with start_child(EmulatorSettings()) as url:
        created = aws(
            "create-proxy-session", "--participant-phone-numbers", *PAIR, "--capabilities", "Voice"
        )["ProxySession"]
        which = ["--proxy-session-id", created["ProxySessionId"]]
        assert aws("list-proxy-sessions")["ProxySessions"] == [created]
        assert aws("get-proxy-session", *which)["ProxySession"] == created
        assert aws("delete-proxy-session", *which) is None
        assert read_state(url)["sessions"] == {"Deleted": 1}


def test_a_child_serves_with_its_settings():
    settings = EmulatorSettings(connectors=("mine",), faults=parse_faults("throttle=50%"))
    with start_child(settings) as url:
        assert read_state(url)["requests"] == 0


def test_a_child_ends_with_its_block():
    with start_child(EmulatorSettings()) as url:
        pass
    with pytest.raises(OSError, match="refused"):
        read_state(url)


def test_a_child_that_cannot_start_is_a_service_error():
    with (
        pytest.raises(ServiceError, match="did not start"),
        start_child(EmulatorSettings(pool_size=0)),
    ):
        pass


def test_a_child_that_does_not_end_is_killed(monkeypatch):
    monkeypatch.setattr("provisioner.emulator.child._PATIENCE", 0.05)
    monkeypatch.setattr(sys, "executable", shutil.which("sh"))
    stubborn = ["sh", "-c", "echo http://x; exec sleep 60", "--settings"]
    real = subprocess.Popen
    monkeypatch.setattr(subprocess, "Popen", lambda _, **options: real(stubborn, **options))
    with start_child(EmulatorSettings()) as url:
        assert url == "http://x"


def test_the_process_ends_when_its_standard_input_closes():
    with start("--until-stdin-closes") as process:
        assert process.stdout.readline().startswith("http://127.0.0.1:")
        process.stdin.close()
        assert process.wait(10) == 0


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_the_process_ends_quietly_at_a_signal(number):
    with start("--seed", "3", "--quota", "5", "--faults", "lost=1%") as process:
        process.stdout.readline()
        process.send_signal(number)
        assert process.wait(10) == 0


@pytest.mark.parametrize("arguments", [["--faults", "x=1"], ["--settings", "["]])
def test_options_that_cannot_be_used_are_a_configuration_error(arguments, capsys):
    assert main(arguments) == 78
    assert "allowed" in capsys.readouterr().err or arguments[0] == "--settings"


def test_the_process_runs_without_uvloop(monkeypatch):
    monkeypatch.setitem(sys.modules, "uvloop", None)
    closed, opened = os.pipe()
    os.close(opened)
    monkeypatch.setattr("provisioner.emulator.foreground._STDIN", closed)
    assert main(["--until-stdin-closes"]) == 0
    os.close(closed)


def test_without_moto_the_person_is_told_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "moto.backend_index", None)
    with pytest.raises(ConfigurationError) as caught:
        register()
    assert "provisioner[moto]" in caught.value.hint
