"""The state diagram in docs/guarantees.md is the table of transitions, drawn."""

from __future__ import annotations

from pathlib import Path

from provisioner.job import SETTLED, TRANSITIONS, JobState

DOCUMENT = Path(__file__).parents[2] / "docs" / "guarantees.md"
TURNED_AWAY = {JobState.REJECTED, JobState.DUPLICATE}


def diagram() -> str:
    """Mermaid's text for `TRANSITIONS`: rows come in as pending, rejected or duplicate."""
    entries = [JobState.PENDING, *sorted(TURNED_AWAY)]
    lines = [f"    [*] --> {state}" for state in entries]
    for state in JobState:
        lines += [f"    {state} --> {to}" for to in JobState if to in TRANSITIONS[state]]
    lines += [f"    {state} --> [*]" for state in JobState if state in SETTLED]
    return "\n".join(["```mermaid", "stateDiagram-v2", *lines, "```"])


def test_the_document_draws_the_transitions_that_the_ledger_allows() -> None:
    assert diagram() in DOCUMENT.read_text("utf-8")
