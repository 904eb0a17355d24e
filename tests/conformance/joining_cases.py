"""The rows for joining, parting, turning and rearranging, and for products and curves of vectors."""

from __future__ import annotations

import numpy as np

from tests.conformance.case import FLOATS, NUMBERS, Case


def _joined(name):
    return lambda xs: getattr(np, name)(xs)


JOINING = [
    Case("append", np.append, ((2, 3), (2,)), NUMBERS),
    Case("append", np.append, ((2, 3), (2, 1)), kwargs={"axis": -1}),
    *[Case(name, _joined(name), shapes, ("float32", "int8"), listed=True) for name in ("hstack", "vstack", "dstack") for shapes in ([(3,)] * 2, [(2, 3)] * 2)],
    *[Case(name, _joined(name), [()] * 2, listed=True) for name in ("hstack", "vstack", "dstack")],
    Case("dstack", _joined("dstack"), [(2, 1, 3), (2, 1, 1)], listed=True),
    Case("hstack", _joined("hstack"), [(2, 1, 3), (2, 2, 3)], listed=True),
    Case("array_split", np.array_split, ((7, 2),), ("float32", "bool"), args=(3,)),
    Case("array_split", np.array_split, ((2, 3),), kwargs={"indices_or_sections": [1, 2], "axis": -1}),
    Case("array_split", np.array_split, ((2,),), args=(3,)),
    Case("hsplit", np.hsplit, ((2, 4),), args=(2,)),
    Case("hsplit", np.hsplit, ((4,),), args=([1, 3],)),
    Case("vsplit", np.vsplit, ((4, 2),), args=(2,)),
    Case("dsplit", np.dsplit, ((1, 2, 4),), args=([1],)),
    Case("copy", np.copy, ((2, 3),), NUMBERS),
]

TURNING = [
    Case("fliplr", np.fliplr, ((2, 3),), ("float32", "bool")),
    Case("flipud", np.flipud, ((3,),), ("float32", "bool")),
    *[Case("rot90", np.rot90, ((2, 3),), kwargs={"k": k}) for k in (-1, 0, 1, 2, 3)],
    Case("rot90", np.rot90, ((2, 3, 4),), ("int8",), kwargs={"k": 5, "axes": (2, 0)}),
    Case("rearrange", lambda x, _: x.transpose(2, 0, 1).reshape(4, 6), ((2, 3, 4),), ("float32", "uint8"), args=("a b c -> c (a b)",)),
    Case("rearrange", lambda x, _, **k: x.reshape(3, 2, 3).transpose(2, 1, 0)[:, None], ((6, 1, 3),), args=("(a b) 1 c->c 1 b a",), kwargs={"b": 2}),
    Case("rearrange", lambda x, _: x.ravel(), ((2, 0),), args=("rows columns -> (rows columns)",), grad=False),
]

VECTORS = [
    *[
        Case("cross", np.cross, shapes, ("float32", "bfloat16", "int32"), known=known)
        for shapes, known in ((((2, 3), (3,)), (1,)), (((4, 1, 3), (2, 3)), (2,)))
    ],
    Case("cross", np.cross, ((3, 2), (2, 3)), kwargs={"axisa": 0, "axisb": 1, "axisc": 0}, known=(0,)),
    Case("cross", np.cross, ((3, 2), (3, 2)), kwargs={"axis": 0}, known=(0,)),
    Case("cross", lambda a, b: a[..., 0] * b[..., 1] - a[..., 1] * b[..., 0], ((4, 2), (2,)), known=(1, 2)),
    Case("cross", lambda a, b: np.cross(np.append(a, np.zeros_like(a[..., :1]), -1), b), ((4, 2), (3,)), known=(1, 2)),
    Case("kron", np.kron, ((2, 3), (3, 2)), (*FLOATS, "bool")),
    Case("kron", np.kron, ((2,), (2, 1, 3))),
    Case("kron", np.kron, ((), (2,))),
    *[Case("correlate", np.correlate, shapes, args=(mode,)) for mode in ("valid", "same", "full") for shapes in (((5,), (3,)), ((2,), (5,)), ((4,), (4,)))],
    Case("correlate", np.correlate, ((4,), (2,)), ("float16", "bfloat16", "int32"), {"mode": "same"}),
    Case("vander", np.vander, ((3,),), ("float32", "float16", "int32", "uint8")),
    *[Case("vander", np.vander, ((3,),), kwargs={"N": n, "increasing": True}) for n in (0, 2, 5)],
    Case("diagflat", np.diagflat, ((2, 2),), NUMBERS),
    *[Case("diagflat", np.diagflat, ((2,),), kwargs={"k": k}) for k in (-1, 2)],
    Case("diagflat", np.diagflat, ((),)),
    Case("trapezoid", np.trapezoid, ((2, 4),), (*FLOATS, "bool"), {"dx": 2.0}),
    Case("trapezoid", np.trapezoid, ((2, 4), (2,)), kwargs={"axis": 0}),
    Case("trapezoid", np.trapezoid, ((2, 3), (2, 3))),
]

CASES = [*JOINING, *TURNING, *VECTORS]
