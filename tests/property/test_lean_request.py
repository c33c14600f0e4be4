"""The lean call and botocore's own: the same request to the byte."""

import math
from datetime import UTC, datetime
from random import Random

import botocore.auth
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from provisioner.gateway.compiled import compiled
from provisioner.gateway.rehearsal import nobodys, rehearse
from provisioner.session import GeoMatchParams, SessionRequest
from tests.property.lean_world import ENDPOINTS, NUMBERS, opened

ALPHANUMERICS = "abcdefghijklmnopqrstuvwxyz0123456789"


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    with opened(str(tmp_path_factory.mktemp("aws") / "nothing")) as world:
        yield world


def assert_same_requests(world, where, requests, credentials, now):
    """What botocore makes of requests at a moment is what the lean call makes of them."""
    client, held = world.clients[where]
    held.access_key, held.secret_key, held.token = credentials

    async def compare():
        frozen = await held.get_frozen_credentials()
        calls = {}
        for request in requests:
            connector = request.voice_connector_id
            if connector not in calls:
                learned = await rehearse(client, nobodys(connector))
                calls[connector] = learned.url, compiled(learned, frozen, math.inf)
            theirs = await rehearse(client, request)
            url, call = calls[connector]
            body = call.body(request)
            assert (body, url) == (theirs.body, theirs.url)
            assert signed(call.headers(body, now)) == signed(theirs.headers)

    moment = datetime.fromtimestamp(int(now), UTC).replace(tzinfo=None)
    with pytest.MonkeyPatch.context() as frozen:
        frozen.setattr(botocore.auth, "get_current_datetime", lambda: moment)
        world.runner.run(compare())


def signed(headers):
    """In their order, without what is random for each request."""
    return [(name, value) for name, value in headers.items() if name != "amz-sdk-invocation-id"]


REQUESTS = st.builds(
    SessionRequest,
    voice_connector_id=st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=9)
    | st.text("aZ09-_.~/ %+&?#:@", min_size=1, max_size=9),
    participants=st.tuples(NUMBERS, NUMBERS),
    capabilities=st.sampled_from([("Voice",), ("SMS",), ("Voice", "SMS")]),
    name=st.none() | st.text("azAZ09 ", max_size=30),
    expiry_minutes=st.none() | st.integers(1, 10**9),
    number_selection_behavior=st.sampled_from([None, "PreferSticky", "AvoidSticky"]),
    geo_match_level=st.sampled_from([None, "Country", "AreaCode"]),
    geo_match_params=st.none() | st.just(GeoMatchParams(country="US", area_code="415")),
)
CREDENTIALS = st.tuples(
    st.text("AZ09", min_size=16, max_size=20),
    st.text(st.characters(codec="ascii", min_codepoint=33), min_size=1, max_size=40),
    st.none() | st.text("az09+/=", min_size=1, max_size=40),
)


@settings(max_examples=150)
@given(
    request=REQUESTS,
    where=st.sampled_from([*ENDPOINTS]),
    credentials=CREDENTIALS,
    now=st.integers(946_684_800, 4_102_444_800),
)
def test_a_request_is_botocores_to_the_byte_and_the_signature(
    world, request, where, credentials, now
):
    assert_same_requests(world, where, [request], credentials, now)


@pytest.mark.parametrize("where", ENDPOINTS)
def test_thousands_of_plain_requests_are_botocores_too(world, where):
    random = Random(where)
    credentials = ("AKIDEXAMPLE", "wJalrXUtnFEMI/K7MDENG", random.choice([None, "to/ken=="]))
    connectors = ["".join(random.choices(ALPHANUMERICS, k=22)) for _ in range(50)]
    requests = [plain_request(random, random.choice(connectors)) for _ in range(1_000)]
    assert_same_requests(world, where, requests, credentials, random.uniform(1e9, 4e9))


def plain_request(random, connector):
    return SessionRequest(
        voice_connector_id=connector,
        participants=tuple(f"+{random.randrange(10**9, 10**14)}" for _ in range(2)),
        capabilities=random.choice([("Voice",), ("SMS",), ("Voice", "SMS")]),
        name=random.choice([None, f"customer {random.random():.9f}".replace(".", " ")]),
        expiry_minutes=random.choice([None, random.randrange(1, 720)]),
        number_selection_behavior=random.choice([None, "PreferSticky", "AvoidSticky"]),
        geo_match_level=random.choice([None, "Country", "AreaCode"]),
        geo_match_params=random.choice([None, GeoMatchParams(country="GB", area_code="020")]),
    )
