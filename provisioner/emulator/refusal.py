"""How the service says no: an error's code, its status and what it tells the caller."""

from __future__ import annotations

from http import HTTPStatus

PROXY_DISABLED = "The proxy of the voice connector is disabled"
"""What creating a session there is told; an assumption, the service documents no answer."""

_SUFFIX = "Exception"


class Refusal(Exception):  # noqa: N818 - an answer of the service, not an error of ours
    """An answer that is not a success. `code` is the error's shape name, `status` the HTTP one."""

    def __init__(self, code: str, status: int, message: str) -> None:
        super().__init__(message)
        self.code = code
        self.status = status
        self.message = message

    @property
    def short_code(self) -> str:
        """The code as the service's bodies spell it: `BadRequest` of `BadRequestException`."""
        short = self.code.removesuffix(_SUFFIX)
        return {"UnauthorizedClient": "Unauthorized", "ThrottledClient": "Throttled"}.get(
            short, short
        )

    @property
    def is_about_connector(self) -> bool:
        """Whether no other call to the connector would fare better: it is missing or disabled."""
        return self.status == HTTPStatus.NOT_FOUND or self.message == PROXY_DISABLED


def bad_request(message: str) -> Refusal:
    """The parameters do not match the service's restrictions."""
    return Refusal("BadRequestException", 400, message)


def unauthorized(message: str) -> Refusal:
    """The request is not signed for this service."""
    return Refusal("UnauthorizedClientException", 401, message)


def signature_expired(message: str) -> Refusal:
    """The request arrived too long after it was signed."""
    return Refusal("InvalidSignatureException", 403, message)


def not_found(message: str) -> Refusal:
    """There is no such connector or session."""
    return Refusal("NotFoundException", 404, message)


def pool_exhausted(message: str) -> Refusal:
    """No proxy number is left for these participants."""
    return Refusal("ResourceLimitExceededException", 400, message)


def throttled() -> Refusal:
    """The quota of this operation is spent."""
    return Refusal("ThrottledClientException", 429, "Rate exceeded")


def unavailable() -> Refusal:
    """The service says it is not there."""
    return Refusal("ServiceUnavailableException", 503, "The service is currently unavailable")


def failure() -> Refusal:
    """The service broke, before or after the deed."""
    return Refusal("ServiceFailureException", 500, "The service encountered an unexpected error")
