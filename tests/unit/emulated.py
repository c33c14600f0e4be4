"""A service of the emulator, asked without any face."""

from random import Random

import pytest

from provisioner.emulator.refusal import Refusal
from provisioner.emulator.service import Service
from provisioner.emulator.settings import CONNECTOR, EmulatorSettings

PAIR = ["+14155550170", "+14155550171"]
NOON = 1_700_000_000.25


def make(**settings):
    settings = EmulatorSettings(**settings)
    return Service(settings, Random(settings.seed))


def create(service, now=NOON, pair=PAIR, **members):
    parameters = {
        "VoiceConnectorId": CONNECTOR,
        "ParticipantPhoneNumbers": pair,
        "Capabilities": ["Voice", "SMS"],
    }
    return service.call("CreateProxySession", parameters | members, now).proxy_session


def get(service, session, now=NOON):
    parameters = {"VoiceConnectorId": CONNECTOR, "ProxySessionId": session.proxy_session_id}
    return service.call("GetProxySession", parameters, now).proxy_session


def page(service, now=NOON, **parameters):
    answer = service.call("ListProxySessions", {"VoiceConnectorId": CONNECTOR} | parameters, now)
    return [each.proxy_session_id for each in answer.proxy_sessions], answer.next_token


def scan(service, now=NOON, **parameters):
    ids, token = page(service, now, **parameters)
    while isinstance(token, str):
        more, token = page(service, now, NextToken=token, **parameters)
        ids += more
    return ids


def refusal(service, operation="CreateProxySession", now=NOON, **parameters):
    with pytest.raises(Refusal) as caught:
        service.call(operation, {"VoiceConnectorId": CONNECTOR} | parameters, now)
    return caught.value
