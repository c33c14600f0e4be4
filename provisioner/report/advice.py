"""What to do about rows that were not created, by error code."""

from __future__ import annotations

_RETRY = "`run --retry-failed={code}` sends these rows again"
_SETTLE = "`provisioner reconcile` looks again whether they have a session"
_BUSY = f"the service was not up to it: go slower with --rate, then {_RETRY}"
_LOST = f"the answer was lost on its way; {_SETTLE}"

_ADVICE: dict[str, str] = {
    "InvalidRow": "mend the rows named in the rejected file, then run with --extend",
    "Duplicate": "the same job stands earlier in the file; nothing is to be done",
    "BadRequestException": "mend the rows and run with --extend, or mend the connector and run "
    "with --retry-failed={code}",
    "ResourceLimitExceededException": "no proxy number is left for these participants: add phone "
    f"numbers to the connector's pool or close old sessions, then {_RETRY}",
    "ConflictException": f"something else is changing the connector: wait for it, then {_RETRY}",
    "NotFoundException": f"the connector does not exist here: --region right? then {_RETRY}",
    "ParamValidationError": "the SDK will not send these rows: mend them, then run with --extend",
    "ThrottledClientException": f"the quota is lower than the rate: lower --rate, then {_RETRY}",
    "ServiceUnavailableException": _BUSY,
    "ServiceFailureException": f"the service failed, perhaps after creating; {_SETTLE}",
    "ProcessDied": f"a run ended before the answer came; {_SETTLE}",
    "ReadTimeout": f"no answer within --timeout; {_SETTLE}",
    "ConnectionClosed": _LOST,
    "ConnectionReset": _LOST,
    "UnreadableResponse": f"the answer could not be read, is a proxy in between? {_SETTLE}",
}


_BY_FILE = {
    "pending": "the next run sends these rows",
    "needs_review": _SETTLE,
}


def advice(code: str, file: str) -> str:
    """What to do about rows with this error code that stand in this result file."""
    if file == "pending":
        return _BY_FILE[file]
    return _ADVICE.get(code, _BY_FILE.get(file, _RETRY)).format(code=code)
