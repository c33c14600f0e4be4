"""What an answer, or its absence, says of a call: one table, pure.

By the answer, the first row that fits:

    429, or a throttling code                        retryable, throttled
    5xx to another operation: a credentials refresh  retryable
    any other answer to another operation            fatal, 77
    503 ServiceUnavailableException                  retryable
    any other 5xx, a load balancer's 503 included    ambiguous
    400/403 that calls the connector disabled        fatal for the connector, 69
    401, 403, or a credentials code                  fatal, 77
    404, or NotFoundException                        fatal for the connector, 69
    408                                              ambiguous
    any other 4xx                                    refused
    3xx: whoever answered is not the service         fatal, 69
    anything else                                    ambiguous

By the lack of one:

    refused, unresolved, TLS handshake, proxy,
      connect timeout: provably not sent             retryable
    no, partial or unobtainable credentials          fatal, 77
    parameters botocore would not send               refused
    reset, close, read timeout, unreadable answer,
      and everything else                            ambiguous

`EndpointConnectionError` says "could not connect" of a reset after the request was read, too: only
an aiohttp `ClientConnectorError` inside it proves that nothing was sent.
"""

from __future__ import annotations

import errno
from collections.abc import Callable, Mapping
from email.utils import parsedate_to_datetime
from http import HTTPStatus

import aiohttp
import msgspec
from botocore import exceptions as boto

from provisioner.errors import ExitCode
from provisioner.job import Outcome, Verdict
from provisioner.session import mask_numbers

MESSAGE_LENGTH = 200

THROTTLING_CODES = frozenset(
    {
        "BandwidthLimitExceeded",
        "PriorRequestNotComplete",
        "RequestLimitExceeded",
        "RequestThrottled",
        "RequestThrottledException",
        "SlowDown",
        "Throttled",
        "ThrottledClientException",
        "ThrottledException",
        "Throttling",
        "ThrottlingException",
        "TooManyRequestsException",
    }
)
CREDENTIALS_CODES = frozenset(
    {
        "AccessDenied",
        "AccessDeniedException",
        "ExpiredToken",
        "ExpiredTokenException",
        "ForbiddenException",
        "IncompleteSignature",
        "IncompleteSignatureException",
        "InvalidClientTokenId",
        "InvalidSignatureException",
        "MissingAuthenticationToken",
        "MissingAuthenticationTokenException",
        "NotAuthorized",
        "OptInRequired",
        "RequestExpired",
        "SignatureDoesNotMatch",
        "UnauthorizedClientException",
        "UnrecognizedClientException",
    }
)
CREDENTIALS_ERRORS = (
    boto.NoCredentialsError,
    boto.PartialCredentialsError,
    boto.CredentialRetrievalError,
    boto.TokenRetrievalError,
    boto.NoAuthTokenError,
    boto.SSOError,
    boto.UnknownCredentialError,
    boto.InvalidConfigError,
    boto.RefreshWithMFAUnsupportedError,
)


class _Answer(msgspec.Struct, frozen=True, kw_only=True):
    """What an error answer says; `foreign` when it came to a call that was not ours."""

    status: int
    code: str
    message: str
    foreign: bool

    @property
    def throttles(self) -> bool:
        told = self.code in THROTTLING_CODES and self.status < _SERVER
        return told or self.status == HTTPStatus.TOO_MANY_REQUESTS

    @property
    def disables(self) -> bool:
        text = self.message.lower()
        return self.status in _REFUSALS and "disabled" in text and "connector" in text

    @property
    def distrusts(self) -> bool:
        return self.status in _DISTRUST or self.code in CREDENTIALS_CODES

    @property
    def misses(self) -> bool:
        return self.status == HTTPStatus.NOT_FOUND or self.code == "NotFoundException"

    @property
    def is_unavailable(self) -> bool:
        modelled = self.code == "ServiceUnavailableException"
        return modelled and self.status == HTTPStatus.SERVICE_UNAVAILABLE


_DISTRUST = (HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN)
_REFUSALS = (HTTPStatus.BAD_REQUEST, HTTPStatus.FORBIDDEN)
_SERVER, _CLIENT, _REDIRECT = 500, 400, 300

_TABLE: tuple[tuple[Callable[[_Answer], bool], Verdict, ExitCode | None], ...] = (
    (lambda answer: answer.throttles, Verdict.RETRYABLE, None),
    (lambda answer: answer.foreign and answer.status >= _SERVER, Verdict.RETRYABLE, None),
    (lambda answer: answer.foreign, Verdict.FATAL, ExitCode.CREDENTIALS),
    (lambda answer: answer.is_unavailable, Verdict.RETRYABLE, None),
    (lambda answer: answer.status >= _SERVER, Verdict.AMBIGUOUS, None),
    (lambda answer: answer.disables, Verdict.FATAL, ExitCode.SERVICE),
    (lambda answer: answer.distrusts, Verdict.FATAL, ExitCode.CREDENTIALS),
    (lambda answer: answer.misses, Verdict.FATAL, ExitCode.SERVICE),
    (lambda answer: answer.status == HTTPStatus.REQUEST_TIMEOUT, Verdict.AMBIGUOUS, None),
    (lambda answer: answer.status >= _CLIENT, Verdict.REFUSED, None),
    (lambda answer: answer.status >= _REDIRECT, Verdict.FATAL, ExitCode.SERVICE),
    (lambda _: True, Verdict.AMBIGUOUS, None),
)


def classify(error: Exception, *, operation: str, now: float) -> Outcome:
    """What `error`, raised by a call of `operation`, says of that call; `now` is epoch seconds."""
    if isinstance(error, boto.ClientError):
        return _answered(error, operation, now)
    name = transport_name(error)
    if isinstance(error, CREDENTIALS_ERRORS):
        return _unanswered(Verdict.FATAL, error, name, ExitCode.CREDENTIALS)
    if isinstance(error, boto.ParamValidationError):
        return _unanswered(Verdict.REFUSED, error, name)
    return _unanswered(Verdict.RETRYABLE if _is_unsent(error) else Verdict.AMBIGUOUS, error, name)


def short(text: str) -> str:
    """Text as one line of at most 200 characters, its phone numbers masked."""
    return mask_numbers(" ".join(text.split()))[:MESSAGE_LENGTH]


def _answered(error: boto.ClientError, operation: str, now: float) -> Outcome:
    metadata = error.response.get("ResponseMetadata", {})
    details = error.response.get("Error", {})
    answer = _Answer(
        status=metadata.get("HTTPStatusCode", 0),
        code=short(str(details.get("Code") or "")),
        message=short(str(details.get("Message") or "")),
        foreign=error.operation_name != operation,
    )
    verdict, fatal_exit = next((row[1], row[2]) for row in _TABLE if row[0](answer))
    return Outcome(
        verdict=verdict,
        status=answer.status,
        error_code=answer.code,
        message=answer.message or f"HTTP status {answer.status}",
        request_id=metadata.get("RequestId"),
        retry_after=_retry_after(metadata.get("HTTPHeaders", {}), now),
        throttled=answer.throttles,
        fatal_exit=fatal_exit,
        connector_only=fatal_exit is ExitCode.SERVICE and answer.status >= _CLIENT,
    )


def _unanswered(
    verdict: Verdict, error: Exception, name: str, fatal_exit: ExitCode | None = None
) -> Outcome:
    return Outcome(
        verdict=verdict,
        error_code=name,
        message=short(str(_inner(error) or error)),
        answered=False,
        fatal_exit=fatal_exit,
    )


def _retry_after(headers: Mapping[str, str], now: float) -> float | None:
    """Seconds, from either of the header's forms (RFC 9110, 10.2.3)."""
    value = headers.get("retry-after", "").strip()
    if value.isdecimal():
        return float(value)
    try:
        return max(0.0, parsedate_to_datetime(value).timestamp() - now)
    except ValueError:
        return None


def _inner(error: Exception) -> object:
    return getattr(error, "kwargs", {}).get("error")


def _is_unsent(error: Exception) -> bool:
    if isinstance(error, boto.ConnectTimeoutError | boto.ProxyConnectionError):
        return True
    return isinstance(_inner(error), aiohttp.ClientConnectorError)


def transport_name(error: Exception) -> str:
    """What went wrong below HTTP, in a word that fits a result file."""
    inner = _inner(error)
    for kind, name in _NAMES:
        if isinstance(error, kind) or isinstance(inner, kind):
            return name
    if isinstance(inner, OSError) and inner.errno in _ERRNO_NAMES:
        return _ERRNO_NAMES[inner.errno]
    return type(error).__name__


_NAMES: tuple[tuple[type[Exception] | tuple[type[Exception], ...], str], ...] = (
    (aiohttp.ClientConnectorDNSError, "NameNotResolved"),
    ((boto.SSLError, aiohttp.ClientSSLError), "TlsHandshake"),
    (boto.ProxyConnectionError, "ProxyConnection"),
    (boto.ConnectTimeoutError, "ConnectTimeout"),
    ((boto.ReadTimeoutError, TimeoutError), "ReadTimeout"),
    (boto.ConnectionClosedError, "ConnectionClosed"),
    (aiohttp.ClientResponseError, "UnreadableResponse"),
)
_ERRNO_NAMES = {errno.ECONNREFUSED: "ConnectionRefused", errno.ECONNRESET: "ConnectionReset"}
