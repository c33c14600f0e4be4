from collections import Counter

import pytest

from provisioner.emulator.emulator import Delivery, Emulator
from provisioner.emulator.faults import FaultDice, FaultKind, FaultPlan, parse_faults
from provisioner.emulator.requests import ProxySessionAnswer
from provisioner.emulator.settings import CONNECTOR, EmulatorSettings
from provisioner.errors import ConfigurationError

NOON = 1_700_000_000.0
CREATE = {
    "VoiceConnectorId": CONNECTOR,
    "ParticipantPhoneNumbers": ["+14155550170", "+14155550171"],
    "Capabilities": ["Voice"],
}


def emulator(faults, **settings):
    return Emulator(EmulatorSettings(faults=parse_faults(faults), **settings))


def created(emulated):
    return len(list(emulated.service.records()))


def test_a_plan_is_read_from_compact_text():
    plan = parse_faults("throttle=1%, lost=0.001,latency=20ms~10ms,hang=2%@90s,slow_listing=5%@2m")
    assert plan == FaultPlan(
        rates={
            FaultKind.THROTTLE: 0.01,
            FaultKind.LOST: 0.001,
            FaultKind.HANG: 0.02,
            FaultKind.SLOW_LISTING: 0.05,
        },
        latency=0.02,
        jitter=0.01,
        hang_seconds=90.0,
        listing_lag=120.0,
    )


def test_empty_text_is_no_fault():
    assert parse_faults("") == FaultPlan()


def test_the_operations_can_be_chosen():
    assert parse_faults("on=list+create").operations == ("ListProxySessions", "CreateProxySession")
    assert "GetVoiceConnectorProxy" in parse_faults("on=all").operations


@pytest.mark.parametrize(
    "text",
    [
        "thrott=1%",
        "throttle",
        "throttle=many",
        "throttle=1%@3s",
        "latency=20",
        "latency=20ms~",
        "hang=1%@",
        "on=everything",
        "lost=60%,reset=60%",
        "throttle=101%",
    ],
)
def test_what_is_not_understood_is_refused_with_what_is_allowed(text):
    with pytest.raises(ConfigurationError) as caught:
        parse_faults(text)
    assert "unavailable_after" in caught.value.hint


def test_a_fault_depends_on_seed_and_number_alone():
    plan = parse_faults("throttle=30%,lost=20%")
    kinds = [
        [FaultDice(plan, seed).kind("CreateProxySession", number) for number in range(200)]
        for seed in (1, 1, 2)
    ]
    assert kinds[0] == kinds[1] != kinds[2]


def test_faults_come_at_their_rates():
    dice = FaultDice(parse_faults("throttle=10%,unavailable=5%"), 4)
    counts = Counter(dice.kind("CreateProxySession", number) for number in range(20_000))
    assert counts[FaultKind.THROTTLE] / 20_000 == pytest.approx(0.10, abs=0.01)
    assert counts[FaultKind.UNAVAILABLE] / 20_000 == pytest.approx(0.05, abs=0.01)


def test_latency_stays_within_its_jitter():
    dice = FaultDice(parse_faults("latency=20ms~10ms"), 4)
    values = [dice.latency(number) for number in range(1000)]
    assert 0.01 <= min(values) < 0.012
    assert 0.028 < max(values) <= 0.03


def test_latency_is_never_negative():
    dice = FaultDice(parse_faults("latency=1ms~10ms"), 4)
    assert min(dice.latency(number) for number in range(100)) == 0.0


@pytest.mark.parametrize(
    ("kind", "status", "sessions", "delivery"),
    [
        ("throttle", 429, 0, Delivery.WHOLE),
        ("unavailable", 503, 0, Delivery.WHOLE),
        ("unavailable_after", 503, 1, Delivery.WHOLE),
        ("failure_before", 500, 0, Delivery.WHOLE),
        ("failure_after", 500, 1, Delivery.WHOLE),
        ("lost", 201, 1, Delivery.CLOSED),
        ("unreadable", 201, 1, Delivery.UNREADABLE),
        ("hang", 201, 1, Delivery.NEVER),
        ("slow_listing", 201, 1, Delivery.WHOLE),
    ],
)
def test_each_kind_says_one_thing_and_does_one_thing(kind, status, sessions, delivery):
    emulated = emulator(f"{kind}=100%")
    reply = emulated.call("CreateProxySession", CREATE, NOON)
    assert (reply.status, created(emulated), reply.delivery) == (status, sessions, delivery)
    assert emulated.tally.faults == {kind: 1}


def test_a_reset_comes_before_the_deed_or_after():
    emulated = emulator("reset=100%")
    replies = [emulated.call("CreateProxySession", CREATE, NOON) for _ in range(60)]
    assert {each.delivery for each in replies} == {Delivery.RESET}
    assert 10 < created(emulated) < 50


def test_a_refusal_is_readable_whatever_the_fault():
    reply = emulator("unreadable=100%").call("CreateProxySession", {}, NOON)
    assert (reply.status, reply.delivery) == (400, Delivery.WHOLE)


def test_only_the_chosen_operations_suffer():
    emulated = emulator("throttle=100%,on=list")
    assert emulated.call("CreateProxySession", CREATE, NOON).status == 201
    listing = {"VoiceConnectorId": CONNECTOR}
    assert emulated.call("ListProxySessions", listing, NOON).status == 429


def test_a_slow_listing_hides_the_session_for_its_lag():
    emulated = emulator("slow_listing=100%@30s,on=all")
    assert isinstance(emulated.call("CreateProxySession", CREATE, NOON).body, ProxySessionAnswer)

    def listed(now):
        reply = emulated.call("ListProxySessions", {"VoiceConnectorId": CONNECTOR}, now)
        return len(reply.body.proxy_sessions)

    assert [listed(NOON + 29), listed(NOON + 30)] == [0, 1]


def test_a_slow_listing_never_shortens_the_services_own_delay():
    emulated = emulator("slow_listing=100%@1s", listing_delay=30.0)
    emulated.call("CreateProxySession", CREATE, NOON)
    reply = emulated.call("ListProxySessions", {"VoiceConnectorId": CONNECTOR}, NOON + 29)
    assert reply.body.proxy_sessions == ()


def test_a_changed_plan_holds_from_then_on():
    emulated = emulator("throttle=100%")
    emulated.change_faults(FaultPlan())
    assert emulated.call("CreateProxySession", CREATE, NOON).status == 201


def test_a_stale_signature_is_refused_before_anything_is_done():
    emulated = emulator("")
    reply = emulated.call("CreateProxySession", CREATE, NOON, signed_at=NOON - 301)
    assert (reply.status, reply.body.code, created(emulated)) == (
        403,
        "InvalidSignatureException",
        0,
    )


def test_signatures_last_for_ever_when_the_settings_say_so():
    emulated = emulator("", signature_age=None)
    reply = emulated.call("CreateProxySession", CREATE, NOON, signed_at=NOON - 9999)
    assert reply.status == 201


def test_the_tally_counts_what_was_delivered_and_the_busiest_second():
    emulated = emulator("")
    for at in (0.0, 0.1, 0.9, 1.5, 1.8):
        emulated.call("CreateProxySession", CREATE, NOON + at)
    emulated.call("GetVoiceConnectorProxy", {"VoiceConnectorId": "x"}, NOON)
    assert emulated.tally.operations == {"CreateProxySession": 5, "GetVoiceConnectorProxy": 1}
    assert emulated.tally.statuses == {201: 5, 404: 1}
    assert emulated.tally.peaks["CreateProxySession"].peak == 3


def test_request_ids_differ():
    emulated = emulator("", seed=2)
    assert emulated.request_id(1) != emulated.request_id(2)
