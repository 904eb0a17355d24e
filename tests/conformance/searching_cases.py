"""The rows for order, places in sorted sequences, sets and histograms."""

from __future__ import annotations

import numpy as np

from tests.conformance.case import Case

MIXED = np.array([[3, 1, 3], [2, 1, 2]], "int32")
HOLES = np.array([2, np.nan, 1, np.nan, -0.0, 0.0], "float32")
LADDER = np.array([1, 2, 2, 3.5], "float32")
VALUES = np.array([[2, 0, np.nan], [9, 3.5, 1]], "float32")
WHICH = np.array([[True, False, True], [False, False, True]])
CONDITIONS = [[True, False, False], [True, True, False]]
ALL = {"return_index": True, "return_inverse": True, "return_counts": True}


def _unique(x, axis=None, size=None, fill_value=None, **which):
    values, starts, inverse, counts = np.unique(x, return_index=True, return_inverse=True, return_counts=True, axis=axis, equal_nan=False)
    inverse = inverse.reshape(x.shape if axis is None else -1)
    if size is not None:
        more = max(size - len(counts), 0)
        first = np.take(values, [0], axis or 0) if len(counts) else np.zeros(1)
        filler = first if fill_value is None else np.full_like(first, fill_value)
        values = np.concatenate([values, *[filler] * more], axis or 0).take(range(size), axis or 0)
        starts = np.concatenate([starts, [starts[0] if len(counts) else 0] * more])[:size]
        counts = np.concatenate([counts, [0] * more])[:size]
    out = [values, *[x for name, x in (("index", starts), ("inverse", inverse), ("counts", counts)) if which.get(f"return_{name}")]]
    return out if len(out) > 1 else values


def _bincount(x, weights=None, minlength=0):
    if x.ndim == 1:
        return np.bincount(x, weights, minlength)
    length = max(int(x.max()) + 1, minlength)
    return np.stack([np.bincount(row, None if weights is None else weights[i], length) for i, row in enumerate(x)])


def _select(conditions, choices, default=0):
    return np.select([np.asarray(c) for c in conditions], choices, default)


def _unravel(indices, shape):
    indices = np.where(indices < 0, indices + np.prod(shape), indices)
    return np.unravel_index(np.clip(indices, 0, np.prod(shape) - 1), shape)


ORDER = [
    Case("argpartition", lambda x, kth, axis=-1: np.argsort(x, axis, kind="stable"), ((2, 5),), ("float32", "uint8"), args=(2,), grad=False),
    Case("argpartition", lambda x, kth, axis: np.argsort(x, axis, kind="stable"), ((3, 2),), args=(-1,), kwargs={"axis": None}, grad=False),
    *[Case("searchsorted", np.searchsorted, (LADDER, VALUES), kwargs={"side": side}, grad=False) for side in ("left", "right")],
    Case("searchsorted", np.searchsorted, (np.array([1, 3, 5], "uint8"), np.array([2.5, 5], "float16")), grad=False),
    Case("searchsorted", np.searchsorted, (np.array([False, True]), np.array(True)), kwargs={"side": "right"}, grad=False, compiles=False),
    Case("searchsorted", np.searchsorted, (np.zeros(0, "float32"), VALUES), grad=False),
    Case("digitize", np.digitize, (VALUES, LADDER), grad=False),
    Case("digitize", np.digitize, (VALUES, LADDER[::-1].copy()), grad=False),
    Case("digitize", np.digitize, (np.array([0, 3], "int32"), np.array([1, 3], "int32")), grad=False),
    Case("digitize", np.digitize, (VALUES, LADDER[:0]), grad=False),
    Case("nonzero", np.nonzero, (np.array([[1, 0, np.nan], [0, -2, 0]], "float32"),), grad=False, compiles=False),
    Case("select", _select, [(2, 3), (3,)], ("float32", "bfloat16", "int32", "bool"), {"default": 5}, before=(CONDITIONS,), listed=True),
    Case("select", _select, [(2, 1)], before=(CONDITIONS[:1],), listed=True),
    Case("nonzero", np.nonzero, (WHICH,), grad=False, compiles=False),
    Case("unravel_index", _unravel, (np.array([[5, -1], [0, 11]], "int32"),), args=((3, 2, 2),), grad=False),
    Case("unravel_index", _unravel, (np.array([200, 3], "uint8"),), args=((100, 3),), grad=False),
    Case("unravel_index", lambda i, shape: (i,), (np.array(3, "int64"),), args=(5,), grad=False),
]

SETS = [
    *[Case("isin", np.isin, ((2, 3), (4,)), ("int32", "uint8", "bool", "bfloat16"), {"invert": invert}, grad=False) for invert in (False, True)],
    Case("isin", np.isin, (HOLES, VALUES), kwargs={"assume_unique": False}, grad=False),
    Case("isin", np.isin, (MIXED, np.array([1.5, 3], "float32")), grad=False),
    Case("isin", np.isin, (MIXED, np.zeros(0, "int32")), grad=False),
    Case("unique", _unique, (MIXED,), grad=False, compiles=False),
    Case("unique", _unique, (MIXED.astype("uint8"),), kwargs=ALL, grad=False, compiles=False),
    Case("unique", _unique, (HOLES,), kwargs={**ALL, "sorted": False}, grad=False, compiles=False),
    Case("unique", _unique, (MIXED,), kwargs={**ALL, "axis": -1}, grad=False, compiles=False, known=(0,)),
    Case("unique", _unique, (MIXED.T[[0, 1, 0, 2]],), kwargs={**ALL, "axis": 0, "size": 4}, grad=False, known=(1,)),
    Case("unique", _unique, (MIXED,), kwargs={**ALL, "axis": 1, "size": 3, "fill_value": 7}, grad=False, known=(0,)),
    *[Case("unique", _unique, (MIXED,), kwargs={**ALL, "size": size, "fill_value": fill}, grad=False) for size, fill in ((2, None), (5, None), (5, -1))],
    Case("unique", _unique, (np.array(3, "int32"),), kwargs=ALL, grad=False, compiles=False),
    Case("unique", _unique, (np.zeros(0, "float32"),), kwargs={**ALL, "size": 2}, grad=False),
    Case("unique", _unique, (np.array([True, False, True]),), kwargs=ALL, grad=False, compiles=False),
]

COUNTS = [
    Case("bincount", _bincount, (np.array([1, 2, 2, 5], "uint8"),), kwargs={"minlength": 3}, grad=False, compiles=False),
    Case("bincount", _bincount, (np.array([1, 2, 2], "int32"), (3,)), ("float32", "bfloat16", "int32"), {"minlength": 5}, compiles=False),
    Case("bincount", _bincount, (np.array([[1, 2], [4, 1]], "int32"),), grad=False, compiles=False),
    Case("bincount", _bincount, (np.array([[1, 2], [0, 0]], "int32"), (2, 2)), compiles=False),
    Case("bincount", _bincount, (np.zeros(0, "int32"),), grad=False, compiles=False),
    Case("histogram", np.histogram, ((9,),), ("float32", "float16"), {"bins": 4}, grad=False),
    Case("histogram", np.histogram, (MIXED[0],), kwargs={"bins": 3, "range": (1, 2)}, grad=False),
    Case("histogram", np.histogram, (np.array([2, 2], "float32"),), kwargs={"bins": 3}, grad=False),
    Case("histogram", np.histogram, (np.zeros(0, "float32"),), kwargs={"bins": 2}, grad=False),
]

CASES = [*ORDER, *SETS, *COUNTS]
