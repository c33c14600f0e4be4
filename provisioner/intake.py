"""From a job file to a recorded campaign, or to all the reasons why not."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from itertools import chain
from typing import TypeAlias

import msgspec

from provisioner.entry import Block, Entry
from provisioner.errors import InputRefusedError, StoppedError, TooManyRowsError
from provisioner.job import Problem
from provisioner.ports import Intake, Registry, Source
from provisioner.readahead import ReadAhead
from provisioner.record import CampaignRecord, Holder, Layout, NewCampaign, Recorded

_BLOCKS_AHEAD = 2

ProblemSink: TypeAlias = Callable[[Problem], None]


class IntakePolicy(msgspec.Struct, frozen=True, kw_only=True):
    """Leave invalid rows aside instead of refusing; add a changed file's new rows.

    `max_rows` bounds the rows that the campaign would send, None means any.
    """

    skip_invalid: bool = False
    extend: bool = False
    max_rows: int | None = None


class Stoppable:
    """A source that gives no further entry once `stopped`.

    Raises:
        StoppedError: from `entries`.
    """

    def __init__(self, source: Source, stopped: Callable[[], bool]) -> None:
        self._source = source
        self._stopped = stopped
        self.name = source.name
        self.sha256 = source.sha256

    def entries(self, campaign: str) -> Iterator[Sequence[Entry] | Block]:
        """The source's."""
        for entries in self._source.entries(campaign):
            if self._stopped():
                raise StoppedError(
                    f"stopped while {self.name} was being recorded; nothing was recorded or sent",
                    hint="run the same command again",
                )
            yield entries

    def layout(self) -> Layout:
        """The source's."""
        return self._source.layout()


def admit(
    registry: Registry,
    source: Source,
    campaign: NewCampaign,
    policy: IntakePolicy,
    on_problem: ProblemSink,
) -> CampaignRecord:
    """Record a job file under its campaign's name, or find it recorded already.

    Every problem of the file goes to `on_problem`, refused or not; a file that is recorded
    already is not read again.

    Raises:
        InputRefusedError: invalid rows, a changed file, or content that another unfinished
            campaign holds. The ledger is as it was.
        TooManyRowsError: likewise; more rows would be sent than the policy lets through.
        CannotWriteError: the ledger cannot be written.
    """
    known = registry.campaign(campaign.name)
    if known is not None and _same_input(known, campaign):
        return known
    with registry.begin_intake(campaign) as intake:
        recorded = record(source, intake, campaign.name, on_problem)
        judge(intake, recorded, known, campaign, policy)
        return intake.commit(source.layout())


def judge(
    intake: Intake,
    recorded: Recorded,
    known: CampaignRecord | None,
    campaign: NewCampaign,
    policy: IntakePolicy,
) -> None:
    """Refuse what must not be committed; raises as `admit` does."""
    if known is not None and _same_input(known, campaign):
        return
    _refuse_invalid(recorded, campaign.input_name, policy)
    if known is not None and not policy.extend and (recorded.new or recorded.gone):
        raise _changed(known, recorded)
    _refuse_content_held_by(intake.held_by_another(), campaign)
    refuse_too_many(intake.to_send(), policy.max_rows)


def record(source: Source, intake: Intake, campaign_name: str, on_problem: ProblemSink) -> Recorded:
    """Add every row of a source to an intake; the tally in rows."""
    blocks = (rows for rows in source.entries(campaign_name))
    with ReadAhead(blocks, _BLOCKS_AHEAD) as blocks_ahead:
        for rows in blocks_ahead:
            if not isinstance(rows, Block):
                for problem in chain.from_iterable(row.problems for row in rows):
                    on_problem(problem)
            for problem in intake.add(rows):
                on_problem(problem)
    return intake.recorded()


def refuse_too_many(rows: int, max_rows: int | None) -> None:
    """Hold back a run that would send more than it may.

    Raises:
        TooManyRowsError: `rows` are more than `max_rows`, which None does not bound.
    """
    if max_rows is not None and rows > max_rows:
        raise TooManyRowsError(
            f"{rows:,} rows would be sent, more than the {max_rows:,} of --max-rows; "
            "nothing was sent",
            hint="is it the right file? --yes sends them all, --limit some of them",
        )


def _same_input(known: CampaignRecord, campaign: NewCampaign) -> bool:
    return (known.input_sha256, known.defaults) == (campaign.input_sha256, campaign.defaults)


def _refuse_content_held_by(holder: Holder | None, campaign: NewCampaign) -> None:
    if holder is not None:
        rows = "1 row" if holder.rows == 1 else f"{holder.rows:,} rows"
        raise InputRefusedError(
            f"{rows} of {campaign.input_name} would be sent twice: campaign {holder.campaign!r} "
            "has them too and is not finished",
            hint=f"finish that one first: `provisioner run --campaign {holder.campaign}` resumes "
            f"it, `provisioner reconcile --campaign {holder.campaign}` settles what needs review",
        )


def _refuse_invalid(recorded: Recorded, name: str, policy: IntakePolicy) -> None:
    if recorded.rejected and not policy.skip_invalid:
        rows = "1 row is" if recorded.rejected == 1 else f"{recorded.rejected:,} rows are"
        raise InputRefusedError(
            f"{rows} invalid in {name}; nothing was sent",
            hint="mend the rows named above, or set them aside with --skip-invalid",
        )


def _changed(known: CampaignRecord, recorded: Recorded) -> InputRefusedError:
    return InputRefusedError(
        f"campaign {known.name!r} was recorded from another version of its job file or its "
        f"defaults: {recorded.new:,} rows are new, {recorded.gone:,} gone, "
        f"{recorded.same:,} the same",
        hint="add the new rows with --extend, or start afresh under another --campaign",
    )
