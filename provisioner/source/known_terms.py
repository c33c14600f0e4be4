"""What rows ask for beside pair, Name and job id, worked out once for all that say the same."""

from collections.abc import Callable, Hashable, Iterable, Mapping
from typing import Generic, TypeVar

from provisioner.entry import Terms, terms_of
from provisioner.source.validation import Accepted, Validator

_MAXIMUM = 4096
_SOME_PAIR = {"participant_1": "+12", "participant_2": "+13"}

Raw = TypeVar("Raw", bound=Hashable)


class KnownTerms(Generic[Raw]):
    """Terms by the raw values that said them; `fields_of` gives these their columns.

    It gives None where they contradict one another.
    """

    def __init__(
        self, validator: Validator, fields_of: Callable[[Raw], Mapping[str, object] | None]
    ) -> None:
        self._validator = validator
        self._fields_of = fields_of
        self._known: dict[Raw, Terms] = {}

    def of(self, rows: Iterable[Raw]) -> list[Terms] | None:
        """The terms of each row; None if those of any are not sound."""
        known = self._known
        found = [known.get(raw) or self._learn(raw) for raw in rows]
        return found if all(found) else None  # type: ignore[return-value] # none is None

    def _learn(self, raw: Raw) -> Terms | None:
        fields = self._fields_of(raw)
        verdict = None if fields is None else self._validator.examine({**fields, **_SOME_PAIR})
        if not isinstance(verdict, Accepted):
            return None
        if len(self._known) >= _MAXIMUM:
            self._known.clear()
        terms = self._known[raw] = terms_of(verdict.request)
        return terms
