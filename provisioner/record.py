"""A campaign as it is recorded: values between the ledger and whoever reads it."""

from __future__ import annotations

import msgspec

from provisioner.job import JobState
from provisioner.session import SessionRequest


class Layout(msgspec.Struct, frozen=True, kw_only=True):
    """The shape of a job file, so that result files can have the same.

    `format` is `csv` or `jsonl`; `delimiter` and `bom` matter to CSV only. `columns` are the
    row's own, in order; for JSONL the union of the keys seen so far.
    """

    format: str
    delimiter: str = ","
    bom: bool = False
    columns: tuple[str, ...] = ()


class NewCampaign(msgspec.Struct, frozen=True, kw_only=True):
    """A campaign about to be recorded, or recorded again; members as in CampaignRecord."""

    name: str
    input_name: str
    input_sha256: str
    defaults: str


class CampaignRecord(msgspec.Struct, frozen=True, kw_only=True):
    """A campaign as the ledger knows it. `defaults` is canonical JSON of the row defaults.

    `connectors` are the voice connector ids of its jobs; `created_at` is epoch seconds. `gone`
    counts the rows it keeps that only an earlier version of its job file had.
    """

    id: int
    name: str
    input_name: str
    input_sha256: str
    defaults: str
    layout: Layout
    connectors: tuple[str, ...]
    created_at: float
    gone: int = 0


class Holder(msgspec.Struct, frozen=True, kw_only=True):
    """An unfinished campaign and how many rows of the file at hand it is to provision."""

    campaign: str
    rows: int


class Recorded(msgspec.Struct, frozen=True, kw_only=True):
    """What recording a job file came to, in rows.

    `new + same + rejected + duplicates` is the file's rows; `gone` are jobs of the campaign that
    the file no longer has. A job that the file corrects is a gone one and a new one.
    """

    new: int = 0
    same: int = 0
    gone: int = 0
    rejected: int = 0
    duplicates: int = 0


class RowResult(msgspec.Struct, frozen=True, kw_only=True):
    """One row with what became of it, as result files and summaries need it.

    `number` counts the job file's data rows from 1; None for a row the file no longer has.
    `cells` as in `Entry`. `request` is None for a row that was turned away.
    `session_json` is the service's ProxySession as JSON, None without one.
    `error_code`/`error_message` are the last attempt's, or the row's problems.
    """

    number: int | None
    cells: str
    key: str | None
    state: JobState
    request: SessionRequest | None = None
    session_json: bytes | None = None
    attempts: int = 0
    error_code: str | None = None
    error_message: str | None = None
    request_id: str | None = None


class CallCounts(msgspec.Struct, frozen=True, kw_only=True):
    """A campaign's attempts over all its runs, by what became of them.

    `attempts` were recorded as about to leave: one that a crash or a stopped process kept from the
    wire is among them. `adopted` counts sessions found by a listing, those of jobs that this
    ledger never sent included.
    """

    attempts: int = 0
    throttled: int = 0
    retried: int = 0
    ambiguous: int = 0
    adopted: int = 0


class LearnedRate(msgspec.Struct, frozen=True, kw_only=True):
    """What a lane's quota for an operation was found to be: `rate` calls/s at `learned_at`.

    `lane` names the quota's scope: account or profile, region, endpoint. Epoch seconds.
    """

    lane: str
    operation: str
    rate: float
    learned_at: float
