from random import Random

from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from provisioner.emulator.quota import FixedWindow, TokenBucket
from provisioner.emulator.refusal import Refusal
from provisioner.emulator.service import Service
from provisioner.emulator.settings import CONNECTOR, EmulatorSettings, Quota

PEOPLE = [f"+1415555{last:04d}" for last in range(200, 206)]
GAPS = st.lists(st.floats(0, 0.5), min_size=1, max_size=200)


def times(gaps):
    now, moments = 1000.0, []
    for gap in gaps:
        now += gap
        moments.append(now)
    return moments


@given(GAPS, st.floats(0.5, 50), st.integers(1, 10))
def test_a_token_bucket_is_never_exceeded_in_any_window(gaps, rate, burst):
    bucket = TokenBucket(Quota(rate=rate, burst=burst))
    admitted = [now for now in times(gaps) if bucket.admit(now)]
    for first, start in enumerate(admitted):
        for last, end in enumerate(admitted[first:], first):
            assert last - first + 1 <= burst + rate * (end - start) + 1e-6


@given(GAPS, st.integers(1, 20), st.floats(0.1, 3))
def test_a_fixed_window_is_never_exceeded(gaps, rate, window):
    limit = FixedWindow(Quota(rate=rate, window=window))
    counts = {}
    for now in times(gaps):
        if limit.admit(now):
            counts[now // window] = counts.get(now // window, 0) + 1
    assert max(counts.values(), default=0) <= rate * window + 1e-6


@given(st.floats(1, 100))
def test_a_caller_at_the_quotas_own_pace_is_never_refused(rate):
    bucket = TokenBucket(Quota(rate=rate))
    assert all(bucket.admit(1.7e9 + number / rate + 1e-6 * number) for number in range(200))


class SessionLives(RuleBasedStateMachine):
    """The service against a model that knows only which ids it made and what it deleted."""

    @initialize(seed=st.integers(0, 99), pool=st.integers(1, 4))
    def start(self, seed, pool):
        self.now = 1_700_000_000.0
        self.service = Service(EmulatorSettings(pool_size=pool), Random(seed))
        self.made = set()
        self.deleted = set()

    @rule(
        pair=st.lists(st.sampled_from(PEOPLE), min_size=2, max_size=2, unique=True),
        minutes=st.integers(1, 5),
        sticky=st.sampled_from([None, "PreferSticky", "AvoidSticky"]),
    )
    def create(self, pair, minutes, sticky):
        request = {"ParticipantPhoneNumbers": pair, "Capabilities": ["Voice"]}
        request |= {"ExpiryMinutes": minutes, "NumberSelectionBehavior": sticky}
        try:
            answer = self.call("CreateProxySession", **request)
        except Refusal as refusal:
            code = refusal.code
        else:
            code = None
            self.made.add(answer.proxy_session.proxy_session_id)
        assert code in {None, "ResourceLimitExceededException"}

    @rule(data=st.data())
    def delete(self, data):
        if present := sorted(self.made - self.deleted):
            chosen = data.draw(st.sampled_from(present))
            self.call("DeleteProxySession", ProxySessionId=chosen)
            self.deleted.add(chosen)

    @rule(data=st.data(), minutes=st.integers(1, 5))
    def update(self, data, minutes):
        if still_open := sorted(each.id for each in self.records() if each.ended_at is None):
            chosen = data.draw(st.sampled_from(still_open))
            change = {"Capabilities": ["SMS"], "ExpiryMinutes": minutes}
            self.call("UpdateProxySession", ProxySessionId=chosen, **change)

    @rule(seconds=st.floats(0, 200))
    def wait(self, seconds):
        self.now += seconds
        self.service.advance(self.now)

    @rule(size=st.integers(1, 5))
    def scan_is_complete(self, size):
        answer = self.call("ListProxySessions", MaxResults=size)
        listed = [each.proxy_session_id for each in answer.proxy_sessions]
        while isinstance(answer.next_token, str):
            answer = self.call("ListProxySessions", MaxResults=size, NextToken=answer.next_token)
            listed += [each.proxy_session_id for each in answer.proxy_sessions]
        assert sorted(listed) == sorted(self.made - self.deleted)

    @invariant()
    def no_participant_has_a_number_twice(self):
        held = [
            (participant, number)
            for record in self.records()
            if record.ended_at is None
            for participant, number in zip(
                record.request.participant_phone_numbers, record.proxies, strict=True
            )
        ]
        assert len(held) == len(set(held))

    @invariant()
    def nothing_is_open_beyond_its_minutes(self):
        for record in self.records():
            assert (record.ended_at is not None) or record.expires_at > self.now

    def records(self):
        return list(self.service.records()) if hasattr(self, "service") else []

    def call(self, operation, **parameters):
        return self.service.call(operation, {"VoiceConnectorId": CONNECTOR, **parameters}, self.now)


TestSessionLives = SessionLives.TestCase
TestSessionLives.settings = settings(max_examples=60, stateful_step_count=30)
