"""Where requests may go: over TLS, or to this machine."""

from __future__ import annotations

from ipaddress import ip_address
from urllib.parse import urlsplit

from provisioner.errors import ConfigurationError


def check_endpoint(url: str) -> None:
    """Refuse an endpoint that is no plain URL, or would carry phone numbers in clear text.

    Raises:
        ConfigurationError: it cannot be used.
    """
    if not _is_well_formed(url):
        without_password = url.rpartition("@")[2]
        raise ConfigurationError(
            f"the endpoint {without_password!r} is not a URL of a service",
            hint="write it as https://host or http://127.0.0.1:8000, without a user or a query",
        )
    if urlsplit(url).scheme != "https" and not is_loopback(url):
        raise ConfigurationError(
            f"the endpoint {url} would carry phone numbers and credentials unencrypted",
            hint="use https:// for any host but localhost",
        )


def is_loopback(url: str) -> bool:
    """Whether `url` names this machine: localhost, 127.0.0.0/8 or ::1."""
    try:
        host = urlsplit(url).hostname or ""
        return host == "localhost" or ip_address(host).is_loopback
    except ValueError:
        return False


def _is_well_formed(url: str) -> bool:
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        return False
    decorated = parts.username or parts.password or parts.query or parts.fragment
    plain = not any(character.isspace() for character in url) and not decorated
    return parts.scheme in {"http", "https"} and bool(parts.hostname) and plain and port != 0
