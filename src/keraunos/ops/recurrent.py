"""Recurrent networks over whole sequences: the loop, and the usual cells, which engines may fuse.

They are for the layers, not among the public names. The inputs of all steps are projected at once, before the loop.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from keraunos.core import tree
from keraunos.core.errors import BackendError
from keraunos.core.op import Operand, Tensor
from keraunos.core.spec import Spec
from keraunos.ops.control import scan
from keraunos.ops.creation import zeros_like
from keraunos.ops.elementwise import add, cast, multiply, sigmoid, subtract, tanh, where
from keraunos.ops.products import affine, matmul
from keraunos.ops.rules import Floating, declare
from keraunos.ops.shaping import concatenate, expand_dims, get_item, reshape, shape, split, swapaxes, unstack

Function = Callable[[Any], Any]
State = Any  # a tensor or a structure of them


def first(states: State) -> Any:
    """The first tensor of a structure."""
    return tree.flatten(states)[0]


def _kept(live: Any, new: State, old: State) -> State:
    """`new` where a sample's step is `live`, else `old`; None is live everywhere."""
    if live is None:
        return new
    return tree.map_structure(lambda a, b: where(expand_dims(live, tuple(range(1, len(a.shape)))), a, b), new, old)


def recur(
    step: Callable[[Any, State], tuple[Any, State]], x: Any, states: State, mask: Any = None, start: Any = None, unroll: bool = False,
    zero_output_for_mask: bool = False, return_sequences: bool = True, before: Function | None = None,
) -> tuple[Any, Any, State]:  # fmt: skip
    """Go through the steps of sequences; where a step is masked, the states stay, and the output is repeated.

    Args:
        step: A function of one step of `x` and the states that gives an output and the next states.
        x: The sequences, a tensor `(batch, steps, …)` or a structure of them.
        states: The first states.
        mask: Which steps count, `(batch, steps)`.
        start: What stands for the output before the first step; None if the output is the first of the states.
        unroll: Whether compiled code has each step by itself, in place of a loop; the number of steps must be known then.
        zero_output_for_mask: Whether the output of masked steps is 0.
        return_sequences: Whether the outputs of all steps are wanted, or that of the last alone.
        before: What is done with `x`, all steps at once, before the loop; the steps are its first axis then.

    Returns:
        The last output, the outputs `(batch, steps, …)`, of which there is the last alone if no others are wanted, and the last states.
    """
    x = tree.map_structure(lambda a: swapaxes(a, 0, 1), x)
    rows = x if before is None else before(x), None if mask is None else swapaxes(cast(mask, "bool"), 0, 1)
    zero = zero_output_for_mask and mask is not None

    def advance(carry: Any, row: Any) -> tuple[Any, Any]:
        previous, states = carry
        x, live = row
        output, new = step(x, states)
        new = _kept(live, new, states)
        if zero:
            output = _kept(live, output, tree.map_structure(zeros_like, output))
        elif start is None:
            output = first(new)
        else:
            output = _kept(live, output, previous)
        return (None if previous is None else output, new), output if return_sequences else None

    carried = first(states) if start is None and zero else start
    (last, states), found = scan(advance, (carried, states), rows, unroll=unroll)
    last = first(states) if last is None else last
    return last, (tree.map_structure(lambda a: swapaxes(a, 0, 1), found) if return_sequences else expand_dims(last, 1)), states


def at_once(function: Callable[..., Any], *xs: Any) -> Any:
    """`function` of all steps of sequences, as if they were samples of one batch; None stays None."""
    batch, steps = shape(xs[0])[:2]
    out = function(*(x if x is None else reshape(x, (-1, *shape(x)[2:])) for x in xs))
    first = -1 if isinstance(steps, int) and not isinstance(batch, int) else batch
    return tree.map_structure(lambda y: reshape(y, (first, steps, *shape(y)[1:])), out)


# ---- one step of the usual cells, for inputs that are projected already ----
def _dropped(h: Any, noise: Any) -> Any:
    return h if noise is None else multiply(h, noise)


def simple_rnn_step(x: Any, h: Any, recurrent_kernel: Any, noise: Any = None, activation: Function = tanh) -> Any:
    """The next state of a fully connected network."""
    return activation(add(x, matmul(_dropped(h, noise), recurrent_kernel)))


def gated(z: Any, c: Any, activation: Function = tanh, gate: Function = sigmoid, axis: int = -1) -> tuple[Any, Any]:
    """The next state and cell state of an LSTM, from what its gates are made of and the cell state."""
    enters, stays, new, leaves = split(z, 4, axis)
    c = add(multiply(gate(stays), c), multiply(gate(enters), activation(new)))
    return multiply(gate(leaves), activation(c)), c


def lstm_step(x: Any, h: Any, c: Any, recurrent_kernel: Any, noise: Any = None, activation: Function = tanh, gate: Function = sigmoid) -> tuple[Any, Any]:
    """The next state and cell state of an LSTM."""
    return gated(add(x, matmul(_dropped(h, noise), recurrent_kernel)), c, activation, gate)


def gru_step(
    x: Any, h: Any, recurrent_kernel: Any, recurrent_bias: Any = None, noise: Any = None, activation: Function = tanh, gate: Function = sigmoid,
    reset_after: bool = True,
) -> Any:  # fmt: skip
    """The next state of a GRU; with `reset_after` the reset gate acts behind the recurrent product, as cuDNN has it."""
    (x_z, x_r, x_h), given = split(x, 3, -1), _dropped(h, noise)
    if reset_after:
        h_z, h_r, h_h = split(project(given, recurrent_kernel, recurrent_bias), 3, -1)
        z, r = gate(add(x_z, h_z)), gate(add(x_r, h_r))
        new = activation(add(x_h, multiply(r, h_h)))
    else:
        gates, units = recurrent_kernel, h.shape[-1]
        h_z, h_r = split(matmul(given, get_item(gates, (slice(None), slice(2 * units)))), 2, -1)
        z, r = gate(add(x_z, h_z)), gate(add(x_r, h_r))
        new = activation(add(x_h, matmul(multiply(r, given), get_item(gates, (slice(None), slice(2 * units, None))))))
    return add(multiply(z, h), multiply(subtract(1, z), new))


def project(x: Any, kernel: Any, bias: Any = None) -> Any:
    """`x @ kernel`, plus a bias if there is one."""
    return matmul(x, kernel) if bias is None else affine(x, kernel, bias)


# ---- whole sequences ----
def _only_fused(fused: Any, x: Any) -> None:
    """Raise where a fused kernel is asked for: a body is run for what engines have none for."""
    if fused is True and not isinstance(x, Spec):
        fix = "use_cudnn='auto', which takes a fused kernel wherever there is one"
        raise BackendError("use_cudnn=True: this engine has no fused kernel for these arguments, mask and dtype.", fix=fix)


def simple_rnn(
    x: Tensor, kernel: Tensor, recurrent_kernel: Tensor, bias: Tensor | None, h: Tensor, noise: Tensor = None, mask: Operand = None,
    activation: Function = tanh, fused: Any = "auto", **options: Any,
) -> tuple[Floating, Floating, Floating]:  # fmt: skip
    """`h = activation(x @ kernel + h @ recurrent_kernel + bias)` over the steps of `x`; returns the last output, the outputs and the last `h`.

    Args:
        x: `(batch, steps, features)`.
        kernel: `(features, units)`.
        recurrent_kernel: `(units, units)`.
        bias: `(units,)`, or None.
        h: The first state, `(batch, units)`.
        noise: What `h` is multiplied by before `recurrent_kernel`, for dropout.
        mask: Which steps count, `(batch, steps)`.
        activation: A function.
        fused: Whether an engine's fused kernel is taken: "auto", True (an error where there is none) or False.
        options: `unroll`, `zero_output_for_mask` and `return_sequences` of `recur`.
    """
    _only_fused(fused, x)

    def step(x: Any, h: Any) -> tuple[Any, Any]:
        h = simple_rnn_step(x, h, recurrent_kernel, noise, activation)
        return h, h

    return recur(step, x, h, mask, before=lambda x: project(x, kernel, bias), **options)


def lstm(
    x: Tensor, kernel: Tensor, recurrent_kernel: Tensor, bias: Tensor | None, h: Tensor, c: Tensor, noise: Tensor = None, mask: Operand = None,
    activation: Function = tanh, gate: Function = sigmoid, fused: Any = "auto", *, joined: bool = False, **options: Any,
) -> tuple[Floating, Floating, Floating, Floating]:  # fmt: skip
    """A long short-term memory over the steps of `x`; returns the last output, the outputs and the last `h` and `c`.

    The kernels hold the columns of the input gate, the forget gate, the new values and the output gate; the arguments are those of
    `simple_rnn`, with the cell state `c` and a function for the gates. Where it is `joined`, a step is one product of its input and state
    with both kernels.
    """
    _only_fused(fused, x)

    def step(x: Any, states: Any) -> tuple[Any, Any]:
        states = lstm_step(x, states[0], states[1], recurrent_kernel, noise, activation, gate)
        return states[0], states

    if joined:
        both = concatenate([kernel, recurrent_kernel], 0)

        def step(x: Any, states: Any) -> tuple[Any, Any]:
            states = gated(project(concatenate([x, _dropped(states[0], noise)], -1), both, bias), states[1], activation, gate)
            return states[0], states

    last, outputs, (h, c) = recur(step, x, (h, c), mask, before=None if joined else lambda x: project(x, kernel, bias), **options)
    return last, outputs, h, c


def gru(
    x: Tensor, kernel: Tensor, recurrent_kernel: Tensor, bias: Tensor | None, h: Tensor, noise: Tensor = None, mask: Operand = None,
    activation: Function = tanh, gate: Function = sigmoid, reset_after: bool = True, fused: Any = "auto", **options: Any,
) -> tuple[Floating, Floating, Floating]:  # fmt: skip
    """A gated recurrent unit over the steps of `x`; returns the last output, the outputs and the last `h`.

    The kernels hold the columns of the update gate, the reset gate and the new values; the arguments are those of `simple_rnn`, with
    a function for the gates. With `reset_after` the bias is `(2, 3 * units)`, for the inputs and for the state.
    """
    _only_fused(fused, x)
    of_x, of_h = unstack(bias, 2) if bias is not None and reset_after else (bias, None)

    def step(x: Any, h: Any) -> tuple[Any, Any]:
        h = gru_step(x, h, recurrent_kernel, of_h, noise, activation, gate, reset_after)
        return h, h

    return recur(step, x, h, mask, before=lambda x: project(x, kernel, of_x), **options)


declare(globals())
