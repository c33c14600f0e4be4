"""What a campaign came to, as a value and as `summary.json`."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

import msgspec

from provisioner.errors import ProvisionerError
from provisioner.job import JobState
from provisioner.record import CallCounts, CampaignRecord, RowResult
from provisioner.report.advice import advice
from provisioner.report.atomic import replaced
from provisioner.report.bottleneck import Limits
from provisioner.report.exits import exit_code, file_counts
from provisioner.report.moments import iso
from provisioner.report.record import FILES
from provisioner.report.tally import LatencyQuantiles, RunTally
from provisioner.session import mask_numbers

FILE_NAME = "summary.json"


class InputFile(msgspec.Struct, frozen=True, kw_only=True):
    """The job file: its name without the folder, the SHA-256 of its bytes, and its rows.

    `rows` are the file's data rows and, of earlier versions of it, `gone` rows that it no longer
    has but that were sent.
    """

    name: str
    sha256: str
    rows: int
    gone: int = 0


class Timing(msgspec.Struct, frozen=True, kw_only=True):
    """This run's.

    `start` and `end` are ISO-8601 in UTC, `rate_achieved` is calls/s from the first call to the
    last. `latency` is from a send to its answer, `since_token` from the call's token until its
    outcome is durable; `limited_by` are shares of the time. All are None, or 0, when the run ended
    before its first call could have been sent.
    """

    start: str | None = None
    end: str | None = None
    seconds: float | None = None
    rate_achieved: float | None = None
    latency: LatencyQuantiles = LatencyQuantiles()
    since_token: LatencyQuantiles = LatencyQuantiles()
    limited_by: Limits = Limits()


class Rate(msgspec.Struct, frozen=True, kw_only=True):
    """Calls/s: what was asked for, and where the pace stood at the end if it was adapted."""

    asked: float | None = None
    learned: float | None = None


class Audit(msgspec.Struct, frozen=True, kw_only=True):
    """Sessions found at the service in this run that no row has.

    `duplicates` are second sessions of rows that have one; `orphans` have the Name of a row that
    has none, or of no row. `unlisted` are the connectors that could not be asked.
    """

    duplicates: int = 0
    orphans: int = 0
    unlisted: tuple[str, ...] = ()


class Cause(msgspec.Struct, frozen=True, kw_only=True):
    """Why rows of a result file were not created: an error code, and what to do about it.

    `message` is the first seen with the code.
    """

    code: str
    message: str
    rows: int
    file: str
    hint: str


class Summary(msgspec.Struct, frozen=True, kw_only=True):
    """A campaign after a run, the members of `summary.json` in order.

    `counts` are rows by result file and sum up to `input.rows`; `calls` are the campaign's over
    all its runs, `timing` is this run's. `causes` are the commonest first; `files` are the paths
    of the result files by their names. `stopped` is why the run ended before its rows did.
    """

    schema: int = 1
    campaign: str
    input: InputFile
    counts: dict[str, int]
    calls: CallCounts
    timing: Timing
    rate: Rate
    exit_code: int
    version: str
    causes: tuple[Cause, ...] = ()
    files: dict[str, str] = {}
    audit: Audit = Audit()
    stopped: str | None = None


class Causes:
    """Counts why rows were not created while they stream by on their way to the result files.

    Memory grows with the error codes, of which a service has few.
    """

    def __init__(self) -> None:
        self._rows: Counter[tuple[str, str]] = Counter()
        self._messages: dict[tuple[str, str], str] = {}

    def counting(self, rows: Iterable[RowResult]) -> Iterator[RowResult]:
        """The same rows, counted."""
        for row in rows:
            if row.error_code is not None and row.state is not JobState.CREATED:
                cause = (row.error_code, FILES[row.state])
                self._rows[cause] += 1
                self._messages.setdefault(cause, row.error_message or "")
            yield row

    def commonest(self, limit: int = 5) -> tuple[Cause, ...]:
        """The causes of most rows first, their phone numbers masked."""
        return tuple(
            Cause(
                code=code,
                message=mask_numbers(self._messages[code, file]),
                rows=rows,
                file=file,
                hint=advice(code, file),
            )
            for (code, file), rows in self._rows.most_common(limit)
        )


def summarize(
    campaign: CampaignRecord,
    counts: Mapping[JobState, int],
    calls: CallCounts,
    tally: RunTally,
    error: ProvisionerError | None = None,
) -> Summary:
    """A run's summary: the ledger's counts and calls, and what the tally saw of this run.

    `error` is what stopped it, if anything did.
    """
    stopped = str(error) if error is not None else tally.stopped
    return Summary(
        campaign=campaign.name,
        input=InputFile(
            name=campaign.input_name,
            sha256=campaign.input_sha256,
            rows=sum(counts.values()),
            gone=campaign.gone,
        ),
        counts=file_counts(counts),
        calls=calls,
        timing=_timing(tally),
        rate=Rate(asked=tally.rate_asked, learned=_rounded(tally.rate_learned)),
        exit_code=exit_code(counts, error.exit_code if error is not None else None),
        version=_version(),
        audit=Audit(
            duplicates=tally.duplicates, orphans=tally.orphans, unlisted=tuple(tally.unlisted)
        ),
        stopped=stopped and mask_numbers(stopped),
    )


def summary_json(summary: Summary) -> bytes:
    """The summary as one line of JSON, without its line end."""
    return msgspec.json.encode(summary)


def write_summary(summary: Summary, out: Path) -> None:
    """Replace `summary.json` in the folder `out`.

    Raises:
        CannotWriteError: the file that was there is untouched.
    """
    text = msgspec.json.format(summary_json(summary), indent=2).decode()
    with replaced(out, [FILE_NAME]) as (file,):
        file.write(text + "\n")


def _version() -> str:
    from importlib.metadata import version  # noqa: PLC0415 - costs 50 ms that --help need not pay

    return version("provisioner")


def _timing(tally: RunTally) -> Timing:
    if tally.started is None or tally.ended is None:
        return Timing()
    seconds = tally.ended - tally.started
    return Timing(
        start=iso(tally.started),
        end=iso(tally.ended),
        seconds=round(seconds, 3),
        rate_achieved=round(tally.rate_achieved(), 3),
        latency=tally.latency.quantiles(),
        since_token=tally.since_token.quantiles(),
        limited_by=tally.bottleneck.limits(),
    )


def _rounded(rate: float | None) -> float | None:
    return None if rate is None else round(rate, 3)
