"""What is recorded of a row that was looked at by itself."""

from provisioner.entry import Entry, entry
from provisioner.source.jsonl_fields import Gathered
from provisioner.source.problems import problems_at
from provisioner.source.validation import Accepted, Fault, Validator


class Examiner:
    """Examines rows for one campaign; without one they keep the Names they bring."""

    def __init__(self, validator: Validator, campaign: str | None) -> None:
        self._validator = validator
        self._campaign = campaign

    def entry(
        self, number: int, line: int, cells: str, told: Gathered, damage: list[Fault]
    ) -> Entry:
        """The row as a job, or with all that is wrong with it, the `damage` to its text first."""
        verdict = self._validator.examine(told.fields)
        faults = damage + told.faults
        if isinstance(verdict, Accepted) and not faults:
            return entry(
                number,
                line,
                cells,
                request=verdict.request,
                key=verdict.job_id,
                campaign=self._campaign,
            )
        settled = told.settled | {fault.column for fault in faults}
        if not isinstance(verdict, Accepted):
            faults += [fault for fault in verdict if fault.column not in settled]
        problems = problems_at(line, faults, told.labels)
        return Entry(number=number, line=line, cells=cells, problems=problems)
