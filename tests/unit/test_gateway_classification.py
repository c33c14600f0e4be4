"""A test per row of the table."""

import errno
import ssl
from types import SimpleNamespace

import aiohttp
import pytest
from botocore import exceptions as boto

from provisioner.errors import ExitCode
from provisioner.gateway.classification import classify
from provisioner.job import Verdict

OPERATION = "CreateProxySession"
NOW = 1_700_000_000.0
URL = "https://voice-chime.us-east-1.amazonaws.com"


def answered(status, code="", message="", *, headers=None, operation=OPERATION, request_id=None):
    metadata = {"HTTPStatusCode": status, "HTTPHeaders": headers or {}, "RequestId": request_id}
    response = {"Error": {"Code": code, "Message": message}, "ResponseMetadata": metadata}
    return classify(boto.ClientError(response, operation), operation=OPERATION, now=NOW)


def unanswered(error):
    return classify(error, operation=OPERATION, now=NOW)


def unconnected(kind=aiohttp.ClientConnectorError, number=errno.ECONNREFUSED):
    key = SimpleNamespace(host="example.com", port=443, ssl=True, is_ssl=True)
    return kind(key, OSError(number, "why"))


@pytest.mark.parametrize(
    ("status", "code", "verdict", "fatal_exit"),
    [
        (429, "ThrottledClientException", Verdict.RETRYABLE, None),
        (429, "429", Verdict.RETRYABLE, None),
        (400, "ThrottlingException", Verdict.RETRYABLE, None),
        (503, "ServiceUnavailableException", Verdict.RETRYABLE, None),
        (503, "503", Verdict.AMBIGUOUS, None),
        (503, "SomethingElse", Verdict.AMBIGUOUS, None),
        (500, "ServiceFailureException", Verdict.AMBIGUOUS, None),
        (500, "ServiceUnavailableException", Verdict.AMBIGUOUS, None),
        (500, "AccessDeniedException", Verdict.AMBIGUOUS, None),
        (500, "NotFoundException", Verdict.AMBIGUOUS, None),
        (502, "502", Verdict.AMBIGUOUS, None),
        (504, "504", Verdict.AMBIGUOUS, None),
        (500, "ThrottlingException", Verdict.AMBIGUOUS, None),
        (503, "TooManyRequestsException", Verdict.AMBIGUOUS, None),
        (400, "BadRequestException", Verdict.REFUSED, None),
        (400, "ResourceLimitExceededException", Verdict.REFUSED, None),
        (409, "ConflictException", Verdict.REFUSED, None),
        (413, "413", Verdict.REFUSED, None),
        (408, "408", Verdict.AMBIGUOUS, None),
        (401, "UnauthorizedClientException", Verdict.FATAL, ExitCode.CREDENTIALS),
        (401, "401", Verdict.FATAL, ExitCode.CREDENTIALS),
        (403, "ForbiddenException", Verdict.FATAL, ExitCode.CREDENTIALS),
        (403, "AccessDeniedException", Verdict.FATAL, ExitCode.CREDENTIALS),
        (403, "ExpiredTokenException", Verdict.FATAL, ExitCode.CREDENTIALS),
        (400, "ExpiredTokenException", Verdict.FATAL, ExitCode.CREDENTIALS),
        (400, "InvalidSignatureException", Verdict.FATAL, ExitCode.CREDENTIALS),
        (400, "UnrecognizedClientException", Verdict.FATAL, ExitCode.CREDENTIALS),
        (404, "NotFoundException", Verdict.FATAL, ExitCode.SERVICE),
        (404, "404", Verdict.FATAL, ExitCode.SERVICE),
        (302, "302", Verdict.FATAL, ExitCode.SERVICE),
        (307, "307", Verdict.FATAL, ExitCode.SERVICE),
        (0, "", Verdict.AMBIGUOUS, None),
    ],
)
def test_an_answer_goes_by_code_and_status(status, code, verdict, fatal_exit):
    outcome = answered(status, code)
    assert (outcome.verdict, outcome.fatal_exit) == (verdict, fatal_exit)
    assert (outcome.status, outcome.error_code, outcome.answered) == (status, code, True)


@pytest.mark.parametrize("status", [400, 403])
def test_a_disabled_connector_ends_the_run(status):
    outcome = answered(status, "BadRequestException", "Voice connector proxy is DISABLED")
    assert (outcome.verdict, outcome.fatal_exit) == (Verdict.FATAL, ExitCode.SERVICE)


@pytest.mark.parametrize(
    ("status", "code", "message"),
    [
        (404, "NotFoundException", ""),
        (404, "404", ""),
        (400, "BadRequestException", "The voice connector proxy is disabled"),
    ],
)
def test_a_connector_that_cannot_be_used_says_nothing_of_others(status, code, message):
    assert answered(status, code, message).connector_only


@pytest.mark.parametrize(
    ("status", "code"), [(302, "302"), (403, "ForbiddenException"), (400, "BadRequestException")]
)
def test_what_is_not_about_the_connector_is_not_put_on_it(status, code):
    assert not answered(status, code).connector_only


@pytest.mark.parametrize("status", [500, 502, 503])
def test_a_throttling_code_on_a_server_error_is_no_throttle(status):
    assert not answered(status, "ThrottlingException").throttled


def test_something_else_disabled_is_the_rows_own_trouble():
    assert answered(400, "BadRequestException", "SMS is disabled").verdict is Verdict.REFUSED


@pytest.mark.parametrize(("status", "code"), [(429, "429"), (400, "Throttling")])
def test_throttles_are_marked(status, code):
    assert answered(status, code).throttled


def test_an_unavailable_service_is_no_throttle():
    assert not answered(503, "ServiceUnavailableException").throttled


@pytest.mark.parametrize(
    ("status", "verdict", "fatal_exit"),
    [
        (400, Verdict.FATAL, ExitCode.CREDENTIALS),
        (404, Verdict.FATAL, ExitCode.CREDENTIALS),
        (500, Verdict.RETRYABLE, None),
        (503, Verdict.RETRYABLE, None),
        (429, Verdict.RETRYABLE, None),
    ],
)
def test_an_answer_to_a_credentials_refresh_says_the_call_was_not_made(status, verdict, fatal_exit):
    outcome = answered(status, str(status), operation="AssumeRole")
    assert (outcome.verdict, outcome.fatal_exit) == (verdict, fatal_exit)


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        ("7", 7.0),
        (" 7 ", 7.0),
        ("Tue, 14 Nov 2023 22:13:50 GMT", 30.0),
        ("Tue, 14 Nov 2023 22:13:00 GMT", 0.0),
        ("soon", None),
        ("-1", None),
        ("", None),
    ],
)
def test_retry_after_reads_seconds_and_dates(header, seconds):
    assert answered(429, headers={"retry-after": header}).retry_after == seconds


def test_without_the_header_there_is_no_retry_after():
    assert answered(429).retry_after is None


def test_the_request_id_is_kept():
    assert answered(500, request_id="abc").request_id == "abc"


def test_an_answer_without_a_message_gives_its_status():
    assert answered(307, "307").message == "HTTP status 307"


def test_a_message_is_one_masked_short_line():
    message = answered(400, message="No\nnumber for +14155550100 " + "x" * 500).message
    assert message.startswith("No number for +1415***0100 xxx")
    assert len(message) == 200


@pytest.mark.parametrize(
    ("error", "name"),
    [
        (boto.EndpointConnectionError(endpoint_url=URL, error=unconnected()), "ConnectionRefused"),
        (
            boto.EndpointConnectionError(
                endpoint_url=URL, error=unconnected(aiohttp.ClientConnectorDNSError)
            ),
            "NameNotResolved",
        ),
        (
            boto.EndpointConnectionError(
                endpoint_url=URL, error=unconnected(number=errno.EHOSTUNREACH)
            ),
            "EndpointConnectionError",
        ),
        (
            boto.EndpointConnectionError(
                endpoint_url=URL,
                error=aiohttp.ClientConnectorCertificateError(
                    SimpleNamespace(host="h", port=1, is_ssl=True), ssl.SSLError("certificate")
                ),
            ),
            "TlsHandshake",
        ),
        (
            boto.SSLError(endpoint_url=URL, error=unconnected(aiohttp.ClientConnectorSSLError)),
            "TlsHandshake",
        ),
        (
            boto.ConnectTimeoutError(endpoint_url=URL, error=aiohttp.ConnectionTimeoutError("c")),
            "ConnectTimeout",
        ),
        (boto.ProxyConnectionError(proxy_url="http://p", error=OSError("no")), "ProxyConnection"),
    ],
)
def test_what_was_provably_not_sent_may_be_tried_again(error, name):
    outcome = unanswered(error)
    assert (outcome.verdict, outcome.error_code) == (Verdict.RETRYABLE, name)
    assert not outcome.answered


@pytest.mark.parametrize(
    ("error", "name"),
    [
        (
            boto.EndpointConnectionError(
                endpoint_url=URL, error=aiohttp.ClientOSError(errno.ECONNRESET, "reset")
            ),
            "ConnectionReset",
        ),
        (
            boto.EndpointConnectionError(
                endpoint_url=URL, error=aiohttp.ClientConnectionError("closed")
            ),
            "EndpointConnectionError",
        ),
        (boto.EndpointConnectionError(endpoint_url=URL), "EndpointConnectionError"),
        (
            boto.ConnectionClosedError(
                endpoint_url=URL, request=None, error=aiohttp.ServerDisconnectedError()
            ),
            "ConnectionClosed",
        ),
        (
            boto.ReadTimeoutError(endpoint_url=URL, error=aiohttp.SocketTimeoutError("read")),
            "ReadTimeout",
        ),
        (TimeoutError(), "ReadTimeout"),
        (boto.SSLError(endpoint_url=URL, error=OSError("later")), "TlsHandshake"),
        (boto.HTTPClientError(error=ValueError("odd")), "HTTPClientError"),
        (
            boto.HTTPClientError(
                error=aiohttp.ClientResponseError(SimpleNamespace(real_url=URL), (), status=400)
            ),
            "UnreadableResponse",
        ),
        (AttributeError("'list' object has no attribute 'get'"), "AttributeError"),
        (ZeroDivisionError(), "ZeroDivisionError"),
    ],
)
def test_whatever_may_have_arrived_is_ambiguous(error, name):
    outcome = unanswered(error)
    assert (outcome.verdict, outcome.error_code) == (Verdict.AMBIGUOUS, name)
    assert not outcome.answered


@pytest.mark.parametrize(
    "error",
    [
        boto.NoCredentialsError(),
        boto.PartialCredentialsError(provider="env", cred_var="secret"),
        boto.CredentialRetrievalError(provider="process", error_msg="no"),
        boto.TokenRetrievalError(provider="sso", error_msg="no"),
        boto.UnauthorizedSSOTokenError(),
        boto.SSOTokenLoadError(error_msg="no"),
    ],
)
def test_without_credentials_nothing_was_sent(error):
    outcome = unanswered(error)
    assert (outcome.verdict, outcome.fatal_exit) == (Verdict.FATAL, ExitCode.CREDENTIALS)
    assert (outcome.error_code, outcome.answered) == (type(error).__name__, False)


def test_what_botocore_will_not_send_is_refused_with_its_numbers_masked():
    outcome = unanswered(boto.ParamValidationError(report="value: +14155550100"))
    assert outcome.verdict is Verdict.REFUSED
    assert "+1415***0100" in outcome.message
