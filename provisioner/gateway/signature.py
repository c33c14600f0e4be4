"""AWS Signature Version 4 for requests that differ in nothing but their time and their body.

https://docs.aws.amazon.com/IAM/latest/UserGuide/create-signed-request.html
"""

from __future__ import annotations

import hmac
import re
import time
from collections.abc import Mapping
from hashlib import sha256
from typing import TYPE_CHECKING, NamedTuple

from botocore.auth import SIGV4_TIMESTAMP, SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import ReadOnlyCredentials

if TYPE_CHECKING:
    from _hashlib import HASH

_AUTHORIZATION = re.compile(
    r"AWS4-HMAC-SHA256 Credential=.+/\d{8}/(?P<region>[^/]+)/(?P<service>[^/]+)/aws4_request, "
    r"SignedHeaders=(?P<headers>[^,]+), Signature=[0-9a-f]{64}"
)


class Signature(NamedTuple):
    """`stamp` is the `X-Amz-Date` that `authorization` vouches for."""

    stamp: str
    authorization: str


class Signer:
    """Signs as botocore's SigV4Auth does, with all that repeats done once.

    What is constant is read off one signed request: the canonical request around time and body by
    botocore itself, region, service and signed headers from its Authorization. The signing key is
    derived once a day; once a second all is hashed that the next second's requests begin with.

    Raises:
        ValueError: the request is not signed by this scheme.
    """

    def __init__(
        self, credentials: ReadOnlyCredentials, method: str, url: str, headers: Mapping[str, str]
    ) -> None:
        authorization = _AUTHORIZATION.fullmatch(headers.get("Authorization", ""))
        if authorization is None or "X-Amz-Date" not in headers:
            raise ValueError("the request has no signature of version 4 with a date of its own")
        self._credentials = credentials
        self._region, self._service, self._headers = authorization.groups()
        self._before, self._after = self._around_time(method, url, headers)
        self._second, self._stamp = -1, ""

    def sign(self, body: bytes, now: float) -> Signature:
        """The signature of `body` sent at `now`, epoch seconds."""
        if int(now) != self._second:
            self._tell_time(int(now))
        canonical, inner, outer = self._canonical.copy(), self._inner.copy(), self._outer.copy()
        canonical.update(sha256(body).hexdigest().encode())
        inner.update(canonical.hexdigest().encode())
        outer.update(inner.digest())
        return Signature(self._stamp, self._authorization + outer.hexdigest())

    def _around_time(self, method: str, url: str, headers: Mapping[str, str]) -> tuple[str, str]:
        """The canonical request up to the time, and from there to the body's hash."""
        signed = self._headers.split(";")
        kept = {name: value for name, value in headers.items() if name.lower() in signed}
        request = AWSRequest(method=method, url=url, headers=kept, data=b"")
        whole = SigV4Auth(self._credentials, self._service, self._region).canonical_request(request)
        before, header, after = whole.partition("\nx-amz-date:")
        return before + header, after.removeprefix(headers["X-Amz-Date"]).rpartition("\n")[0] + "\n"

    def _tell_time(self, second: int) -> None:
        stamp = time.strftime(SIGV4_TIMESTAMP, time.gmtime(second))
        if stamp[:8] != self._stamp[:8]:
            self._begin_day(stamp[:8])
        self._second, self._stamp = second, stamp
        self._canonical = sha256(f"{self._before}{stamp}{self._after}".encode())
        self._inner = self._keyed.copy()
        self._inner.update(f"AWS4-HMAC-SHA256\n{stamp}\n{self._scope}\n".encode())

    def _begin_day(self, day: str) -> None:
        key = b"AWS4" + self._credentials.secret_key.encode()
        for part in (day, self._region, self._service, "aws4_request"):
            key = hmac.digest(key, part.encode(), "sha256")
        self._keyed, self._outer = _padded(key)
        self._scope = f"{day}/{self._region}/{self._service}/aws4_request"
        self._authorization = (
            f"AWS4-HMAC-SHA256 Credential={self._credentials.access_key}/{self._scope}, "
            f"SignedHeaders={self._headers}, Signature="
        )


def _padded(key: bytes) -> tuple[HASH, HASH]:
    """The inner and the outer hash of HMAC (RFC 2104), begun with a key of at most 64 bytes."""
    block = key.ljust(64, b"\0")
    inner, outer = (bytes(byte ^ pad for byte in block) for pad in (0x36, 0x5C))
    return sha256(inner), sha256(outer)
