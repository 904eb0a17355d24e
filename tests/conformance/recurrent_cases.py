"""The rows for recurrent networks over whole sequences, which engines may fuse."""

from __future__ import annotations

import numpy as np

import keraunos.ops.recurrent  # noqa: F401  # not among the public ops
from tests.conformance.case import Case

MASK = np.array([[1, 1, 0, 0], [0, 1, 0, 1], [0, 0, 0, 0]], bool)  # padded, with gaps, and nothing at all


def _sigmoid(x):
    return 1 / (1 + np.exp(-x))


def _through(step, x, states, mask=None, zero_output_for_mask=False, return_sequences=True):
    """The last output of `step`, which is the first of its states, all outputs or that one, and the last states; masked steps change nothing."""
    outputs = []
    for i in range(x.shape[1]):
        new = step(x[:, i], *states)
        live = np.ones((len(x), 1), bool) if mask is None else mask[:, i, None] > 0
        states = [np.where(live, a, b) for a, b in zip(new, states, strict=True)]
        outputs.append(states[0] * live if zero_output_for_mask else states[0])
    return outputs[-1], np.stack(outputs, 1) if return_sequences else outputs[-1][:, None], *states


def _simple_rnn(x, kernel, recurrent, bias, h, noise=None, mask=None, **options):
    def step(x, h):
        return (np.tanh(x @ kernel + bias + (h if noise is None else h * noise) @ recurrent),)

    return _through(step, x, [h], mask, **options)


def _lstm(x, kernel, recurrent, bias, h, c, noise=None, mask=None, **options):
    def step(x, h, c):
        i, f, g, o = np.split(x @ kernel + bias + (h if noise is None else h * noise) @ recurrent, 4, -1)
        c = _sigmoid(f) * c + _sigmoid(i) * np.tanh(g)
        return _sigmoid(o) * np.tanh(c), c

    return _through(step, x, [h, c], mask, **options)


def _gru(x, kernel, recurrent, bias, h, noise=None, mask=None, reset_after=True, **options):
    def step(x, h):
        given, units = h if noise is None else h * noise, h.shape[1]
        z, r, n = np.split(x @ kernel + (bias[0] if reset_after else bias), 3, -1)
        if reset_after:
            uz, ur, un = np.split(given @ recurrent + bias[1], 3, -1)
            z, r = _sigmoid(z + uz), _sigmoid(r + ur)
            n = np.tanh(n + r * un)
        else:
            uz, ur = np.split(given @ recurrent[:, : 2 * units], 2, -1)
            z, r = _sigmoid(z + uz), _sigmoid(r + ur)
            n = np.tanh(n + (r * given) @ recurrent[:, 2 * units :])
        return (z * h + (1 - z) * n,)

    return _through(step, x, [h], mask, **options)


def _shapes(gates, states, bias=None):
    return (3, 4, 2), (2, 2 * gates), (2, 2 * gates), bias or (2 * gates,), *[(3, 2)] * states


KNOWN = tuple(range(2, 20))  # all but the batch and the steps
CASES = [
    Case("simple_rnn", _simple_rnn, _shapes(1, 1), ("float32", "float64"), known=KNOWN),
    Case("simple_rnn", _simple_rnn, (*_shapes(1, 1), (3, 2), MASK), kwargs={"return_sequences": False}, known=KNOWN),
    Case("lstm", _lstm, _shapes(4, 2), ("float32", "float64"), known=KNOWN),
    Case("lstm", _lstm, _shapes(4, 2), kwargs={"mask": MASK, "zero_output_for_mask": True}, known=KNOWN),
    Case("lstm", _lstm, (*_shapes(4, 2), (3, 2)), kwargs={"return_sequences": False}, known=KNOWN),
    Case("gru", _gru, _shapes(3, 1, (2, 6)), ("float32", "float64"), known=KNOWN),
    Case("gru", _gru, _shapes(3, 1, (2, 6)), kwargs={"mask": MASK}, known=KNOWN),
    Case("gru", _gru, (*_shapes(3, 1), (3, 2), MASK), kwargs={"reset_after": False}, known=KNOWN),
]
