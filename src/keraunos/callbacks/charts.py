"""Charts of logs, drawn as SVG by ourselves: readable in light and dark, without colours, and by screen readers."""

from __future__ import annotations

import math
import pathlib
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

from keraunos.callbacks.monitors import rises
from keraunos.core.errors import ArgumentError, one_of

WIDTH, HEIGHT, COLUMNS = 340, 230, 3  # of one panel, in pixels; and how many stand beside one another
LEFT, RIGHT, TOP, BOTTOM = 52, 14, 34, 34  # what the axes need
TRAINED, HELD_OUT = "#0072b2", "#d55e00"  # the blue and the vermilion of Okabe and Ito: told apart by all, and seen on white and on black
ALONE = "svg{color:#222;background:#fff}@media(prefers-color-scheme:dark){svg{color:#ddd;background:#1b1b1b}}"


@dataclass(frozen=True)
class Line:
    """A curve: the values of a log at some epochs, counted from 1."""

    name: str
    epochs: Sequence[int]
    values: Sequence[float]
    held_out: bool = False

    @property
    def points(self) -> list[tuple[int, float]]:
        """The points that are finite."""
        return [(x, y) for x, y in zip(self.epochs, self.values, strict=True) if math.isfinite(y)]


class Chart:
    """What `History.plot` returns: shown by notebooks as it is, written to a file by `save`.

    Args:
        panels: The lines of each panel, by its title.
        scale: "linear", "log", or "auto": logarithmic where the values are positive and span more than two powers of ten.
    """

    def __init__(self, panels: dict[str, list[Line]], scale: str = "auto"):
        self.panels, self.scale = panels, one_of("scale", scale, ("auto", "linear", "log"), "plot")

    def svg(self, alone: bool = False) -> str:
        """The picture; `alone` with colours of its own, else with those of the page around it."""
        columns = min(COLUMNS, len(self.panels))
        width, height = columns * WIDTH, math.ceil(len(self.panels) / columns) * HEIGHT
        drawn = []
        for i, (title, lines) in enumerate(self.panels.items()):
            place = f'transform="translate({i % columns * WIDTH} {i // columns * HEIGHT})"'
            drawn.append(f"<g {place}>{_Panel(title, lines, self.scale).draw()}</g>")
        about = escape("; ".join(map(_told, self.panels, self.panels.values())))
        frame = f'xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" height="{height}" style="max-width:100%;height:auto"'
        text = 'font-family="system-ui,sans-serif" font-size="11" fill="currentColor"'
        style = f"<style>{ALONE}</style>" if alone else ""
        return f'<svg {frame} {text} role="img" aria-label="{about}">{style}{"".join(drawn)}</svg>'

    def save(self, path: str | pathlib.Path) -> None:
        """Write the picture to a file.

        Raises:
            ArgumentError: The name does not end in `.svg`.
        """
        path = pathlib.Path(path)
        if path.suffix != ".svg":
            fact = "A chart is an SVG file."
            raise ArgumentError(fact, where="path", received=str(path), fix=f"'{path.stem}.svg', which browsers show and Inkscape converts")
        path.write_text(self.svg(alone=True), encoding="utf-8")

    def _repr_html_(self) -> str:
        return self.svg()


def _told(title: str, lines: list[Line]) -> str:
    ends = [f"{line.name} from {line.points[0][1]:.4g} to {line.points[-1][1]:.4g}" for line in lines if line.points]
    return f"{title}: {', '.join(ends)}"


class _Panel:
    """The axes and lines of one log."""

    def __init__(self, title: str, lines: list[Line], scale: str):
        self.title, self.lines = title, lines
        xs = [x for line in lines for x, _ in line.points] or [1]
        ys = [y for line in lines for _, y in line.points] or [0.0]
        positive = min(ys) > 0
        self.log = positive and (scale == "log" or (scale == "auto" and max(ys) > 100 * min(ys)))
        self.first, self.last = min(xs), max(xs)
        self.low, self.high = self._scaled(min(ys)), self._scaled(max(ys))
        pad = 0.05 * (self.high - self.low) or 0.05 * abs(self.high) or 1.0
        self.low, self.high = self.low - pad, self.high + pad

    def _scaled(self, y: float) -> float:
        return math.log10(y) if self.log else y

    def _x(self, x: float) -> float:
        return LEFT + (WIDTH - LEFT - RIGHT) * ((x - self.first) / (self.last - self.first) if self.last > self.first else 0.5)

    def _y(self, y: float) -> float:
        return TOP + (HEIGHT - TOP - BOTTOM) * (1 - (self._scaled(y) - self.low) / (self.high - self.low))

    def draw(self) -> str:
        """The panel."""
        return self._axes() + "".join(map(self._line, self.lines)) + self._best() + self._legend()

    def _axes(self) -> str:
        title = escape(self.title if len(self.title) < 36 else self.title[:35] + "…") + (" (log)" if self.log else "")
        parts = [f'<text x="{LEFT}" y="14" font-size="13" font-weight="600">{title}</text>']
        for y in _decades(self.low, self.high) if self.log else ticks(self.low, self.high, 5):
            at = self._y(y)
            parts.append(f'<path d="M{LEFT} {at:.1f}H{WIDTH - RIGHT}" stroke="currentColor" opacity=".15"/>')
            parts.append(f'<text x="{LEFT - 6}" y="{at + 4:.1f}" text-anchor="end">{y:g}</text>')
        for x in [t for t in ticks(self.first, self.last, 6) if t == int(t)] or [self.first]:
            parts.append(f'<text x="{self._x(x):.1f}" y="{HEIGHT - BOTTOM + 16}" text-anchor="middle">{x:g}</text>')
        parts.append(f'<text x="{LEFT}" y="{HEIGHT - 4}" opacity=".8">epoch</text>')
        parts.append(f'<path d="M{LEFT} {TOP}V{HEIGHT - BOTTOM}H{WIDTH - RIGHT}" stroke="currentColor" fill="none" opacity=".6"/>')
        return "".join(parts)

    def _line(self, line: Line) -> str:
        """The curve, with gaps where values are not finite, and dots where there are few of them."""
        colour, parts, pen = HELD_OUT if line.held_out else TRAINED, [], "M"
        for x, y in zip(line.epochs, line.values, strict=True):
            if not math.isfinite(y):
                pen = "M"
                continue
            parts.append(f"{pen}{self._x(x):.1f} {self._y(y):.1f}")
            pen = "L"
        dash = ' stroke-dasharray="6 4"' if line.held_out else ""
        drawn = f'<path d="{"".join(parts)}" fill="none" stroke="{colour}" stroke-width="2" stroke-linejoin="round"{dash}/>'
        if len(line.points) <= 100:
            radius = 2.5 if len(line.points) <= 30 else 1.2
            for x, y in line.points:
                said = f"<title>{escape(line.name)}, epoch {x}: {y:.6g}</title>"
                drawn += f'<circle cx="{self._x(x):.1f}" cy="{self._y(y):.1f}" r="{radius}" fill="{colour}">{said}</circle>'
        return drawn

    def _best(self) -> str:
        """A ring around the best value, of what was held out if there is any."""
        line = next((line for line in self.lines if line.held_out and line.points), self.lines[0])
        if len(line.points) < 2 or self.title == "learning_rate":
            return ""
        x, y = (max if rises(line.name) else min)(line.points, key=lambda point: point[1])
        said = f"best: {y:.4g} (epoch {x})"
        ring = f'<circle cx="{self._x(x):.1f}" cy="{self._y(y):.1f}" r="6" fill="none" stroke="currentColor" stroke-width="1.5"/>'
        return f'{ring}<text x="{WIDTH - RIGHT}" y="{HEIGHT - 4}" text-anchor="end" opacity=".8">{said}</text>'

    def _legend(self) -> str:
        parts, x = [], float(LEFT)
        for line in self.lines if len(self.lines) > 1 else ():
            name, colour, dash = ("validation", HELD_OUT, ' stroke-dasharray="6 4"') if line.held_out else ("training", TRAINED, "")
            parts.append(f'<path d="M{x} 24h22" stroke="{colour}" stroke-width="2"{dash}/><text x="{x + 27}" y="28">{name}</text>')
            x += 90
        return "".join(parts)


def ticks(low: float, high: float, count: int) -> list[float]:
    """About so many round numbers between two.

    Example:

    >>> ticks(0, 1, 5)
    [0.0, 0.2, 0.4, 0.6, 0.8, 1.0]
    """
    if not high > low:
        return [low]
    rough = (high - low) / count
    power = 10.0 ** math.floor(math.log10(rough))
    step = next(step for step in (1, 2, 5, 10) if step * power >= rough * 0.999) * power
    first = math.ceil(low / step - 1e-9)
    return [float(f"{i * step:.12g}") for i in range(first, math.floor(high / step + 1e-9) + 1)]


def _decades(low: float, high: float) -> list[float]:
    """Powers of ten, or fewer or more than each, between two logarithms."""
    found = [10.0**i for i in range(math.ceil(low), math.floor(high) + 1)]
    if len(found) < 2:
        found = [m * 10.0**i for i in range(math.floor(low), math.ceil(high) + 1) for m in (1, 2, 5) if low <= math.log10(m * 10.0**i) <= high]
    if len(found) < 2:
        return ticks(10.0**low, 10.0**high, 5)
    return found[:: math.ceil(len(found) / 6)]
