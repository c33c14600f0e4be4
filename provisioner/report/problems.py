"""Problems of job files as lines."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import msgspec

from provisioner.job import Problem


def render_problems(name: str, problems: Iterable[Problem]) -> Iterator[str]:
    """One line for people each: `jobs.csv:7: participant_2: "+1415***": what to write instead`.

    `name` is the job file's. Lines come without their ends.
    """
    for problem in problems:
        about = (problem.column, None if problem.value is None else f'"{problem.value}"')
        parts = [f"{name}:{problem.line}", *filter(None, about), problem.message]
        yield " ".join(": ".join(parts).splitlines())


def problems_json(name: str, problems: Iterable[Problem]) -> Iterator[bytes]:
    """One JSON object each: `file`, then the members of `Problem`; null where absent."""
    for problem in problems:
        yield msgspec.json.encode({"file": name} | msgspec.structs.asdict(problem))
