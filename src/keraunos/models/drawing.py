"""Pictures of models, drawn as SVG by ourselves: readable in light and dark, and by screen readers; or described for Graphviz."""

from __future__ import annotations

import dataclasses
import functools
import math
import pathlib
import shutil
import subprocess
from collections.abc import Iterator
from html import escape
from typing import Any

from keraunos.callbacks.charts import ALONE, HELD_OUT, TRAINED
from keraunos.core.errors import ArgumentError, ArgumentTypeError, BackendError, StateError, needing, one_of
from keraunos.layers.input_layer import InputLayer
from keraunos.models.functional import GraphModel
from keraunos.models.layered import Line, arrange
from keraunos.models.model import Model

INPUT, WEIGHTED, PLAIN, NESTED = HELD_OUT, TRAINED, "#8a8a8a", "#009e73"  # of Okabe and Ito, as in charts
TITLE, ROW, PAD, HEADER = 13, 11, 12, 26  # sizes of text, the space around what is in a box or frame, the height of a frame's name
DIRECTIONS = ("TB", "BT", "LR", "RL")


class Dot:
    """A picture of a model, which notebooks show; and its description in the language of Graphviz.

    Args:
        text: The description.
        picture: What is drawn.
        dpi: Dots an inch, where it is made of dots.
    """

    def __init__(self, text: str, picture: Picture, dpi: int):
        self.text, self.picture, self.dpi = text, picture, dpi

    def to_string(self) -> str:
        """The description."""
        return self.text

    def create(self, format: str = "svg") -> bytes:
        """The picture in a format: "svg", "png", "html", "dot", or with Graphviz any that it writes.

        Raises:
            BackendError: What the format needs is not installed.
            ArgumentError: There is no such format.
        """
        if format in ("svg", "html", "dot", "gv"):
            made = {"svg": functools.partial(self.picture.svg, alone=True), "html": self.picture.page}.get(format, self.to_string)
            return made().encode()
        if format == "png":
            with needing("PNG pictures are made by resvg, which is not installed.", "plot_model", "'keraunos[pictures]', or to_file='model.svg'"):
                import resvg_py
            draw = functools.partial(resvg_py.svg_to_bytes, zoom=self.dpi / 96, background="white")
            letter = '<svg xmlns="http://www.w3.org/2000/svg" width="9" height="9"><text y="9" font-family="sans-serif">M</text></svg>'
            blank = draw(svg_string=letter.replace("M", ""))
            family = next((family for family in _FAMILIES if draw(svg_string=letter, sans_serif_family=family) != blank), None)
            if family is None:
                fix = "to_file='model.svg', or install fonts (apt install fonts-liberation)"
                raise BackendError("This machine has none of the usual fonts, so the picture would have no text.", where="plot_model", fix=fix)
            return bytes(draw(svg_string=self.picture.svg(paper=True), sans_serif_family=family))
        if shutil.which("dot") is None:
            fix = "to_file='model.svg' or 'model.png'; or install it (apt install graphviz, brew install graphviz)"
            raise BackendError(f"Pictures in the format '{format}' are made by Graphviz, whose program 'dot' is not installed.", where="plot_model", fix=fix)
        done = subprocess.run(["dot", f"-T{format}"], input=self.text.encode(), capture_output=True)
        if done.returncode:
            fact = f"Graphviz could not draw: {done.stderr.decode(errors='replace').strip()[:200]}"
            raise ArgumentError(fact, where="plot_model", received=f"format {format!r}", fix="to_file='model.svg'")
        return done.stdout

    def write(self, path: Any, format: str | None = None) -> None:
        """Write the picture to a file; the format is by its ending, unless it is given."""
        path = pathlib.Path(path).expanduser()
        path.write_bytes(self.create(format or path.suffix.removeprefix(".") or "png"))

    def _repr_svg_(self) -> str:
        return self.picture.svg()

    def __repr__(self) -> str:
        return f"<Dot of {len(self.text.splitlines())} lines>"


def plot_model(model: Any, to_file: Any = "model.png", show_shapes: bool = False, show_dtype: bool = False, show_layer_names: bool = False,
               rankdir: str = "TB", expand_nested: bool = False, dpi: int = 200, show_layer_activations: bool = False, show_trainable: bool = False,
               splines: str = "ortho", **kwargs: Any) -> Dot:  # fmt: skip
    """Draw a model: inputs in vermilion, layers with weights in blue, models in it in green, all else in grey.

    A layer that is called several times is one box.

    Args:
        model: The model.
        to_file: The file, whose ending says the format: `.svg`; `.html`, with the models in it to be opened; `.png`, which needs
            `pip install 'keraunos[pictures]'`; `.dot` for Graphviz, with whose program `.pdf` and others are made. None writes nothing.
        show_shapes: Whether the shapes of inputs and outputs are shown.
        show_dtype: Whether the dtypes of outputs are shown.
        show_layer_names: Whether the names of layers are shown, beside their classes.
        rankdir: "TB" from top to bottom, "LR" from left to right, or "BT", "RL".
        expand_nested: Whether models in it are drawn with their layers.
        dpi: Dots an inch, of `.png`.
        show_layer_activations: Whether activations are shown.
        show_trainable: Whether it is shown which layers are trained.
        splines: How lines run: "ortho" with corners, "curved" or "spline", "polyline" or "line".

    Returns:
        The picture, which notebooks show.

    Raises:
        BackendError: What the format needs is not installed.
        StateError: The model is not built.

    Example:

    >>> import keraunos as keras, tempfile, os
    >>> model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(3)])
    >>> picture = plot_model(model, os.path.join(tempfile.mkdtemp(), "model.svg"), show_shapes=True)
    """
    picture = model_to_dot(model, show_shapes, show_dtype, show_layer_names, rankdir, expand_nested, dpi, False, show_layer_activations,
                           show_trainable, splines, **kwargs)  # fmt: skip
    if to_file is not None:
        picture.write(to_file)
    return picture


def model_to_dot(model: Any, show_shapes: bool = False, show_dtype: bool = False, show_layer_names: bool = True, rankdir: str = "TB",
                 expand_nested: bool = False, dpi: int = 200, subgraph: bool = False, show_layer_activations: bool = False,
                 show_trainable: bool = False, splines: str = "ortho", **kwargs: Any) -> Dot:  # fmt: skip
    """A picture of a model, and its description in the language of Graphviz, to be changed or drawn; the arguments are those of `plot_model`.

    Args:
        subgraph: Whether the description is to be a part of another.

    Example:

    >>> import keraunos as keras
    >>> picture = model_to_dot(keras.Sequential([keras.Input((2,)), keras.layers.Dense(3)]))
    >>> "Dense" in picture.to_string()
    True
    """
    if kwargs:
        raise ArgumentTypeError(f"plot_model has no argument '{next(iter(kwargs))}'.", where="plot_model", fix="leave it out")
    if not isinstance(model, Model):
        raise ArgumentTypeError("Only a model can be drawn.", where="plot_model", received=type(model).__name__, fix="keras.Model(inputs, outputs)")
    if not model.built:
        raise StateError(f"The model '{model.name}' is not built.", where="plot_model", fix="begin it with keras.Input, or call it on data")
    one_of("rankdir", rankdir, DIRECTIONS, "plot_model")
    one_of("splines", splines, ("ortho", "curved", "polyline", "spline", "line"), "plot_model")
    shown = Shown(show_shapes, show_dtype, show_layer_names, expand_nested, show_layer_activations, show_trainable, rankdir, splines)
    picture = Picture(model, shown)
    body = "\n".join(f"  {line}" for line in picture.statements())
    head = f'subgraph "cluster_{escape(model.name)}" {{' if subgraph else f"digraph {{\n  rankdir={rankdir}; dpi={dpi}; splines={splines};"
    return Dot(f'{head}\n  concentrate=true; node [shape=plain, fontname="Helvetica"];\n{body}\n}}\n', picture, dpi)


@dataclasses.dataclass(frozen=True)
class Shown:
    """What is shown of a model, and how."""

    shapes: bool = False
    dtypes: bool = False
    names: bool = True
    nested: bool = False
    activations: bool = False
    trainable: bool = False
    direction: str = "TB"
    splines: str = "ortho"

    def rows(self, operation: Any) -> list[str]:
        """What a box says below its name."""
        nodes = [node for node in operation.nodes if node.outputs]
        inputs, outputs = (nodes[0].inputs, nodes[0].outputs) if nodes else ([], [])
        rows, activation = [], getattr(operation, "activation", None)
        if self.activations and activation is not None:
            rows.append(f"Activation: {getattr(activation, '__name__', None) or type(activation).__name__}")
        if self.shapes:
            rows += [f"{name} shape: {', '.join(str(x.shape) for x in xs)}" for name, xs in (("Input", inputs), ("Output", outputs)) if xs]
        if self.dtypes and outputs:
            rows.append(f"Output dtype: {', '.join(x.dtype for x in outputs)}")
        if self.trainable and getattr(operation, "weights", ()):
            rows.append(f"Trainable: {'Yes' if operation.trainable_weights else 'No'}")
        return rows


class Box:
    """An operation in a picture: a box with text, or the frame of a model that is drawn with its layers."""

    def __init__(self, operation: Any, shown: Shown):
        self.operation, self.name, self.key = operation, operation.name, str(id(operation))
        self.kind = operation.op.__name__ if hasattr(operation, "op") else type(operation).__name__
        self.inner = Picture(operation, shown, framed=True) if shown.nested and _is_graph(operation) else None
        self.rows = [] if self.inner else shown.rows(operation)
        self.title = [(self.name, 600), (self.kind, 400)] if shown.names and self.name != self.kind else [(self.kind, 600)]
        weights = getattr(operation, "weights", ())
        self.colour = INPUT if isinstance(operation, InputLayer) else NESTED if isinstance(operation, GraphModel) else WEIGHTED if weights else PLAIN
        heading = sum(_width(text, TITLE, weight) for text, weight in self.title) + 8 * (len(self.title) - 1)
        if self.inner:
            self.width = max(self.inner.width + 2 * PAD * self.inner.down, heading + 2 * PAD)
            self.height = self.inner.height + HEADER + 2 * PAD * (not self.inner.down)
        else:
            self.width = max([heading, *(_width(row, ROW) for row in self.rows)]) + 2 * PAD + 4
            self.height = 2 * 7 + 17 + 16 * len(self.rows)
        parameters = sum(v.size for v in weights)
        self.about = f"{self.name} ({self.kind})" + (f", {parameters:,} parameters" if parameters else "")

    def label(self) -> str:
        """The box's label in the language of Graphviz."""
        (first, _), *rest = self.title
        rows = [f"<b>{escape(first)}</b>" + "".join(f" ({escape(text)})" for text, _ in rest), *map(escape, self.rows)]
        cells = "".join(f"<tr><td>{row}</td></tr>" for row in rows)
        return f'{self.key} [label=<<table border="0" cellborder="1" cellspacing="0" cellpadding="6">{cells}</table>>];'

    def draw(self, x: float, y: float) -> str:
        """The box in SVG, with its middle there."""
        left, top, w, h = x - self.width / 2, y - self.height / 2, self.width, self.height
        size = f'x="{left:.1f}" y="{top:.1f}" width="{w:.1f}" height="{h:.1f}" rx="6"'
        parts = [f"<title>{escape(self.about)}</title>"]
        if self.inner:
            parts.append(f'<rect {size} fill="{self.colour}" fill-opacity=".05" stroke="{self.colour}" stroke-opacity=".7"/>')
            strip = f"M{left:.1f} {top + HEADER:.1f}v{6 - HEADER}q0-6 6-6h{w - 12:.1f}q6 0 6 6v{HEADER - 6}z"
            parts.append(f'<path d="{strip}" fill="{self.colour}" fill-opacity=".12"/>')
        else:
            parts.append(f'<rect {size} fill="currentColor" fill-opacity=".04" stroke="currentColor" stroke-opacity=".35"/>')
            parts.append(f'<path d="M{left + 5:.1f} {top + 7:.1f}V{top + h - 7:.1f}" stroke="{self.colour}" stroke-width="4" stroke-linecap="round"/>')
        at, base = left + PAD + (0 if self.inner else 4), top + (18 if self.inner else 20)
        styles = ("", ' dx="8" fill-opacity=".65"')
        spans = [f'<tspan font-weight="{weight}"{style}>{escape(text)}</tspan>' for (text, weight), style in zip(self.title, styles, strict=False)]
        parts.append(f'<text x="{at:.1f}" y="{base:.1f}" font-size="{TITLE}">{"".join(spans)}</text>')
        for i, row in enumerate(self.rows, 1):
            parts.append(f'<text x="{left + PAD + 4:.1f}" y="{base + 16 * i:.1f}" font-size="{ROW}" fill-opacity=".8">{escape(row)}</text>')
        if self.inner:
            down = top + HEADER + PAD * (not self.inner.down)
            parts.append(f'<g transform="translate({x - self.inner.width / 2:.1f} {down:.1f})">{self.inner.draw()}</g>')
        return f"<g>{''.join(parts)}</g>"


class Port:
    """Where a line enters or leaves a frame: nothing is drawn."""

    width, height, inner, operation, about = 1.0, 1.0, None, None, ""

    def draw(self, x: float, y: float) -> str:
        """Nothing."""
        return ""


class Picture:
    """The boxes of a model and the lines between them, each in its place.

    Args:
        model: The model.
        shown: What is shown.
        framed: Whether it is drawn within the box of the model, from and to whose sides lines run.
    """

    def __init__(self, model: Any, shown: Shown, framed: bool = False):
        self.model, self.shown, self.down = model, shown, shown.direction in ("TB", "BT")
        graph = _is_graph(model)  # of others the call is code, of which only what it holds is known
        entries, outputs, order = (zip(model.inputs, model._entries, strict=True), model.outputs, model._order) if graph else ((), (), ())
        self.ports = (len(model.inputs), len(outputs)) if framed else (0, 0)
        boxes = [Box(operation, shown) for operation in (model.operations if graph else [model])]
        self.boxes: list[Any] = [*(Port() for _ in range(self.ports[0])), *boxes, *(Port() for _ in range(self.ports[1]))]
        self.at = {id(box.operation): place for place, box in enumerate(boxes, self.ports[0])}
        self.entries = [(x, self.at[id(entry.operation)]) for x, entry in entries]
        pairs = dict.fromkeys((*self._source(x), self.at[id(node.operation)], i) for node in order for i, x in enumerate(node.inputs))
        pairs |= dict.fromkeys((i, 0, place, 0) for i, (_, place) in enumerate(self.entries[: self.ports[0]]))
        pairs |= dict.fromkeys((*self._source(x), len(self.boxes) - self.ports[1] + i, 0) for i, x in enumerate(outputs[: self.ports[1]]))
        made = dict.fromkeys((a, b, self._shift(a, i, 1), self._shift(b, j, 0)) for a, i, b, j in pairs)  # one for several between two places
        self.sources, self.lines = list(pairs), [Line(*ends) for ends in made]
        sizes = [(box.width, box.height) if self.down else (box.height, box.width) for box in self.boxes]
        self.middles, across, self.along = arrange(sizes, self.lines, *self.ports)
        self.across = max([across, *(self.middles[i][0] + sizes[i][0] / 2 + 22 for i, j, *_ in made if i == j)])
        self.width, self.height = (self.across, self.along) if self.down else (self.along, self.across)

    def _source(self, x: Any) -> tuple[int, int]:
        """The box that a symbolic tensor comes from, and which of its outputs it is."""
        return next(((place, 0) for entry, place in self.entries if entry is x), None) or (self.at[id(x.node.operation)], x.index)

    def _shift(self, place: int, index: int, side: int) -> float:
        """How far from the middle of a box a line begins (side 1) or ends (side 0)."""
        inner = self.boxes[place].inner
        if inner is None:
            return 0.0
        port = (len(inner.boxes) - inner.ports[1]) * side + min(index, inner.ports[side] - 1)
        return inner.middles[port][0] - inner.across / 2 + (0.0 if self.down else HEADER / 2)

    # ---- Graphviz ----
    def statements(self) -> Iterator[str]:
        """The picture in the language of Graphviz, whose own lines go from box to box."""
        for box in self.boxes[self.ports[0] : len(self.boxes) - self.ports[1]]:
            if box.inner:
                yield f'subgraph "cluster_{box.key}" {{ label="{escape(box.name)}";'
                yield from box.inner.statements()
                yield "}"
            else:
                yield box.label()
        yield from (f"{self._end(a, i, 1)} -> {self._end(b, j, 0)};" for a, i, b, j in self.sources if self.boxes[a].operation and self.boxes[b].operation)

    def _end(self, place: int, index: int, side: int) -> str:
        """The innermost box at an end of a line."""
        box = self.boxes[place]
        if box.inner is None:
            return box.key
        at = min(index, box.inner.ports[side] - 1)
        return box.inner._end(*(box.inner._source(box.operation.outputs[at]) if side else (box.inner.entries[at][1], 0)), side)

    # ---- SVG ----
    def point(self, x: float, y: float) -> tuple[float, float]:
        """A point of the layout, which runs downward, in the picture."""
        y = y if self.shown.direction in ("TB", "LR") else self.along - y
        return (x, y) if self.down else (y, x)

    def draw(self) -> str:
        """The lines and the boxes."""
        lines = "".join(self._line(line) for line in self.lines)
        boxes = "".join(box.draw(*self.point(*middle)) for box, middle in zip(self.boxes, self.middles, strict=True))
        return f'<g fill="none" stroke="currentColor" stroke-opacity=".55" stroke-width="1.3">{lines}</g>{boxes}'

    def _line(self, line: Line) -> str:
        """A line and its head."""
        if line.source == line.target:  # a layer on its own output
            (x, y), box = self.middles[line.source], self.boxes[line.source]
            side, half = (x + box.width / 2, box.height / 4) if self.down else (x + box.height / 2, box.width / 4)
            commands = [("M", [(side, y + half)]), ("C", [(side + 18, y + half), (side + 18, y - half), (side, y - half)])]
            head = [(side, y - half), (side + 6, y - half - 3), (side + 6, y - half + 3)]
        else:
            (x, y), commands = line.points[-1], self._commands(line)
            back = y - 6 if y < self.middles[line.target][1] else y + 6
            head = [(x, y), (x - 3, back), (x + 3, back)]
        pointed = f'<path d="{self._path([("M", head)])}z" fill="currentColor" fill-opacity=".8" stroke="none"/>'
        return f'<path d="{self._path(commands)}"/>' + (pointed if self.boxes[line.target].operation else "")

    def _path(self, commands: list[tuple[str, list[tuple[float, float]]]]) -> str:
        return "".join(letter + " ".join("{:.1f} {:.1f}".format(*self.point(*p)) for p in points) for letter, points in commands)

    def _commands(self, line: Line) -> list[tuple[str, list[tuple[float, float]]]]:
        """A line as the commands of a path."""
        commands = [("M", line.points[:1])]
        for bend, a, b in zip(line.bends, line.points[1::2], line.points[2::2], strict=False):
            (x, y), (u, v) = a, b
            commands.append(("L", [a]))
            if abs(u - x) < 0.5 or self.shown.splines in ("polyline", "line"):
                commands.append(("L", [b]))
            elif self.shown.splines == "ortho":
                turn = min(7.0, abs(u - x) / 2, abs(bend - y), abs(v - bend))
                across, along = math.copysign(turn, u - x), math.copysign(turn, v - y)
                commands += [("L", [(x, bend - along)]), ("Q", [(x, bend), (x + across, bend)])]
                commands += [("L", [(u - across, bend)]), ("Q", [(u, bend), (u, bend + along)]), ("L", [b])]
            else:
                commands.append(("C", [(x, (y + v) / 2), (u, (y + v) / 2), b]))
        return [*commands, ("L", line.points[-1:])]

    def svg(self, alone: bool = False, paper: bool = False) -> str:
        """The picture; `alone` with colours of its own, dark where the reader's are, for `paper` dark on light; else with those of the page around it."""
        width, height = self.width + 2 * PAD, self.height + 2 * PAD
        frame = f'xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width:.0f} {height:.0f}" width="{width:.0f}" height="{height:.0f}"'
        text = f'font-family="{FONTS}" fill="currentColor"' + (' color="#222"' if paper else ' style="max-width:100%;height:auto"')
        style = f"<style>{ALONE}</style>" if alone else ""
        about = escape(f"Model {self.model.name}: " + ", ".join(box.about for box in self.boxes if box.about)[:500])
        return f'<svg {frame} {text} role="img" aria-label="{about}">{style}<g transform="translate({PAD} {PAD})">{self.draw()}</g></svg>'

    # ---- HTML ----
    def html(self) -> str:
        """The picture, and below it those of the models in it, to be opened."""
        inner = [box.operation for box in self.boxes if _is_graph(box.operation) and not box.inner]
        return self.svg() + "".join(f"<details><summary>{escape(_named(model))}</summary>{Picture(model, self.shown).html()}</details>" for model in inner)

    def page(self) -> str:
        """The picture as a page of its own."""
        style = f"body{{font-family:system-ui,sans-serif;margin:2em}}details{{margin:1em}}{ALONE.replace('svg{', 'body{')}"
        title = escape(_named(self.model))
        return f'<!doctype html><html lang="en"><meta charset="utf-8"><title>{title}</title><style>{style}</style><h1>{title}</h1>{self.html()}</html>\n'


_FAMILIES = ("Arial", "Liberation Sans", "DejaVu Sans", "Noto Sans", "Open Sans", "Ubuntu", "Cantarell", "Roboto")  # the first that there is, in PNG
FONTS = "Helvetica,Arial,'Liberation Sans',sans-serif"  # which are equally wide; others stay within what `_width` says
_NARROW, _WIDE = set("fijlrtI.,:;'|!()[]{} "), set("mwMW@%—…")


def _width(text: str, size: float, weight: int = 400) -> float:
    """About how wide a text is."""
    units = sum(0.36 if c in _NARROW else 0.9 if c in _WIDE else 0.7 if c.isupper() else 1.0 if ord(c) > 0x2E7F else 0.6 for c in text)
    return units * size * (1.06 if weight > 400 else 1.0)


def _is_graph(model: Any) -> bool:
    return isinstance(model, GraphModel) and model.inputs is not None


def _named(model: Any) -> str:
    return f"{model.name} ({type(model).__name__})"
