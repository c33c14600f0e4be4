"""The figures as a page of text and a picture."""

from __future__ import annotations

from collections.abc import Iterator

from benchmarks.compare import Comparison, Line
from benchmarks.contenders import CALLERS
from benchmarks.machine import described
from benchmarks.picture import Bar, Panel, chart

_PLAIN = "aioboto3, a plain loop"
_HEAD = (
    "| client | calls/s | times plain | CPU µs a call | p50 ms | p99 ms | peak MB | start-up s "
    "| server's CPU |\n|---|---:|---:|---:|---:|---:|---:|---:|---:|"
)


def comparison_page(found: Comparison) -> str:
    """Markdown."""
    return "\n".join([*_comparison(found), ""])


def comparison_head(found: Comparison) -> str:
    """The table of the README: every line of it, fewer columns."""
    lines = _measured(found)
    rows = (
        f"| {_named(line)} | {line.median('rate'):,.0f} | {line.median('cpu'):,.0f} "
        f"| {line.median('p99') * 1000:.0f} | {line.median('memory'):.0f} |\n"
        for line in lines
    )
    return (
        "| client | calls/s | CPU µs a call | p99 ms | MB |\n|---|---:|---:|---:|---:|\n"
        + "".join(rows)
    )


def comparison_picture(found: Comparison) -> str:
    """SVG."""
    lines = _measured(found)
    return chart(
        f"CreateProxySession over loopback, {CALLERS} callers, one core",
        [
            Panel("calls a second (more is better)", [_bar(line, "rate") for line in lines]),
            Panel("CPU µs a call (less is better)", [_bar(line, "cpu") for line in lines]),
        ],
    )


def _comparison(found: Comparison) -> Iterator[str]:
    lines = _measured(found)
    rounds = max((len(line.samples) for line in lines), default=0)
    yield "# Calls a second and what they cost\n"
    yield (
        f"{CALLERS} callers on one core, a {found.server} that answers a constant 201 on another. "
        f"Medians of {rounds} interleaved rounds, in brackets the lowest and highest. "
        "`provisioner` does all of its work: ledger durable, limiter on, results written; its "
        "latency is from a call's token to its outcome on disk, the others' from the caller's "
        "turn to the answer. "
        "CPU is the whole process's less that of a start with 200 calls. "
        "`make bench` repeats it.\n"
    )
    yield _HEAD
    plain = next((line for line in lines if line.name == _PLAIN), None)
    yield from (_row(line, plain) for line in lines)
    yield ""
    yield from (f"Not measured: {each.name}: {each.absent}." for each in found.lines if each.absent)
    yield _server(found) + "\n"
    yield described()


def _measured(found: Comparison) -> list[Line]:
    """The fastest first."""
    lines = [line for line in found.lines if line.samples]
    return sorted(lines, key=lambda line: -line.median("rate"))


def _row(line: Line, plain: Line | None) -> str:
    low, high = line.spread("rate")
    times = f"{line.median('rate') / plain.median('rate'):.1f}" if plain else ""
    cells = (
        _named(line),
        f"{line.median('rate'):,.0f} ({low:,.0f}-{high:,.0f})",
        times,
        f"{line.median('cpu'):,.0f} ({line.spread('cpu')[0]:,.0f}-{line.spread('cpu')[1]:,.0f})",
        f"{line.median('p50') * 1000:.1f}",
        f"{line.median('p99') * 1000:.1f}",
        f"{line.median('memory'):.0f}",
        f"{line.start_up:.1f}",
        f"{line.median('server'):.0%}",
    )
    return f"| {' | '.join(cells)} |"


def _named(line: Line) -> str:
    return f"**{line.name}**" if line.name.startswith("provisioner") else line.name


def _server(found: Comparison) -> str:
    if found.ceiling is None:
        return (
            "The server's ceiling was not measured (no wrk here); its CPU shows that it had room."
        )
    return f"The server's own ceiling, by wrk over 64 connections: {found.ceiling:,.0f} answers/s."


def _bar(line: Line, figure: str) -> Bar:
    low, high = line.spread(figure)
    ours = line.name.startswith("provisioner")
    return Bar(line.name, line.median(figure), low, high, ours)
