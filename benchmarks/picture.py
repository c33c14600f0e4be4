"""A bar chart as a small SVG: medians as bars, the lowest and highest round as a line across."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from html import escape
from typing import NamedTuple

_LABEL, _PANEL, _ROW, _TOP, _ROOM = 210, 250, 26, 52, 62
_HEAD = (
    '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" role="img" '
    'font-family="system-ui,sans-serif" font-size="12">'
    "<title>{title}</title>"
    "<style>text{{fill:#1f2328}}.bar{{fill:#8fa8c8}}.ours{{fill:#1f6feb}}"
    ".spread{{stroke:#1f2328;stroke-width:1}}.back{{fill:#fff}}</style>"
    '<rect class="back" width="{width}" height="{height}"/>'
)


class Bar(NamedTuple):
    """A median and its lowest and highest; `ours` stands out."""

    label: str
    value: float
    low: float
    high: float
    ours: bool


class Panel(NamedTuple):
    """Bars with one scale, from 0."""

    title: str
    bars: Sequence[Bar]


def chart(title: str, panels: Sequence[Panel]) -> str:
    """Panels side by side; all of them have the same labels in the same order."""
    width = _LABEL + len(panels) * (_PANEL + _ROOM)
    height = _TOP + _ROW * len(panels[0].bars) + 8
    lines = [_HEAD.format(width=width, height=height, title=escape(title))]
    lines.append(f'<text x="8" y="20" font-weight="bold">{escape(title)}</text>')
    lines.extend(
        f'<text x="8" y="{_TOP + _ROW * row + 15}">{escape(bar.label)}</text>'
        for row, bar in enumerate(panels[0].bars)
    )
    for place, panel in enumerate(panels):
        lines.extend(_panel(panel, _LABEL + place * (_PANEL + _ROOM)))
    return "\n".join([*lines, "</svg>", ""])


def _panel(panel: Panel, left: float) -> Iterator[str]:
    scale = _PANEL / max(bar.high for bar in panel.bars)
    yield f'<text x="{left}" y="{_TOP - 10}">{escape(panel.title)}</text>'
    for row, bar in enumerate(panel.bars):
        top, kind = _TOP + _ROW * row, "ours" if bar.ours else "bar"
        low, high = left + bar.low * scale, left + bar.high * scale
        yield (
            f'<rect class="{kind}" x="{left}" y="{top}" width="{bar.value * scale:.1f}" '
            f'height="{_ROW - 6}"/><path class="spread" d="M{low:.1f} {top + 10}H{high:.1f}"/>'
            f'<text x="{high + 6:.1f}" y="{top + 15}">{bar.value:,.0f}</text>'
        )
