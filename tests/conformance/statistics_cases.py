"""The rows for quantiles, reductions without NaN, spread and correlation."""

from __future__ import annotations

import numpy as np

from tests.conformance.case import FLOATS, NUMBERS, Case

HOLES = np.array([[1, np.nan, 3, -2], [np.nan, np.nan, np.nan, np.nan], [0.5, 4, -np.inf, np.nan]], "float32")
WHOLE = np.array([[1, 4, 3], [2, -5, 7]], "int32")
QS = np.array([0.0, 0.3, 0.5, 1.0], "float32")


def _quiet(function):
    """`function` without NumPy's warnings of slices that are all NaN."""

    def quiet(*args, **kwargs):
        import warnings

        with warnings.catch_warnings(), np.errstate(all="ignore"):
            warnings.simplefilter("ignore", RuntimeWarning)
            return function(*args, **kwargs)

    return quiet


def _place(function):
    """NumPy's `nanargmax` or `nanargmin`, and -1 for slices that are all NaN."""

    def place(x, axis=None, keepdims=False):
        return np.where(np.isnan(x).all(axis, keepdims=keepdims), -1, function(np.where(np.isnan(x).all(axis, keepdims=True), 0, x), axis, keepdims=keepdims))

    return place


def _nan(name, axes=({}, {"axis": 1}, {"axis": (0, -1), "keepdims": True}), whole=("bool", "uint8", "int32")):
    function = _quiet(getattr(np, name))
    rows = [Case(name, function, (HOLES,), kwargs=kwargs, grad=False) for kwargs in axes]
    return [*rows, Case(name, function, ((2, 3),), ("float32", "bfloat16", *whole), {"axis": -1}, low=0.5)]


QUANTILES = [
    *[Case("quantile", np.quantile, ((3, 4), QS), kwargs={"axis": 1, "method": method}) for method in ("linear", "lower", "higher", "midpoint", "nearest")],
    Case("quantile", np.quantile, ((2, 3, 2),), FLOATS, args=(0.3,)),
    Case("quantile", np.quantile, ((2, 3, 2), np.array([[0.25], [0.75]], "float32")), kwargs={"axis": (-1, 0), "keepdims": True}),
    Case("quantile", np.quantile, (HOLES,), args=(0.5,), kwargs={"axis": 0}, grad=False),
    Case("quantile", lambda x, q: 2.0, (np.array([1, 2, np.inf], "float32"),), args=(0.5,), grad=False),
    Case("percentile", np.percentile, ((3, 4), 100 * QS), ("float32", "float16"), {"axis": 0}),
    Case("percentile", np.percentile, ((5,),), args=(30,)),
    Case("median", np.median, ((3, 4),), (*FLOATS, "uint8", "bool"), {"axis": 1}),
    Case("median", np.median, ((2, 3, 4),), kwargs={"axis": (0, 2), "keepdims": True}),
    Case("median", np.median, ((),)),
    Case("median", np.median, (np.array([np.inf, np.inf], "float32"),), grad=False),
    *[
        Case("nanquantile", _quiet(np.nanquantile), (HOLES[:2], QS), kwargs={"axis": 1, "method": method}, grad=False)
        for method in ("linear", "lower", "higher", "midpoint", "nearest")
    ],
    Case("nanquantile", np.nanquantile, ((2, 3), QS), ("float32", "float16", "int32"), {"axis": 0, "keepdims": True}),
    Case("nanpercentile", _quiet(np.nanpercentile), (HOLES,), args=(75,), kwargs={"axis": (0, 1)}, grad=False),
    *_nan("nanmedian"),
]

WITHOUT_NAN = [
    *[row for name in ("nansum", "nanprod", "nanmean", "nanvar", "nanstd", "nanmax", "nanmin") for row in _nan(name)],
    *[row for name in ("nancumsum", "nancumprod") for row in _nan(name, ({}, {"axis": 1}, {"axis": 0, "dtype": "float64"}), ("bool", "int32"))],
    *[
        Case(f"nanarg{name}", _place(getattr(np, f"nanarg{name}")), (x,), kwargs=kwargs, grad=False)
        for name in ("max", "min")
        for x, kwargs in ((HOLES, {"axis": 1}), (HOLES, {"axis": 0, "keepdims": True}), (HOLES, {}), (HOLES[1], {}), (WHOLE, {"axis": -1}))
    ],
]

SPREAD = [
    Case("ptp", np.ptp, ((2, 3),), (*FLOATS, "uint8"), {"axis": 1}),
    Case("ptp", np.ptp, ((2, 3, 2),), kwargs={"axis": (0, -1), "keepdims": True}),
    Case("ptp", np.ptp, ((2, 3),)),
    Case("corrcoef", np.corrcoef, ((3, 4),), ("float32", "float16", "int32"), tolerance=4),
    Case("corrcoef", np.corrcoef, ((4,),), grad=False),
    Case("corrcoef", _quiet(np.corrcoef), (np.array([[1, 1, 1], [1, 2, 4]], "float32"),), grad=False),
    Case("corrcoef", _quiet(np.corrcoef), ((),), grad=False),
    *[Case(name, getattr(np, name), ((2, 3),), NUMBERS, {"axis": 1}) for name in ("amax", "amin")],
    *[Case(name, getattr(np, name), ((2, 3),), kwargs={"axis": (0, -1), "keepdims": True}) for name in ("amax", "amin")],
]

CASES = [*QUANTILES, *WITHOUT_NAN, *SPREAD]
