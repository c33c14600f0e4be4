"""Rate against quota over time, as SVG."""

from __future__ import annotations

from collections.abc import Sequence

WIDTH, HEIGHT, LEFT, BOTTOM, TOP = 760, 300, 50, 40, 20


def drawn(rates: Sequence[tuple[float, float, float]]) -> str:
    """The picture of (seconds, rate, quota), each a second apart."""
    longest = max(time for time, _, _ in rates)
    highest = 1.5 * max(quota for _, _, quota in rates)

    def point(time: float, value: float) -> str:
        x = LEFT + (WIDTH - LEFT - 10) * time / longest
        y = HEIGHT - BOTTOM - (HEIGHT - BOTTOM - TOP) * min(value, highest) / highest
        return f"{x:.1f},{y:.1f}"

    def line(values: Sequence[tuple[float, float]], color: str, width: float) -> str:
        points = " ".join(point(time, value) for time, value in values)
        return f'<polyline points="{points}" fill="none" stroke="{color}" stroke-width="{width}"/>'

    def text(time: float, value: float, words: str, anchor: str = "middle") -> str:
        x, y = point(time, value).split(",")
        return f'<text x="{x}" y="{y}" text-anchor="{anchor}">{words}</text>'

    marks = [text(-2, value, f"{value:g}", "end") for value in (0, 25, 50)]
    minutes = range(0, int(longest) + 1, 60)
    marks += [text(each, -0.12 * highest, f"{each // 60} min") for each in minutes]
    body = [
        '<rect width="100%" height="100%" fill="white"/>',
        line([(time, quota) for time, _, quota in rates], "#c33", 3.0),
        line([(time, rate) for time, rate, _ in rates], "#147", 1.2),
        text(longest * 0.02, highest * 0.97, "calls a second: quota red, rate blue", "start"),
        *marks,
    ]
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" '
        f'font-family="sans-serif" font-size="12">\n' + "\n".join(body) + "\n</svg>\n"
    )
