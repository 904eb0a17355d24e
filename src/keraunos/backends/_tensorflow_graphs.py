"""TensorFlow, imported without its chatter: its tensors, gradients, programs and loops."""

# What engines take is wider than what their annotations say.
# pyright: reportArgumentType=false, reportCallIssue=false, reportAttributeAccessIssue=false
from __future__ import annotations

import contextlib
import functools
import os
import sys
import tempfile
import threading
from typing import Any

import numpy as np
import optree

from keraunos.backends import _foreign
from keraunos.core.errors import ArgumentTypeError


@contextlib.contextmanager
def without_chatter():
    """A block in which what libraries write to the process's error stream is passed on without their notes on the machine."""
    sys.stderr.flush()
    former = os.dup(2)
    with tempfile.TemporaryFile() as held:
        os.dup2(held.fileno(), 2)
        try:
            yield
        finally:
            os.dup2(former, 2)
            os.close(former)
            held.seek(0)
            lines = held.read().decode(errors="replace").splitlines(keepends=True)
            sys.stderr.write("".join(line for line in lines if not line.startswith(("I0000", "W0000", "E0000", "WARNING: All log messages before"))))


os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
os.environ.setdefault("TF_FORCE_GPU_ALLOW_GROWTH", "true")  # other engines of the process need memory as well
with without_chatter():
    import tensorflow as tf

    tf.constant(0)  # which looks for devices

EAGER = type(tf.constant(0))  # the class of tensors that have values
threads = threading.local()


# ---- tensors ----
@functools.cache
def on_cpu() -> bool:
    return not tf.config.list_physical_devices("GPU")


def array(x: Any, dtype: str | None = None) -> tf.Tensor:
    x = tf.convert_to_tensor(x) if isinstance(x, tf.IndexedSlices) else x  # what a tape gives for a variable that was looked up in
    if isinstance(x, tf.Tensor):
        return cast(x, dtype) if dtype else x
    x, dtype = _foreign.prepared(x, dtype)
    x = np.asarray(x, "int32" if x.__class__ is int and dtype == "int32" else None)  # which tells of numbers that are too large
    return tf.constant(x.astype(tf.as_dtype(dtype).as_numpy_dtype) if dtype and x.dtype.name != dtype else x)


def cast(x: Any, dtype: str) -> tf.Tensor:
    if not isinstance(x, tf.Tensor):
        return array(x, dtype)
    to = tf.as_dtype(dtype)
    return tf.cast(tf.math.real(x) if x.dtype.is_complex and not to.is_complex else x, to)


# ---- functions: gradients, programs, loops ----
def differentiate(fn: Any, values: Any) -> Any:
    with tf.GradientTape() as tape:
        tape.watch(values)
        loss, aux = fn(values)
        if not isinstance(loss, tf.Tensor):
            loss = array(loss)
    if loss.shape.rank:
        fact = "Only a scalar has gradients."
        raise ArgumentTypeError(fact, where="value_and_grad", received=f"a tensor of shape {tuple(loss.shape)}", fix="sum or average it")
    gradients = tape.gradient(loss, values, unconnected_gradients="zero")
    return (loss, aux), [tf.convert_to_tensor(g) for g in gradients]


def parted(structure: Any) -> tuple[list[tf.Tensor], Any]:
    """The tensors of a structure, and what puts others in their place."""
    leaves, form = optree.tree_flatten(structure, none_is_leaf=True)
    places = [i for i, x in enumerate(leaves) if isinstance(x, (tf.Tensor, tf.IndexedSlices))]

    def restored(tensors: Any) -> Any:
        new = list(leaves)
        for i, x in zip(places, tensors, strict=True):
            new[i] = x
        return optree.tree_unflatten(form, new)

    tensors = [tf.convert_to_tensor(leaves[i]) for i in places]
    for i in places:
        leaves[i] = None
    return tensors, restored


def compile(fn: Any, donate: bool = False, jit_compile: Any = None) -> Any:
    """`fn` as one graph for each set of shapes and dtypes.

    By itself XLA compiles what changes its state, as steps of training do: it fuses what is small. On CPUs convolutions are left to
    TensorFlow's own kernels, which are several times faster there.
    """
    programs: dict[Any, Any] = {}

    def run(*args: Any) -> Any:
        leaves, form = optree.tree_flatten(args, none_is_leaf=True)
        leaves = [x if isinstance(x, tf.Tensor) or x is None or isinstance(x, str) else array(x) for x in leaves]
        tensors = [x for x in leaves if isinstance(x, tf.Tensor)]
        if not tf.executing_eagerly():
            return fn(*args)
        key = form, *[(x._shape_tuple(), x.dtype) if isinstance(x, tf.Tensor) else x for x in leaves]
        found = programs.get(key)
        if found is None:
            found = programs[key] = _Program(fn, leaves, form, jit_compile, donate)
        return found(tensors)

    return run


class _Program:
    """A function for arguments of one form.

    Args:
        fn: The function.
        leaves: Its arguments, flat.
        form: The form of the arguments.
        jit_compile: Whether XLA compiles it; None leaves that open.
        donate: Whether it changes its state.
    """

    def __init__(self, fn: Any, leaves: list[Any], form: Any, jit_compile: bool | None, donate: bool):
        specs = [tf.TensorSpec(x.shape, x.dtype) for x in leaves if isinstance(x, tf.Tensor)]

        def flat(*tensors: Any) -> list[Any]:
            given = iter(tensors)
            args = optree.tree_unflatten(form, [next(given) if isinstance(x, tf.Tensor) else x for x in leaves])
            out, self.restored = parted(fn(*args))
            return out

        threads.windows = False
        plain = tf.function(flat, autograph=False, jit_compile=jit_compile or None).get_concrete_function(*specs)
        leaves = [None if isinstance(x, tf.Tensor) else x for x in leaves]
        self.plain = self.call = _flat_call(plain)
        self.tried = True
        if jit_compile is None and donate and not (threads.windows and on_cpu()):
            fused = tf.function(lambda *tensors: plain(*tensors), autograph=False, jit_compile=True)
            self.call, self.tried = _flat_call(fused.get_concrete_function(*specs)), False

    def __call__(self, tensors: list[tf.Tensor]) -> Any:
        try:
            out = self.call(tensors)
        except (tf.errors.InvalidArgumentError, tf.errors.UnimplementedError):
            if self.tried:
                raise
            self.call = self.plain  # XLA does not have every op
            out = self.call(tensors)
        self.tried = True
        return self.restored(out)


def _flat_call(function: Any) -> Any:
    """A concrete function as one of a list of tensors. Its public call takes several times as long, with the parts of arguments' names."""
    captured = list(function.captured_inputs)
    inner = getattr(getattr(function, "_inference_function", None), "call_flat", None)
    if inner is None:
        return lambda tensors: function(*tensors)
    return lambda tensors: inner(*tensors, *captured)


def abstract(fn: Any, shapes: list[tuple[int, ...]], specs_dtypes: list[str]) -> Any:
    found = []

    def run(*tensors: Any) -> tuple[()]:
        found.append(fn(*tensors))
        return ()

    tf.function(run, autograph=False).get_concrete_function(*(tf.TensorSpec(s, d) for s, d in zip(shapes, specs_dtypes, strict=True)))
    return found[-1]


def cond(pred: Any, true_fn: Any, false_fn: Any) -> Any:
    forms = []

    def flat(fn: Any) -> Any:
        def run() -> list[tf.Tensor]:
            out, restored = parted(fn())
            forms.append(restored)
            return [*out, tf.constant(0)]  # TensorFlow wants something

        return run

    out = tf.cond(tf.cast(pred, tf.bool), flat(true_fn), flat(false_fn))
    return forms[-1](out[:-1])


def while_loop(goes_on: Any, body: Any, variables: Any) -> Any:
    start, restored = parted(tuple(variables))
    out = tf.while_loop(lambda *xs: tf.cast(goes_on(*restored(xs)), tf.bool), lambda *xs: parted(tuple(body(*restored(xs))))[0], start)
    return restored(out)


def scan(f: Any, init: Any, xs: Any, count: int | None, reverse: bool, unroll: Any) -> Any:
    state, restored = parted(init)
    whole, of_row = parted(xs)
    steps = tf.shape(whole[0])[0] if count is None else count
    form: list[Any] = []

    def step(state: Any, row: Any) -> tuple[list[tf.Tensor], list[tf.Tensor]]:
        carry, y = f(restored(state), of_row(row))
        out, as_y = parted(y)
        form[:] = [as_y]
        return parted(carry)[0], out

    if getattr(threads, "without_lists", False):
        state, made = _joined(step, state, whole, steps, reverse)
        return restored(state), form[0](made)
    kinds = [(x.shape, x.dtype) for x in state], [(x.shape[1:], x.dtype) for x in whole]
    first, second = (len(k) for k in kinds)
    specs = [spec for k in kinds for spec in k]
    _, ys = abstract(lambda *a: step(a[:first], a[first : first + second]), *map(list, zip(*specs, strict=True))) if specs else step([], [])
    held = [tf.TensorArray(x.dtype, steps, element_shape=x.shape[1:]).unstack(x) for x in whole]
    made = [tf.TensorArray(y.dtype, steps, element_shape=y.shape) for y in ys]

    def body(i: Any, state: Any, made: Any) -> Any:
        at = steps - 1 - i if reverse else i
        state, out = step(state, [x.read(at) for x in held])
        return i + 1, state, [m.write(at, y) for m, y in zip(made, out, strict=True)]

    _, state, made = tf.while_loop(lambda i, *_: i < steps, body, (tf.constant(0), state, made), maximum_iterations=steps)
    return restored(state), form[0]([m.stack() for m in made])


@contextlib.contextmanager
def without_lists() -> Any:
    """A block in which loops are traced without lists of tensors: LiteRT has none of tensors of a size that is not known."""
    threads.without_lists = True
    try:
        yield
    finally:
        threads.without_lists = False


def _joined(step: Any, state: Any, rows: Any, steps: Any, reverse: bool) -> Any:
    """`scan`'s loop, which puts each result behind the others, or in reverse before them; the first step stands by itself, for the results' sizes."""

    def row(i: Any) -> list[tf.Tensor]:
        return [x[steps - 1 - i if reverse else i] for x in rows]

    def body(i: Any, state: Any, made: Any) -> Any:
        state, out = step(state, row(i))
        return i + 1, state, [tf.concat([y[None], m] if reverse else [m, y[None]], 0) for m, y in zip(made, out, strict=True)]

    state, first = step(state, row(0))
    shapes = tf.TensorShape([]), [x.shape for x in state], [tf.TensorShape([None, *y.shape]) for y in first]
    return tf.while_loop(lambda i, *_: i < steps, body, (tf.constant(1), state, [y[None] for y in first]), shapes)[1:]


def repeat(fn: Any, state: Any, xs: Any) -> Any:
    return scan(fn, state, xs, xs.shape[0], False, 1)


def custom_gradient(f: Any, args: Any) -> Any:
    return tf.custom_gradient(f)(*args)


def remat(fn: Any) -> Any:
    def run(*args: tf.Tensor) -> Any:
        form: list[Any] = []

        def flat(*tensors: tf.Tensor) -> list[tf.Tensor]:
            out, restored = parted(fn(*tensors))
            form[:] = [restored]
            return out

        graph = tf.function(flat, autograph=False).get_concrete_function(*(tf.TensorSpec(x.shape, x.dtype) for x in args))
        outside = list(graph.captured_inputs)  # such as the values of variables

        def call(tensors: Any) -> Any:
            return graph._call_flat(list(tensors[: len(args)]), list(tensors[len(args) :]))

        @tf.custom_gradient
        def again(*tensors: tf.Tensor) -> Any:
            def gradients(*upstream: Any) -> Any:
                places = [i for i, x in enumerate(upstream) if x is not None]  # integers have none
                above = [upstream[i] for i in places]
                with tf.control_dependencies(above), tf.GradientTape() as tape:  # so that it is not taken for the first run
                    given = [tf.identity(x) for x in tensors]
                    tape.watch(given)
                    out = call(given)
                return tape.gradient([out[i] for i in places], given, output_gradients=above, unconnected_gradients="zero")

            return call(tensors), gradients

        return form[0](again(*args, *outside))

    return run
