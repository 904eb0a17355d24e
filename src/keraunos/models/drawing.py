"""Pictures of models, in the language of Graphviz, whose program draws them."""

from __future__ import annotations

import pathlib
import shutil
import subprocess
from collections.abc import Iterator
from html import escape
from typing import Any

from keraunos.core.errors import ArgumentError, ArgumentTypeError, BackendError, StateError, one_of
from keraunos.models.functional import GraphModel
from keraunos.models.model import Model


class Dot:
    """A picture in the language of Graphviz; notebooks show it where Graphviz is installed.

    Args:
        text: The description.
    """

    def __init__(self, text: str):
        self.text = text

    def to_string(self) -> str:
        """The description."""
        return self.text

    def create(self, format: str = "svg") -> bytes:
        """The picture in a format that Graphviz writes: "svg", "png", "pdf", …

        Raises:
            BackendError: Graphviz is not installed.
            ArgumentError: It does not know the format.
        """
        if format == "dot":
            return self.text.encode()
        if shutil.which("dot") is None:
            fix = "install it (apt install graphviz, brew install graphviz), or write to_file='model.dot'"
            raise BackendError("Pictures are drawn by Graphviz, whose program 'dot' is not installed.", where="plot_model", fix=fix)
        done = subprocess.run(["dot", f"-T{format}"], input=self.text.encode(), capture_output=True)
        if done.returncode:
            fact = f"Graphviz could not draw: {done.stderr.decode(errors='replace').strip()[:200]}"
            raise ArgumentError(fact, where="plot_model", received=f"format {format!r}", fix="to_file='model.svg'")
        return done.stdout

    def write(self, path: Any, format: str | None = None) -> None:
        """Write the picture to a file; the format is by its ending, unless it is given."""
        path = pathlib.Path(path).expanduser()
        path.write_bytes(self.create(format or path.suffix.removeprefix(".") or "png"))

    def _repr_svg_(self) -> str | None:
        return self.create("svg").decode() if shutil.which("dot") else None

    def __repr__(self) -> str:
        return f"<Dot of {len(self.text.splitlines())} lines>"


def plot_model(model: Any, to_file: Any = "model.png", show_shapes: bool = False, show_dtype: bool = False, show_layer_names: bool = False,
               rankdir: str = "TB", expand_nested: bool = False, dpi: int = 200, show_layer_activations: bool = False, show_trainable: bool = False,
               splines: str = "ortho", **kwargs: Any) -> Dot:  # fmt: skip
    """Draw a model to a file, by Graphviz, whose program has to be installed but for `.dot` files.

    Args:
        model: The model.
        to_file: The file, whose ending says the format: `.png`, `.svg`, `.pdf`, …; `.dot` for the description itself. None writes nothing.
        show_shapes: Whether the shapes of inputs and outputs are shown.
        show_dtype: Whether the dtypes of outputs are shown.
        show_layer_names: Whether the names of layers are shown, beside their classes.
        rankdir: "TB" from top to bottom, "LR" from left to right, or "BT", "RL".
        expand_nested: Whether models in it are drawn with their layers.
        dpi: Dots an inch.
        show_layer_activations: Whether activations are shown.
        show_trainable: Whether it is shown which layers are trained.
        splines: How lines run: "ortho", "curved", "polyline", "spline" or "line".

    Returns:
        The picture, which notebooks show.

    Raises:
        BackendError: Graphviz is not installed.
        StateError: The model is not built.

    Example:

    >>> import keraunos as keras, tempfile, os
    >>> model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(3)])
    >>> picture = plot_model(model, os.path.join(tempfile.mkdtemp(), "model.dot"), show_shapes=True)
    """
    picture = model_to_dot(model, show_shapes, show_dtype, show_layer_names, rankdir, expand_nested, dpi, False, show_layer_activations,
                           show_trainable, splines, **kwargs)  # fmt: skip
    if to_file is not None:
        picture.write(to_file)
    return picture


def model_to_dot(model: Any, show_shapes: bool = False, show_dtype: bool = False, show_layer_names: bool = True, rankdir: str = "TB",
                 expand_nested: bool = False, dpi: int = 200, subgraph: bool = False, show_layer_activations: bool = False,
                 show_trainable: bool = False, splines: str = "ortho", **kwargs: Any) -> Dot:  # fmt: skip
    """A picture of a model in the language of Graphviz, to be changed or drawn; the arguments are those of `plot_model`.

    Args:
        subgraph: Whether it is to be a part of another picture.

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
        fix = "begin it with keras.Input, or call it on data"
        raise StateError(f"The model '{model.name}' is not built.", where="plot_model", fix=fix)
    one_of("rankdir", rankdir, ("TB", "BT", "LR", "RL"), "plot_model")
    one_of("splines", splines, ("ortho", "curved", "polyline", "spline", "line"), "plot_model")
    shown = _Shown(show_shapes, show_dtype, show_layer_names, expand_nested, show_layer_activations, show_trainable)
    body = "\n".join(f"  {line}" for line in shown.lines(model))
    head = f'subgraph "cluster_{escape(model.name)}" {{' if subgraph else f"digraph {{\n  rankdir={rankdir}; dpi={dpi}; splines={splines};"
    return Dot(f'{head}\n  concentrate=true; node [shape=plain, fontname="Helvetica"];\n{body}\n}}\n')


class _Shown:
    """What is shown of a model: the boxes of its operations, and the lines between them."""

    def __init__(self, shapes: bool, dtypes: bool, names: bool, nested: bool, activations: bool, trainable: bool):
        self.shapes, self.dtypes, self.names, self.nested, self.activations, self.trainable = shapes, dtypes, names, nested, activations, trainable

    def lines(self, model: Any) -> Iterator[str]:
        """The statements of the picture of a model."""
        if not isinstance(model, GraphModel):  # its call is code, of which only what it holds is known
            yield self.box(model)
            return
        for operation in model.operations:
            if self.opens(operation):
                yield f'subgraph "cluster_{id(operation)}" {{ label="{escape(operation.name)}";'
                yield from self.lines(operation)
                yield "}"
            else:
                yield self.box(operation)
        for node in model._order:
            into = node.operation.inputs if self.opens(node.operation) else [None] * len(node.inputs)
            for x, inner in zip(node.inputs, into, strict=False):
                yield f"{self.source(x)} -> {id(node.operation) if inner is None else self.source(inner)};"

    def opens(self, operation: Any) -> bool:
        """Whether an operation is drawn as the model that it is."""
        return self.nested and isinstance(operation, GraphModel)

    def source(self, x: Any) -> int:
        """The box that a symbolic tensor comes from."""
        operation = x.node.operation
        return self.source(operation.outputs[x.index]) if self.opens(operation) else id(operation)

    def box(self, operation: Any) -> str:
        """The box of an operation."""
        kind = operation.op.__name__ if hasattr(operation, "op") else type(operation).__name__
        nodes = [node for node in operation.nodes if node.outputs]
        inputs, outputs = (nodes[0].inputs, nodes[0].outputs) if nodes else ([], [])
        rows = [f"<b>{escape(operation.name)}</b> ({escape(kind)})" if self.names else f"<b>{escape(kind)}</b>"]
        activation = getattr(operation, "activation", None)
        if self.activations and activation is not None:
            rows.append(f"Activation: {escape(getattr(activation, '__name__', None) or type(activation).__name__)}")
        if self.shapes:
            rows += [f"{name} shape: {_listed(x.shape for x in xs)}" for name, xs in (("Input", inputs), ("Output", outputs)) if xs]
        if self.dtypes and outputs:
            rows.append(f"Output dtype: {_listed(x.dtype for x in outputs)}")
        if self.trainable and getattr(operation, "weights", ()):
            rows.append(f"Trainable: {'Yes' if operation.trainable_weights else 'No'}")
        cells = "".join(f"<tr><td>{row}</td></tr>" for row in rows)
        return f'{id(operation)} [label=<<table border="0" cellborder="1" cellspacing="0" cellpadding="6">{cells}</table>>];'


def _listed(values: Any) -> str:
    return escape(", ".join(map(str, values)))
