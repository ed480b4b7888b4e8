"""Charts as inline SVG: text that a style sheet colours, so one chart serves light, dark and print."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

GRID_LINES = 5


@dataclass(frozen=True)
class Series:
    """A line; ``tone`` is a CSS class that colours it."""

    name: str
    x: Sequence[float]
    y: Sequence[float | None]
    tone: str
    dashed: bool = False


@dataclass(frozen=True)
class Bars:
    """One bar per category, None where there is none; ``tone`` is a CSS class that colours them."""

    name: str
    values: Sequence[float | None]
    tone: str


@dataclass(frozen=True)
class Interval:
    """A value with its interval, None where there is none; ``tone`` is a CSS class that colours it."""

    name: str
    value: float | None
    interval: tuple[float, float] | None
    tone: str


def line_chart(
    series: Sequence[Series],
    x_label: str,
    y_label: str,
    size: tuple[int, int] = (560, 300),
    y_range: tuple[float, float] | None = None,
    logarithmic: bool = False,
    whole_x: bool = True,
) -> str:
    """Lines over a common x axis, with a legend above; points that are None are skipped."""
    points = [(x, y) for line in series for x, y in zip(line.x, line.y, strict=True) if y is not None]
    if not points:
        return '<p class="empty">No values.</p>'
    x_low, x_high = min(x for x, _ in points), max(x for x, _ in points)
    x_ticks = [tick for tick in nice_ticks(x_low, x_high, 7, whole_x) if x_low <= tick <= x_high]
    y_values = [y for _, y in points]
    if logarithmic:
        y_ticks = decade_ticks(min(y_values), max(y_values))
    else:
        low, high = y_range or (min(0.0, *y_values), max(y_values))
        y_ticks = nice_ticks(low, high, GRID_LINES)
    frame = _Frame(size, (x_low, x_high), (y_ticks[0], y_ticks[-1]), logarithmic)
    parts = frame.axes(x_ticks, y_ticks, x_label, y_label)
    for line in series:
        path = [(frame.x(x), frame.y(y)) for x, y in zip(line.x, line.y, strict=True) if y is not None]
        dash = " dashed" if line.dashed else ""
        text = " ".join(f"{x:.1f},{y:.1f}" for x, y in path)
        parts.append(f'<polyline class="line {line.tone}{dash}" points="{text}"><title>{escape(line.name)}</title>')
        parts.append("</polyline>")
        if len(path) <= 12:
            parts += [f'<circle class="dot {line.tone}" cx="{x:.1f}" cy="{y:.1f}" r="2.6"/>' for x, y in path]
    return legend([(line.name, line.tone, line.dashed) for line in series]) + frame.svg(parts, y_label)


def bar_chart(
    categories: Sequence[tuple[str, str]],
    bars: Sequence[Bars],
    y_label: str,
    marks: Bars | None = None,
    size: tuple[int, int] = (560, 260),
    y_max: float | None = None,
) -> str:
    """Grouped vertical bars.

    Args:
        categories: (group, label) of each category; a group's name is written once below its labels.
        bars: Bars that stand side by side in each category.
        y_label: Quantity and unit.
        marks: A short horizontal line per category, such as a baseline.
        size: Width and height in px.
        y_max: Upper end of the axis; None fits the values.
    """
    layers = [*bars, *([marks] if marks else [])]
    values = [value for layer in layers for value in layer.values if value is not None]
    if not values:
        return '<p class="empty">No values.</p>'
    ticks = nice_ticks(0.0, y_max or max(values), GRID_LINES)
    frame = _Frame(size, (0.0, float(len(categories))), (0.0, ticks[-1]), False, bottom=54)
    parts = frame.axes([], ticks, "", y_label)
    width = 0.78 / len(bars)
    for number, layer in enumerate(bars):
        for place, value in enumerate(layer.values):
            if value is not None:
                left, right = (frame.x(place + 0.11 + (number + k) * width) for k in (0, 1))
                top, title = frame.y(value), " ".join((*categories[place], layer.name, f"{value:.2f}"))
                parts.append(
                    f'<rect class="bar {layer.tone}" x="{left:.1f}" y="{top:.1f}" width="{right - left - 0.6:.1f}" '
                    f'height="{frame.y(0) - top:.1f}"><title>{escape(title)}</title></rect>'
                )
    for place, value in enumerate(marks.values if marks else []):
        if marks and value is not None:
            x0, x1, y = frame.x(place + 0.05), frame.x(place + 0.95), frame.y(value)
            parts.append(f'<path class="mark {marks.tone}" d="M{x0:.1f} {y:.1f}H{x1:.1f}"/>')
    parts += _category_labels(frame, categories)
    names = [(layer.name, layer.tone, layer is marks) for layer in layers]
    return legend(names) + frame.svg(parts, y_label)


def row_chart(rows: Sequence[tuple[str, float | None, str, str]], label_width: int = 150, width: int = 560) -> str:
    """Horizontal bars, one row each: (label, value, text beside the bar, CSS colour or tone class)."""
    highest = max((value for _, value, *_ in rows if value is not None), default=0) or 1.0
    step, bar = 24, 14
    span = width - label_width - 200
    parts = []
    for number, (label, value, text, color) in enumerate(rows):
        middle = number * step + step / 2
        fill = f'class="bar" style="fill:{color}"' if color.startswith("#") else f'class="bar {color}"'
        length = span * (value or 0) / highest
        parts.append(
            f'<text class="tick" x="{label_width - 8}" y="{middle + 4}" text-anchor="end">{escape(label)}</text>'
        )
        parts.append(
            f'<rect {fill} x="{label_width}" y="{middle - bar / 2}" width="{max(length, 0.8):.1f}" height="{bar}"/>'
        )
        parts.append(f'<text class="value" x="{label_width + length + 7:.1f}" y="{middle + 4}">{escape(text)}</text>')
    said, box = escape("; ".join(f"{label}: {text}" for label, _, text, _ in rows)), f"0 0 {width} {len(rows) * step}"
    return f'<svg class="chart" viewBox="{box}" role="img" aria-label="{said}">{"".join(parts)}</svg>'


def interval_chart(rows: Sequence[Interval], unit: str, label_width: int = 130, width: int = 560) -> str:
    """Values as dots on horizontal intervals, one row each, around a line at 0."""
    edges = [0.0, *(edge for row in rows for edge in (row.value, *(row.interval or ())) if edge is not None)]
    ticks = nice_ticks(min(edges), max(edges), 6)
    step, bottom = 26, 40
    floor = len(rows) * step + 6

    def place(value: float) -> float:
        return label_width + (value - ticks[0]) / (ticks[-1] - ticks[0]) * (width - label_width - 16)

    parts = []
    for tick in ticks:
        x, kind = place(tick), "axis" if abs(tick) < 1e-9 else "grid"
        parts.append(f'<path class="{kind}" d="M{x:.1f} 0V{floor}"/>')
        parts.append(f'<text class="tick" x="{x:.1f}" y="{floor + 15}" text-anchor="middle">{format_tick(tick)}</text>')
    for number, row in enumerate(rows):
        y = (number + 0.5) * step + 2
        parts.append(
            f'<text class="tick" x="{label_width - 10}" y="{y + 4}" text-anchor="end">{escape(row.name)}</text>'
        )
        if row.interval:
            low, high = (place(edge) for edge in row.interval)
            parts.append(f'<path class="span {row.tone}" d="M{low:.1f} {y}H{high:.1f}"/>')
        if row.value is not None:
            title = f"{row.name}: {row.value:+.2f} {unit}, {row.tone}"
            parts.append(f'<circle class="dot {row.tone}" cx="{place(row.value):.1f}" cy="{y}" r="4.2">')
            parts.append(f"<title>{escape(title)}</title></circle>")
    middle = (label_width + width) / 2
    parts.append(f'<text class="label" x="{middle}" y="{floor + 33}" text-anchor="middle">{escape(unit)}</text>')
    said = escape(
        "; ".join(f"{row.name}: {row.value:+.2f} {unit}, {row.tone}" for row in rows if row.value is not None)
    )
    box = f"0 0 {width} {floor + bottom}"
    return f'<svg class="chart" viewBox="{box}" role="img" aria-label="{said}">{"".join(parts)}</svg>'


def legend(names: Sequence[tuple[str, str, bool]]) -> str:
    """Names with their colours; the flag marks a dashed line."""
    items = [
        f'<span class="key"><i class="swatch {tone}{" dashed" if dashed else ""}"></i>{escape(name)}</span>'
        for name, tone, dashed in names
    ]
    return f'<div class="legend">{"".join(items)}</div>'


def nice_ticks(low: float, high: float, count: int, whole: bool = False) -> list[float]:
    """Round numbers from at most ``low`` to at least ``high``, about ``count`` of them, or only whole ones."""
    if high <= low:
        high = low + 1.0
    raw = (high - low) / max(count - 1, 1)
    magnitude = 10 ** math.floor(math.log10(raw))
    step = next(factor * magnitude for factor in (1, 2, 2.5, 5, 10) if factor * magnitude >= raw * 0.999)
    step = max(round(step), 1) if whole else step
    first, last = math.floor(low / step + 1e-9), math.ceil(high / step - 1e-9)
    return [k * step for k in range(first, last + 1)]


def decade_ticks(low: float, high: float) -> list[float]:
    """1, 2 and 5 times powers of ten that enclose two positive numbers."""
    low, high = max(low, 1e-9), max(high, 1e-9)
    exponents = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
    ladder = [factor * 10.0**exponent for exponent in exponents for factor in (1, 2, 5)]
    first = max((k for k, tick in enumerate(ladder) if tick <= low * 1.001), default=0)
    last = min((k for k, tick in enumerate(ladder) if tick >= high * 0.999), default=len(ladder) - 1)
    return ladder[first : max(last, first + 1) + 1]


def format_tick(value: float) -> str:
    """A number without needless digits."""
    value = value + 0.0 if abs(value) > 1e-12 else 0.0
    return f"{value:.6g}" if abs(value) < 1e5 else f"{value:.0e}"


class _Frame:
    """Axes of a chart and the map from values to px."""

    def __init__(
        self,
        size: tuple[int, int],
        x_range: tuple[float, float],
        y_range: tuple[float, float],
        logarithmic: bool,
        bottom: int = 44,
    ) -> None:
        self.width, self.height = size
        self.left, self.right, self.top, self.bottom = 64, 12, 10, bottom
        self.x_range, self.logarithmic = x_range, logarithmic
        self.y_range = tuple(math.log10(max(y, 1e-12)) for y in y_range) if logarithmic else y_range

    def x(self, value: float) -> float:
        low, high = self.x_range
        return self.left + (value - low) / ((high - low) or 1) * (self.width - self.left - self.right)

    def y(self, value: float) -> float:
        low, high = self.y_range
        value = math.log10(max(value, 1e-12)) if self.logarithmic else value
        inner = self.height - self.top - self.bottom
        return self.top + (1 - (value - low) / ((high - low) or 1)) * inner

    def axes(self, x_ticks: Sequence[float], y_ticks: Sequence[float], x_label: str, y_label: str) -> list[str]:
        floor, right = self.height - self.bottom, self.width - self.right
        parts = []
        for tick in y_ticks:
            y = self.y(tick)
            parts.append(f'<path class="grid" d="M{self.left} {y:.1f}H{right}"/>')
            text = format_tick(tick)
            parts.append(f'<text class="tick" x="{self.left - 7}" y="{y + 4:.1f}" text-anchor="end">{text}</text>')
        for tick in x_ticks:
            x, text = self.x(tick), format_tick(tick)
            parts.append(f'<text class="tick" x="{x:.1f}" y="{floor + 17}" text-anchor="middle">{text}</text>')
        parts.append(f'<path class="axis" d="M{self.left} {floor}H{right}"/>')
        middle = (self.left + right) / 2
        parts.append(
            f'<text class="label" x="{middle}" y="{self.height - 6}" text-anchor="middle">{escape(x_label)}</text>'
        )
        y = (self.top + floor) / 2
        parts.append(
            f'<text class="label" text-anchor="middle" transform="translate(11 {y}) rotate(-90)">'
            f"{escape(y_label)}</text>"
        )
        return parts

    def svg(self, parts: Sequence[str], name: str) -> str:
        box = f"0 0 {self.width} {self.height}"
        return f'<svg class="chart" viewBox="{box}" role="img" aria-label="{escape(name)}">{"".join(parts)}</svg>'


def _category_labels(frame: _Frame, categories: Sequence[tuple[str, str]]) -> list[str]:
    floor, parts = frame.height - frame.bottom, []
    groups: dict[str, list[int]] = {}
    for place, (group, label) in enumerate(categories):
        groups.setdefault(group, []).append(place)
        x = frame.x(place + 0.5)
        parts.append(f'<text class="tick" x="{x:.1f}" y="{floor + 16}" text-anchor="middle">{escape(label)}</text>')
    for group, places in groups.items():
        left, right = frame.x(places[0] + 0.15), frame.x(places[-1] + 0.85)
        parts.append(f'<path class="axis" d="M{left:.1f} {floor + 23}H{right:.1f}"/>')
        x = (left + right) / 2
        parts.append(f'<text class="label" x="{x:.1f}" y="{floor + 40}" text-anchor="middle">{escape(group)}</text>')
    return parts
