from __future__ import annotations

from types import SimpleNamespace

import pytest
from botocore.credentials import ReadOnlyCredentials

from provisioner.gateway.scope import quota_scope
from provisioner.settings import ServiceSettings

PUBLIC = "https://voice-chime.us-east-1.amazonaws.com"


def scope(endpoint: str, *, account: str | None = None, profile: str | None = None) -> str:
    meta = SimpleNamespace(endpoint_url=endpoint, region_name="us-east-1")
    credentials = ReadOnlyCredentials("key", "secret", None, account)
    return quota_scope(ServiceSettings(profile=profile), meta, credentials)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("told", "name"),
    [
        (scope(PUBLIC, account="111122223333"), "111122223333 us-east-1"),
        (scope(PUBLIC, account="111122223333", profile="night"), "111122223333 us-east-1"),
        (scope(PUBLIC, profile="night"), "profile night us-east-1"),
        (scope(PUBLIC), "profile default us-east-1"),
        (scope("https://proxy.example.com"), "profile default us-east-1 proxy.example.com"),
        (scope("http://127.0.0.1:43817"), "127.0.0.1"),
    ],
)
def test_a_lane_is_named_after_what_its_quota_counts(told: str, name: str) -> None:
    assert told == name
