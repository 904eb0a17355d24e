"""The rows for elementwise ops, reductions, shaping, creation and linear algebra."""

from __future__ import annotations

import math
from functools import partial

import numpy as np

from tests.conformance.case import FLOATS, NUMBERS, Case

PAIR = ((2, 3), (3,))
ERF = np.vectorize(math.erf, otypes=[float])
A, B, C = (2, 3), (3, 4), (2, 3, 4)
INDICES = np.array([[0, 2], [-1, 1]], "int32")
MASK = np.array([True, False, True])


def _by_index(key):
    return lambda x, *more: x[key(*more) if callable(key) else key]


def _softly(x, axis=None, keepdims=False):
    return np.log(np.sum(np.exp(x), axis, keepdims=keepdims))


def _slice(x, start, shape):
    return x[tuple(slice(int(s), int(s) + n) for s, n in zip(start, shape, strict=True))]


def _update(x, updates, start):
    out = x.copy()
    out[tuple(slice(s, s + n) for s, n in zip(start, updates.shape, strict=True))] = updates
    return out


def _unary(names, dtypes=FLOATS, **options):
    return [Case(n, getattr(np, n), ((2, 3),), dtypes, **options) for n in names.split()]


def _binary(names, dtypes=NUMBERS, **options):
    return [Case(n, getattr(np, n), PAIR, dtypes, **options) for n in names.split()]


ELEMENTWISE = [
    *_unary("exp expm1 sin cos tan sinh cosh tanh arctan arcsinh", low=-1.2, high=1.2),
    *_unary("log log2 log10 log1p sqrt", low=0.5, high=4),
    *_unary("arcsin arccos arctanh", low=-0.9, high=0.9),
    *_unary("arccosh", low=1.5, high=4),
    *_unary("floor ceil", grad=False),
    *_unary("square negative absolute sign", (*FLOATS, "int8"), low=0.3),
    *_unary("isnan isinf isfinite", grad=False),
    *_unary("logical_not", NUMBERS, grad=False),
    Case("square", lambda x: np.square(x), dtypes=("bool", "uint8")),
    Case("absolute", np.abs, dtypes=("bool",)),
    Case("reciprocal", lambda x: 1 / x, dtypes=FLOATS, low=1, high=3),
    Case("rsqrt", lambda x: 1 / np.sqrt(x), dtypes=FLOATS, low=0.5, high=3),
    Case("round", np.round, dtypes=("float32", "float16", "int32"), grad=False),
    Case("round", np.round, kwargs={"decimals": 1}, grad=False),
    Case("erf", ERF, dtypes=FLOATS),
    Case("erfinv", lambda x: _inverse(ERF, x), low=-0.95, high=0.95, dtypes=("float32",), tolerance=4),
    Case("erfinv", lambda x: np.array([-np.inf, 0, np.inf]), (np.array([-1, 0, 1], "float32"),), grad=False),
    Case("sigmoid", lambda x: 1 / (1 + np.exp(-x)), dtypes=FLOATS, low=-8, high=8),
    Case("nan_to_num", np.nan_to_num, (np.array([1, np.nan, 3], "float32"),), grad=False),
    Case(
        "nan_to_num",
        lambda x, **k: np.array([1.0, 2.0, 3.0]),
        (np.array([np.inf, -np.inf, np.nan], "float32"),),
        kwargs={"nan": 3.0, "posinf": 1.0, "neginf": 2.0},
        grad=False,
    ),
    *_binary("add multiply maximum minimum"),
    *_binary("subtract", FLOATS),
    *_binary("true_divide", (*FLOATS, "uint8"), low=1, high=4),
    *_binary("floor_divide mod", ("float32", "int32", "uint8"), low=1, high=5, grad=False),
    Case("mod", np.mod, PAIR, low=-5, high=-1),
    *_binary("power", ("float32", "float16", "int32", "uint8"), low=1, high=3, tolerance=4),
    *_binary("arctan2 logaddexp", FLOATS, low=0.5),
    *_binary("equal not_equal less less_equal greater greater_equal logical_and logical_or logical_xor", NUMBERS, grad=False),
    *[
        Case(n, lambda x, x2, n=n: getattr(np, n)(x, x2), kwargs={"x2": 1.5}, low=0.3)
        for n in "add maximum minimum power true_divide logaddexp arctan2".split()
    ],
    *[
        Case(n, lambda x, x2, n=n: getattr(np, n)(x, x2), kwargs={"x2": 1}, dtypes=("int32", "uint8", "bool", "bfloat16"), grad=False)
        for n in "add subtract maximum equal".split()
    ],
    Case("divide_no_nan", lambda a, b: np.where(b == 0, 0, a / np.where(b == 0, 1, b)), ((3,), np.array([0, 2, 4], "float32")), grad=False),
    *[Case("divide_no_nan", lambda x, d: x * 0 if d == 0 else x / d, args=(d,), dtypes=FLOATS) for d in (2.0, 0)],
    Case("clip", np.clip, args=(-1, 1), dtypes=FLOATS),
    Case("clip", lambda x, x_min, x_max: np.clip(x, x_min, x_max), args=(None, 0.5)),
    Case("clip", np.clip, ((2, 3), np.full(3, -1, "float32"), np.full(3, 1, "float32"))),
    Case("where", np.where, (np.array([True, False, True]), (2, 3), (3,)), NUMBERS),
    Case("where", lambda c, x, x2: np.where(c, x, x2), (np.array([True, False, True]), (2, 3)), FLOATS, kwargs={"x2": 0}),
    Case("where", lambda c: tuple(np.nonzero(c)), (np.array([[True, False], [False, True]]),), grad=False),
    Case("cast", lambda x, dtype: x, args=("float16",), grad=False, tolerance=4),
    Case("cast", lambda x, dtype: x != 0, args=("bool",), dtypes=("int32",), grad=False),
    Case("stop_gradient", lambda variable: variable, dtypes=NUMBERS, grad=False),
]


def _inverse(function, y, low=-6.0, high=6.0):
    low, high = np.full(np.shape(y), low), np.full(np.shape(y), high)
    for _ in range(80):
        middle = (low + high) / 2
        above = function(middle) > y
        low, high = np.where(above, low, middle), np.where(above, middle, high)
    return (low + high) / 2


def _reductions(name, reference, dtypes, **options):
    rows = [Case(name, reference, (C,), dtypes, **options)]
    return rows + [Case(name, reference, (C,), kwargs=k, **options) for k in ({"axis": 1}, {"axis": (0, -1), "keepdims": True}, {"keepdims": True})]


REDUCTIONS = [
    *_reductions("sum", np.sum, NUMBERS, high=5, low=1),
    *_reductions("mean", np.mean, (*FLOATS, "uint8", "bool")),
    *_reductions("prod", np.prod, ("float32", "int32"), low=0.7, high=1.4),
    *_reductions("max", np.max, NUMBERS),
    *_reductions("min", np.min, NUMBERS),
    *_reductions("any", np.any, NUMBERS, grad=False),
    *_reductions("all", np.all, NUMBERS, grad=False),
    *_reductions("var", np.var, FLOATS),
    *_reductions("std", np.std, FLOATS, low=0, high=6),
    *_reductions("logsumexp", _softly, FLOATS),
    Case("logsumexp", lambda x: np.float64(-np.inf), (np.full(3, -np.inf, "float32"),), grad=False),
    Case("prod", lambda x, dtype: np.prod(x), kwargs={"dtype": "float64"}, dtypes=("int32",), grad=False, low=1),
    Case("max", lambda x, initial: np.max(x, initial=initial), (C,), kwargs={"initial": 7.0}),
    Case("min", lambda x, axis, initial: np.min(x, axis, initial=initial), (C,), kwargs={"axis": 1, "initial": -7.0}),
    *[
        Case(n, getattr(np, n), (C,), ("float32", "int32", "bool"), kwargs=k, grad=False)
        for n in ("argmax", "argmin")
        for k in ({}, {"axis": 1}, {"axis": -1, "keepdims": True})
    ],
    *[
        Case(n, getattr(np, n), ((2, 5),), ("float32", "bfloat16", "int32", "bool"), kwargs=k, low=0.5, tolerance=2)
        for n in ("cumsum", "cumprod")
        for k in ({}, {"axis": 1})
    ],
    Case("cumsum", lambda x, axis, dtype: np.cumsum(x, axis), kwargs={"axis": 0, "dtype": "float16"}, grad=False),
    Case("count_nonzero", np.count_nonzero, (C,), NUMBERS, grad=False),
    Case("count_nonzero", np.count_nonzero, (C,), ("int32",), kwargs={"axis": (0, 1)}, grad=False),
    Case("average", np.average, (C,), FLOATS),
    Case("average", np.average, (C,), kwargs={"axis": 1, "weights": np.array([1, 2, 3], "float32")}),
    Case("average", np.average, (A,), kwargs={"weights": np.array([[1, 2, 3], [4, 5, 6]], "float32")}),
    *[Case("sort", np.sort, ((3, 4),), ("float32", "bfloat16", "int32", "bool"), kwargs=k) for k in ({}, {"axis": 0}, {"axis": None})],
    *[Case("argsort", partial(np.argsort, kind="stable"), ((3, 4),), ("float32", "int32"), kwargs=k, grad=False) for k in ({}, {"axis": 0}, {"axis": None})],
]

SHAPING = [
    *[Case("reshape", np.reshape, (C,), NUMBERS if s == (6, 4) else ("float32",), args=(s,)) for s in ((6, 4), (-1, 3), -1, (4, 1, -1))],
    *[Case("transpose", np.transpose, (C,), kwargs=k) for k in ({}, {"axes": (1, 0, 2)}, {"axes": [-1, 0, 1]})],
    *[Case("expand_dims", np.expand_dims, (A,), args=(a,)) for a in (0, -1, (0, 2))],
    Case("squeeze", np.squeeze, ((2, 1, 3, 1),), known=(1, 3)),
    *[Case("squeeze", np.squeeze, ((2, 1, 3, 1),), args=(a,)) for a in (1, -1, (1, 3))],
    *[Case("broadcast_to", np.broadcast_to, ((2, 1, 3),), args=(s,)) for s in ((2, 4, 3), (5, 2, 1, 3))],
    Case("ravel", np.ravel, (C,)),
    Case("swapaxes", np.swapaxes, (C,), args=(0, -1)),
    Case("moveaxis", np.moveaxis, (C,), args=(0, -1)),
    Case("moveaxis", np.moveaxis, (C,), args=((0, 1), (2, 0))),
    *[Case("flip", np.flip, (C,), kwargs=k) for k in ({}, {"axis": 1}, {"axis": [0, -1]})],
    *[Case("roll", np.roll, (A,), args=a) for a in ((1,), (-2, 1), ((1, 2), (0, 1)), (1, (0, 1)))],
    *[Case("concatenate", np.concatenate, (A, (2, 1)), NUMBERS, listed=True, kwargs={"axis": a}) for a in (1, -1)],
    Case("concatenate", np.concatenate, (A, A, (1, 3)), listed=True),
    *[Case("stack", np.stack, (A, A), NUMBERS, listed=True, kwargs={"axis": a}) for a in (0, 1, -1)],
    *[Case("unstack", lambda x, axis=0: [np.take(x, i, axis) for i in range(x.shape[axis])], (A,), kwargs={"axis": a}, known=(a % 2,)) for a in (0, 1, -1)],
    *[Case("split", np.split, ((4, 6),), args=a) for a in ((2,), (3, 1), ([1, 3],), ((2, 5), -1))],
    *[Case("repeat", np.repeat, (A,), args=a) for a in ((2,), (3, 1), ((1, 2), 0), ([2, 0, 1], -1))],
    *[Case("tile", np.tile, (A,), args=(r,)) for r in (2, (2, 1), (3, 1, 2))],
    *[
        Case("pad", lambda x, w, mode="constant": np.pad(x, w, mode), ((3, 4),), kwargs={"mode": m} if m else {}, args=(w,))
        for w in (1, (1, 2), ((0, 2), (1, 1)))
        for m in (None, "reflect", "edge")
    ],
    *[Case("pad", lambda x, w, mode: np.pad(x, w, mode), ((3, 4),), kwargs={"mode": m}, args=(2,)) for m in ("symmetric", "wrap")],
    Case(
        "pad", lambda x, w, constant_values: np.pad(x, w, constant_values=constant_values), (A,), ("float32", "int32"), kwargs={"constant_values": 7}, args=(1,)
    ),
    Case("pad_constant", lambda x, w, v: np.pad(x, w, constant_values=v), (A,), ("float32", "bfloat16"), args=([(1, 0), (0, 2)], 3)),
    *[Case("diff", np.diff, ((3, 4),), ("float32", "int32", "bool"), kwargs=k) for k in ({}, {"axis": 0}, {"n": 2})],
    *[
        Case("get_item", _by_index(k), ((3, 4, 5),), args=(k,))
        for k in (
            0,
            -1,
            slice(1, None),
            slice(None, None, -1),
            (0, 1),
            (slice(None), 2),
            (..., 0),
            (None, 1, ..., None),
            (slice(0, 3, 2), slice(-2, None)),
            (slice(None), slice(3, 0, -2), 1),
            [0, 2],
            (slice(None), [0, 2]),
            (0, slice(None), [1, 2]),
            ([0, 1], [1, 2]),
            (1, [0, 1]),
            ([[0, 1]], slice(None), [[1], [2]]),
            (..., [1, 0]),
        )
    ],
    Case("get_item", lambda x, i: x[i], ((3, 4), INDICES), NUMBERS),
    Case("get_item", lambda x, m: x[m], ((3, 4), MASK), grad=False),
    *[Case("take", np.take, ((3, 4), INDICES), NUMBERS if k else ("float32",), kwargs=k) for k in ({}, {"axis": 0}, {"axis": -1})],
    Case("take", np.take, (C, np.array([1, 0], "int32")), kwargs={"axis": 1}),
    Case("take", np.take, ((3, 4), np.array(1, "int32")), kwargs={"axis": 1}),
    Case("take_along_axis", np.take_along_axis, ((2, 4), INDICES), ("float32", "int32"), kwargs={"axis": 1}),
    Case("take_along_axis", lambda x, i: np.take_along_axis(x, i, None), ((3, 4), np.array([5, -1], "int32"))),
    Case("slice", _slice, (C,), args=([0, 1, 2], (2, 1, 2))),
    Case("slice", _slice, (C, np.array([1, 0, 1], "int32")), args=((1, 3, 2),)),
    Case("slice_update", lambda x, start, u: _update(x, u, start), ((3, 4), np.array([1, 2], "int32"), np.ones((2, 2), "float32"))),
]

CREATION = [
    Case("full", np.full, (), args=((2, 3), 5), grad=False),
    Case("full", lambda s, v, dtype: np.full(s, v), (), args=(2, 5, "int32"), grad=False),
    *[Case(n, getattr(np, n), (), args=((2, 3),), grad=False) for n in ("zeros", "ones")],
    Case("empty", np.zeros, (), args=((2, 3),), grad=False),
    Case("empty_like", lambda x: x * 0, dtypes=NUMBERS, grad=False),
    *[Case(n, getattr(np, n), (A,), NUMBERS, grad=False) for n in ("zeros_like", "ones_like")],
    Case("full_like", lambda x, v: np.full_like(x, v), (A,), NUMBERS, args=(3,), grad=False),
    Case("ones_like", lambda x, dtype: np.ones_like(x), (A,), kwargs={"dtype": "int32"}, grad=False),
    *[Case("arange", np.arange, (), args=a, grad=False) for a in ((5,), (2, 7), (7, 2, -2), (0, 1, 0.25), (3.5,))],
    *[
        Case("linspace", lambda *a, **k: np.linspace(*a, **k), (), args=a, kwargs=k, grad=False)
        for a, k in (((0, 1, 5), {}), ((0.0, 3.0, 4), {"endpoint": False}), ((2, 2, 1), {}))
    ],
    Case("linspace", lambda a, b, num, axis: np.linspace(a, b, num, axis=axis), (A, A), args=(4,), kwargs={"axis": 1}),
    Case("linspace", lambda a, b, num, retstep: np.linspace(a, b, num, retstep=True), ((3,), (3,)), args=(4,), kwargs={"retstep": True}, grad=False),
    *[Case(n, getattr(np, n), (), args=a, grad=False) for n in ("eye", "tri") for a in ((3,), (2, 4), (3, 3, 1), (3, None, -1))],
    Case("identity", np.identity, (), args=(3,), grad=False),
    *[Case(n, getattr(np, n), (s,), ("float32", "int32", "bool"), kwargs=k) for n in ("tril", "triu") for s in ((3, 4), C) for k in ({}, {"k": 1}, {"k": -1})],
    *[Case("meshgrid", lambda *x, **k: list(np.meshgrid(*x, **k)), ((2,), (3,), (4,)), kwargs=k, grad=False) for k in ({}, {"indexing": "ij"})],
]

LINALG = [
    *[Case("matmul", np.matmul, s, FLOATS if s == (A, B) else ("float32",)) for s in ((A, B), ((3,), B), (A, (3,)), ((3,), (3,)), ((2, 1, 2, 3), (2, 3, 2)))],
    Case("matmul", np.matmul, (A, B), ("int8", "uint8"), high=5),
    *[Case("affine", lambda x, k, b: x @ k + b, s) for s in ((A, B, B[1:]), ((2, 2, 3), (3, 4), (4,)))],
    *[Case("tensordot", np.tensordot, s, ("float32", "int32"), args=(a,)) for s, a in ((((2, 3, 4), (3, 4, 2)), 2), ((A, B), 1), ((A, (2, 4)), ([0], [0])), ((A, (3,)), ([-1], [0])))],
    *[Case("dot", np.dot, s) for s in ((A, B), ((3,), (3,)), (A, (3,)), ((2, 3), (2, 3, 2)), ((), A))],
    *[Case("inner", np.inner, s) for s in ((A, (4, 3)), ((3,), (3,)), (A, ()))],
    Case("outer", lambda x, y: x.reshape(-1, 1) * y, (A,), ("float16", "int8"), args=(2,)),
    Case("vdot", np.vdot, (A, A)),
    *[Case("outer", np.outer, s, ("float32", "int32")) for s in (((3,), (4,)), (A, (2,)))],
    *[Case("einsum", np.einsum, shapes, FLOATS if s == "ij,jk->ik" else ("float32",), before=(s,)) for s, shapes in (
        ("ij,jk->ik", (A, B)), ("ij,jk", (A, B)), ("bij,jk->bik", (C, (4, 2))), ("ij->ji", (A,)), ("ij->", (A,)), ("...ij,...j->...i", (C, (2, 4))), ("ii->i", ((3, 3),)), ("i,i", ((3,), (3,))),
        ("ij,jk,kl->il", (A, B, (4, 2))),
    )],
    Case("einsum", np.einsum, (A, B), ("int8",), before=("ij,jk->ik",), high=5),
    *[Case("norm", np.linalg.norm, (s,), kwargs=k, low=0.5) for s, k in (
        (A, {}), (C, {}), (C, {"axis": 1}), ((5,), {"ord": 1}), ((5,), {"ord": math.inf}), ((5,), {"ord": -math.inf}), ((5,), {"ord": 3}), (C, {"ord": 2, "axis": 1, "keepdims": True}),
        (A, {"ord": "fro"}), (A, {"ord": 1}), (C, {"ord": math.inf, "axis": (0, 2)}), (C, {"ord": -1, "axis": (1, 2), "keepdims": True}),
    )],
    Case("norm", np.linalg.norm, ((5,),), FLOATS, kwargs={"ord": 0}, grad=False),
    *[Case("diagonal", np.diagonal, (C,), kwargs=k) for k in ({}, {"offset": 1}, {"offset": -1, "axis1": 1, "axis2": 2})],
    *[Case("trace", np.trace, (C,), ("float32", "int8", "bool"), kwargs=k) for k in ({}, {"offset": 1, "axis1": 1, "axis2": 2})],
    *[Case("diag", np.diag, (s,), kwargs=k) for s in ((3,), (3, 4)) for k in ({}, {"k": 1}, {"k": -2})],
]  # fmt: skip


CASES = [*ELEMENTWISE, *REDUCTIONS, *SHAPING, *CREATION, *LINALG]
