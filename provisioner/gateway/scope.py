"""Which quota a client's calls count against: an account, or whom we know it by, and a region."""

from __future__ import annotations

from urllib.parse import urlsplit

from botocore.credentials import ReadOnlyCredentials

from provisioner.gateway.client import ClientMeta
from provisioner.gateway.endpoint import is_loopback
from provisioner.settings import ServiceSettings

_PUBLIC = ".amazonaws.com"


def quota_scope(
    settings: ServiceSettings, meta: ClientMeta, credentials: ReadOnlyCredentials
) -> str:
    """`111122223333 us-east-1`; an account nobody told goes by its profile.

    An endpoint of one's own is named, without its port at this machine, where ports come and go.
    """
    host = urlsplit(meta.endpoint_url).hostname or ""
    if is_loopback(meta.endpoint_url):
        return host
    account = credentials.account_id or f"profile {settings.profile or 'default'}"
    scope = f"{account} {meta.region_name}"
    return scope if host.endswith(_PUBLIC) else f"{scope} {host}"
