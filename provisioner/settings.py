"""One frozen value for everything a run can be told."""

from __future__ import annotations

from pathlib import Path

import msgspec

from provisioner import defaults
from provisioner.halting import HaltRule
from provisioner.timetable import Timetable


class RowDefaults(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What a row gets in the columns it leaves empty; texts as they would stand in the file."""

    voice_connector_id: str | None = None
    capabilities: str | None = None
    expiry_minutes: int | None = None
    number_selection_behavior: str | None = None
    geo_match_level: str | None = None
    geo_match_country: str | None = None
    geo_match_area_code: str | None = None


class InputSettings(msgspec.Struct, frozen=True, kw_only=True):
    """How to read a job file. `path` `-` is standard input; `format` None goes by extension."""

    path: str
    format: str | None = None
    encoding: str | None = None
    defaults: RowDefaults = RowDefaults()


class ServiceSettings(msgspec.Struct, frozen=True, kw_only=True):
    """Where the service is and how patient to be: `timeout` seconds for one call's answer.

    `connections` bounds the calls on the wire at once and is the pool's size; None is 64, and up
    to 512 where rate and latency ask for it. `sdk_path` `lean` does once what the client does for
    each call, `stock` leaves the client as it is.
    """

    region: str | None = None
    profile: str | None = None
    endpoint_url: str | None = None
    timeout: float = defaults.TIMEOUT
    connections: int | None = None
    sdk_path: str = defaults.SDK_PATH

    @property
    def pool(self) -> int:
        """The most calls on the wire at once."""
        return self.connections or defaults.POOL


class PaceSettings(msgspec.Struct, frozen=True, kw_only=True):
    """`rate` in calls/s, a ceiling; `burst` in calls; `max_attempts` per job and run.

    `rate` None learns what the service allows, from what was learned before if there is any.
    `timetable` has ceilings besides, by the time of day in the run's time zone.
    `burst` None is the least that makes up for late timers: 1 below 50/s, then 20 ms' worth.
    After `retry_budget` failed calls on end the service is left alone for a while; after `give_up`
    seconds without a call that went well the run ends. Throttled calls fail no row.
    """

    rate: float | None = None
    timetable: Timetable | None = None
    burst: int | None = None
    max_attempts: int = defaults.MAX_ATTEMPTS
    retry_budget: float = 20.0
    give_up: float = defaults.GIVE_UP


class Settings(msgspec.Struct, frozen=True, kw_only=True):
    """One run. `input` None resumes `campaign` without the file.

    `campaign` None is the file's stem; `{date}` and `{stem}` expand. `out` None is
    `out/<campaign>`. `settle` is seconds, as `SettlePolicy` explains; `clock_skew` seconds is how
    far our clock and the service's may be apart. `reconcile` False ends a run with its ambiguous
    rows unsettled, `audit` False without looking for what a 503 created. `limit` bounds the jobs
    of this run, None means all. `retry_failed` is an error code, or `*` for every failed row, or
    None. `results` is `csv`, `jsonl` or None for the job file's own format. Breaking one of the
    `halt` rules ends the run; one that would send more than `max_rows` is refused.
    It is done by `deadline`, epoch seconds, finished or not. `time_zone` is an IANA name, None the
    machine's own.
    """

    input: InputSettings | None = None
    campaign: str | None = None
    ledger: str = defaults.LEDGER
    out: Path | None = None
    service: ServiceSettings = ServiceSettings()
    pace: PaceSettings = PaceSettings()
    settle: float = defaults.SETTLE
    clock_skew: float = defaults.CLOCK_SKEW
    reconcile: bool = True
    audit: bool = True
    skip_invalid: bool = False
    extend: bool = False
    retry_failed: str | None = None
    limit: int | None = None
    deadline: float | None = None
    time_zone: str | None = None
    halt: tuple[HaltRule, ...] = ()
    max_rows: int | None = None
    preflight: bool = True
    results: str | None = None
