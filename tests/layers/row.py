"""An example of a layer class, as each family's `*_rows.py` lists them."""

from __future__ import annotations

import importlib
import json
import math
from collections.abc import Callable
from typing import Any

import numpy as np

import keraunos
from keraunos import layers, ops
from keraunos.core.functional import Program


class Of:
    """An argument that is a layer, made anew for each: `Of("LSTMCell", 4)` is `layers.LSTMCell(4)`, or Keras's own."""

    def __init__(self, name: str, *args: Any, **kwargs: Any):
        self.name, self.args, self.kwargs = name, args, kwargs

    def __repr__(self) -> str:
        return f"{self.name}({', '.join([*map(str, self.args), *(f'{k}={v}' for k, v in self.kwargs.items())])})"


def made(value: Any, module: Any, **policy: Any) -> Any:
    """An argument's value, with the layers in it made of a module, in the dtype of the outer one where that is given."""
    if isinstance(value, Of):
        kwargs = {k: made(v, module, **policy) for k, v in value.kwargs.items()}
        return getattr(module, value.name)(*(made(v, module, **policy) for v in value.args), **{**policy, **kwargs})
    return [made(v, module, **policy) for v in value] if isinstance(value, list) else value


def of_a_batch(value: Any) -> bool:
    """Whether an option of a call is data: an array, or a list with one."""
    return any(isinstance(x, np.ndarray) for x in (value if isinstance(value, list) else [value]))


class Row:
    """An example of a layer class: its arguments, and the shapes of one batch of each of its inputs.

    Args:
        name: The class.
        shapes: The shape of each input.
        integers: How many integers an input is drawn of; 0 for floats.
        mask: Whether the call is given a mask of the first two axes.
        spread: Whether several inputs are arguments of their own, not one list.
        rest: Whether the inputs after the first are one list.
        call: Further keyword arguments of the call.
        random: Whether the output in training is drawn.
        peer: Whether Keras makes the same of the same arguments.
        fixed: Whether sizes within a sample must be known, without being a weight's.
        values: What the elements of the inputs are drawn of, strings or integers; a tuple has one such list for each input.
        whole: Whether the layer computes in integers alone.
        arguments: Those of the class.
    """

    def __init__(self, name: str, *shapes: tuple[int, ...], integers: int = 0, mask: bool = False, spread: bool = False, rest: bool = False,
                 call: dict[str, Any] | None = None, random: bool = False, peer: bool = True, fixed: bool = False, values: Any = None,
                 whole: bool = False, **arguments: Any):  # fmt: skip
        self.name, self.shapes, self.arguments, self.integers, self.masked = name, shapes, arguments, integers, mask
        self.spread, self.rest, self.call, self.random, self.peer, self.fixed = spread or rest, rest, call or {}, random, peer, fixed
        self.values, self.whole = values, whole

    def __repr__(self) -> str:
        arguments = ", ".join(f"{name}={getattr(value, '__name__', value)}" for name, value in self.arguments.items())
        call = "".join(f"+{k}" if of_a_batch(v) else f"+{k}={v}" for k, v in self.call.items())
        return f"{self.name}({arguments}){'+mask' * self.masked}{call}"

    def make(self, module: Any = layers, **more: Any) -> Any:
        """The layer, of Keraunos or of another module."""
        policy = {k: v for k, v in more.items() if k == "dtype"}
        return getattr(module, self.name)(**{k: made(v, module, **policy) for k, v in self.arguments.items()}, **more)

    @property
    def dtype(self) -> str:
        """Of the first input."""
        return self.dtypes()[0]

    def dtypes(self) -> list[str]:
        """Of the inputs."""
        if self.values is None:
            return ["int32" if self.integers else "float32"] * max(1, len(self.shapes))
        return ["string" if isinstance(of[0], str) else "int32" for of in self._choices()]

    def _choices(self) -> list[Any]:
        return list(self.values) if isinstance(self.values, tuple) else [self.values] * len(self.shapes)

    def arrays(self) -> list[Any]:
        """A batch of each input."""
        rng = np.random.default_rng(len(repr(self)))
        if self.values is not None:
            drawn = [rng.choice(of, shape) for of, shape in zip(self._choices(), self.shapes, strict=True)]
            return [x if x.dtype.kind == "U" else x.astype("int32") for x in drawn]
        draw = (lambda shape: rng.integers(0, self.integers, shape)) if self.integers else (lambda shape: rng.normal(size=shape))
        return [draw(shape).astype(self.dtype) for shape in self.shapes]

    def data(self) -> tuple[Any, ...]:
        """A batch, as the arguments of a call."""
        return self.structure(self.arrays())

    def options(self) -> dict[str, Any]:
        """The keyword arguments of a call."""
        mask = np.arange(np.prod(self.shapes[0][:2])).reshape(self.shapes[0][:2]) % 3 != 2
        return {**({"mask": mask} if self.masked else {}), **self.call}

    def structure(self, items: list[Any]) -> tuple[Any, ...]:
        """One thing for each input, as the arguments of a call."""
        if self.rest:
            return items[0], items[1:]
        return tuple(items) if self.spread or len(items) == 1 else (items,)

    def symbols(self, module: Any = keraunos, batch: Any = None) -> list[Any]:
        """Symbolic inputs for the row's shapes."""
        return [module.Input(shape[1:], dtype=dtype, batch_size=batch) for shape, dtype in zip(self.shapes, self.dtypes(), strict=True)]

    def used(self, layer: Any, **more: Any) -> Any:
        """What the layer gives for the row's batch."""
        return layer(*self.data(), **self.options(), **more)

    def used_on(self, layer: Any, symbols: list[Any]) -> Any:
        """What the layer gives for symbolic inputs; options that are arrays of a batch are left out."""
        settings = {name: value for name, value in self.call.items() if not of_a_batch(value)}
        return layer(*self.structure(symbols), **settings)

    def built(self, **more: Any) -> Any:
        """The layer, built for the row's shapes; on symbols, for which nothing is compiled."""
        layer = self.make(**more)
        self.used_on(layer, self.symbols(batch=self.shapes[0][0]))
        return layer

    def weights(self, layer: Any) -> list[Any]:
        """Values for the weights that differ from each other and from the initial ones: small for large kernels, positive for variances."""
        rng = np.random.default_rng(3)

        def draw(weight: Any) -> Any:
            if "int" in str(weight.dtype):
                return weight.numpy()
            size = rng.uniform(0.5, 1.5, weight.shape)
            signs = 1 if "variance" in weight.path or "stddev" in weight.path else rng.choice([-1.0, 1.0], weight.shape)
            return (size * signs / math.sqrt(max(1, math.prod(weight.shape[:-1])))).astype("float32")

        return [draw(w) for w in layer.weights]


def flat(x: Any) -> list[Any]:
    """The outputs of a layer of ours or of Keras's, as arrays."""
    return [np.asarray(ops.convert_to_numpy(a)) for a in keraunos.tree.flatten(x)]


def arrays(x: Any) -> Any:
    """The tensors in lists as NumPy's arrays."""
    return [arrays(part) for part in x] if isinstance(x, (list, tuple)) else np.asarray(ops.convert_to_numpy(x))


def at_once(engine: str, function: Callable[[], Any], variables: Any) -> Any:
    """What a function of variables gives: on JAX as one program, since each op by itself is compiled there too."""
    return (Program(function, variables) if engine == "jax" else function)()


def in_keras(function: Callable[[], Any], variables: Any) -> Any:
    """What a function of Keras's variables gives, likewise; they stay as they are."""
    jax, keras = (importlib.import_module(name) for name in ("jax", "keras"))

    def call(values: Any) -> Any:
        with keras.StatelessScope(state_mapping=list(zip(variables, values, strict=True))):
            return function()

    return arrays(jax.jit(call)([v.value for v in variables]))


def close(a: Any, b: Any, tolerance: float = 1e-5) -> None:
    """Whether arrays, or lists of them, are nearly equal."""
    if isinstance(a, (list, tuple)):
        assert len(a) == len(b)
        for one, other in zip(a, b, strict=True):
            close(one, other, tolerance)
        return
    assert np.shape(a) == np.shape(b)
    np.testing.assert_allclose(np.asarray(a, "float64"), np.asarray(b, "float64"), rtol=tolerance, atol=tolerance)


def through_json(config: dict[str, Any]) -> dict[str, Any]:
    """What a file keeps of a config."""
    return json.loads(json.dumps(config))
