"""ONNX's operators for recurrent networks: what a loop would compute for whole sequences, which runtimes have kernels for."""

# What engines take is wider than what their annotations say.
# pyright: reportArgumentType=false, reportCallIssue=false, reportAttributeAccessIssue=false
from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from keraunos.backends._onnx_graph import Value, emit, squeezed
from keraunos.backends._tracing import dtype_of, ops
from keraunos.core.spec import OPERATORS

__all__ = ["gru", "lstm", "simple_rnn"]
_FUNCTIONS = {"tanh": "Tanh", "sigmoid": "Sigmoid", "softsign": "Softsign", "softplus": "Softplus"}


def _functions(*given: Any) -> list[Any] | None:
    """ONNX's names of functions; None if it has not all of them."""
    names = [next((own for name, own in _FUNCTIONS.items() if f is OPERATORS[name]), None) for f in given]
    return None if None in names else names


def _is_zero(x: Any) -> bool:
    return x.filled == 0 if isinstance(x, Value) else not np.any(x)


def _run(
    type: str, x: Any, weights: Sequence[Any], bias: Sequence[Any] | None, states: Sequence[Any], functions: Any, return_sequences: bool = True,
    zero_output_for_mask: bool = False, unroll: bool = False, **attributes: Any,
) -> Any:  # fmt: skip
    """The last output, the outputs (or it alone) and the last states; weights and biases are lists of the gates' in ONNX's order."""
    dtype, units = dtype_of(x), weights[1][0].shape[0]
    inner = "float64" if dtype == "float64" else "float32"
    w, r = (ops.expand_dims(ops.transpose(ops.concatenate(list(part), 1)), 0) for part in weights)
    b = None if bias is None else ops.expand_dims(ops.concatenate(list(bias), 0), 0)
    first = [None if _is_zero(s) else ops.expand_dims(s, 0) for s in states]
    given = [ops.transpose(x, (1, 0, 2)), w, r, b, None, *first]
    while given[-1] is None:
        given.pop()
    given = [None if g is None else ops.cast(g, inner) for g in given]
    steps, batch = x.shape[1], x.shape[0]
    found = emit(type, *given, to=[inner] * (1 + len(states)), hidden_size=units, activations=functions, **attributes)
    found[0].shape = (steps, 1, batch, units)
    for s in found[1:]:
        s.shape = (1, batch, units)
    last = [ops.cast(squeezed(s, [0]), dtype) for s in found[1:]]
    outputs = ops.cast(ops.transpose(squeezed(found[0], [1]), (1, 0, 2)), dtype) if return_sequences else ops.expand_dims(last[0], 1)
    return last[0], outputs, *last


def _is_fusible(x: Any, noise: Any, mask: Any, fused: Any, unroll: bool = False, **_: Any) -> bool:
    """Whether the operators can take it; where steps are to be unrolled, they are, which runtimes without these operators need."""
    return isinstance(x, Value) and noise is None and mask is None and fused is not False and not unroll and x.shape[1] != 0


def _parts(x: Any, count: int, order: Sequence[int]) -> list[Any]:
    """The gates' parts of a kernel or bias, in another order."""
    parts = ops.split(x, count, -1)
    return [parts[i] for i in order]


def simple_rnn(x, kernel, recurrent_kernel, bias, h, noise=None, mask=None, activation=None, fused="auto", **options):
    functions = _functions(activation)
    if functions is None or not _is_fusible(x, noise, mask, fused, **options):
        return NotImplemented
    biases = None if bias is None else [bias, np.zeros_like(bias)]
    return _run("RNN", x, ([kernel], [recurrent_kernel]), biases, [h], functions, **options)


def lstm(x, kernel, recurrent_kernel, bias, h, c, noise=None, mask=None, activation=None, gate=None, fused="auto", joined=False, **options):
    functions = _functions(gate, activation, activation)
    if functions is None or not _is_fusible(x, noise, mask, fused, **options):
        return NotImplemented
    order = 0, 3, 1, 2  # theirs: input, output, forget, new values
    weights = [_parts(k, 4, order) for k in (kernel, recurrent_kernel)]
    biases = None if bias is None else [*_parts(bias, 4, order), np.zeros_like(bias)]
    return _run("LSTM", x, weights, biases, [h, c], functions, **options)


def gru(x, kernel, recurrent_kernel, bias, h, noise=None, mask=None, activation=None, gate=None, reset_after=True, fused="auto", **options):
    functions = _functions(gate, activation)
    if functions is None or not _is_fusible(x, noise, mask, fused, **options):
        return NotImplemented
    biases = None if bias is None else ops.unstack(bias, 2) if reset_after else [bias, np.zeros_like(bias)]
    return _run("GRU", x, ([kernel], [recurrent_kernel]), biases, [h], functions, linear_before_reset=int(reset_after), **options)
