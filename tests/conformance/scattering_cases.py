"""The rows for scattered updates and segments."""

from __future__ import annotations

import math

import numpy as np

from tests.conformance.case import FLOATS, Case

COMBINED = {"add": np.add, "mul": np.multiply, "max": np.maximum, "min": np.minimum}
DTYPES = (*FLOATS, "uint8", "bool")
PLACES = np.array([0, 3, 0, -1, 7], "int32")
APART = np.array([2, 0, -5], "int32")
DEEP = np.array([[1, -1], [0, 0], [1, 2], [5, 0]], "int32")
SINGLE = np.array([[1, -1], [0, 0], [1, 0], [5, 0]], "int32")  # which of several updates of one place stays is not said
ROWS = np.array([[[1], [-3]], [[1], [3]]], "int8")
IDS = np.array([2, 0, 2, -1, 9], "int32")
START = {"add": (0, False), "mul": (1, True), "max": (-math.inf, False), "min": (math.inf, True)}  # of numbers and of bools


def _written(out, places, updates, reduction):
    for place, update in zip(places, updates, strict=True):
        if 0 <= place < len(out):
            out[place] = update if reduction is None else COMBINED[reduction](out[place], update)
    return out


def _rows(x, places, updates, reduction=None):
    return _written(x.copy(), places, updates, reduction)


def _update(inputs, indices, updates, reduction=None):
    out, depth = inputs.copy(), indices.shape[-1]
    sizes = inputs.shape[:depth]
    updates = np.broadcast_to(updates, indices.shape[:-1] + inputs.shape[depth:])
    for i in np.ndindex(*indices.shape[:-1]):
        at = tuple(int(a) for a in indices[i])
        if all(-n <= a < n for a, n in zip(at, sizes, strict=True)):
            out[at] = updates[i] if reduction is None else COMBINED[reduction](out[at], updates[i])
    return out


def _scatter(indices, values, shape):
    return _update(np.zeros(shape, values.dtype), indices, values, "add")


def _segments(reduction, dtype=None):
    def reference(data, segment_ids, num_segments, sorted=False):
        kind, (least, truth) = np.dtype(dtype or data.dtype), START[reduction]
        if math.isinf(least) and kind.kind in "iu":
            info = np.iinfo(kind)
            least = info.min if least < 0 else info.max
        start = np.full((num_segments, *data.shape[1:]), truth if kind.kind == "b" else least, kind)
        return _written(start, segment_ids, data, reduction)

    return reference


def _counted(reduction):
    return lambda data, ids: _segments(reduction)(data, ids, int(max(ids)) + 1)


CASES = [
    *[Case("scatter_rows", _rows, ((4, 2), PLACES, (5, 2)), DTYPES[:-1], {"reduction": r}) for r in COMBINED],
    Case("scatter_rows", _rows, ((4,), PLACES, (5,)), kwargs={"reduction": "mul"}),
    Case("scatter_rows", _rows, ((3, 2), APART, (3, 2)), DTYPES),
    Case("scatter_rows", _rows, ((2,), np.zeros(0, "int32"), (0,)), kwargs={"reduction": "max"}, grad=False),
    *[Case("scatter_update", _update, ((2, 3), DEEP if r else SINGLE, (4,)), DTYPES, {"reduction": r}, grad=bool(r), known=(3,)) for r in (None, *COMBINED)],
    Case("scatter_update", _update, ((4, 2), ROWS, (2, 2, 2)), kwargs={"reduction": "add"}, known=(4,)),
    Case("scatter_update", _update, ((4, 2), ROWS[1], (2,)), known=(3,)),
    Case("scatter_update", _update, ((4,), ROWS[1]), args=(3.0,), known=(2,)),
    Case("scatter", _scatter, (DEEP, (4,)), (*FLOATS, "bool"), {"shape": (2, 3)}, known=(1,)),
    Case("scatter", _scatter, (np.array([[2], [0], [2]], "int64"), (3, 2)), kwargs={"shape": (3, 2)}, known=(1,)),
    *[
        Case(f"segment_{name}", _segments(reduction), ((5, 2), IDS), ("float32", "bfloat16", "bool"), {"num_segments": 4}, grad=False)
        for name, reduction in (("sum", "add"), ("prod", "mul"), ("max", "max"), ("min", "min"))
    ],
    *[
        Case(
            f"segment_{name}",
            _segments(reduction, dtype),
            (np.array([[3], [4], [5], [6], [7]], dtype), IDS),
            kwargs={"num_segments": 3, "sorted": True},
            grad=False,
        )
        for name, reduction in (("sum", "add"), ("prod", "mul"), ("max", "max"), ("min", "min"))
        for dtype in ("int32", "uint8")
    ],
    *[
        Case(f"segment_{name}", _counted(reduction), ((3, 2), np.array([1, 0, 1], "int32")), compiles=False)
        for name, reduction in (("sum", "add"), ("prod", "mul"), ("max", "max"), ("min", "min"))
    ],
    Case("segment_sum", _segments("add"), ((0, 2), np.zeros(0, "int32")), kwargs={"num_segments": 2}, grad=False),
]
