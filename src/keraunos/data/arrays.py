"""From arrays, frames, tables and tensors of any library to arrays of numbers: one small function for each library, found by its name.

No library is imported: a value of a library's type can only be there if the user imported it.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable
from typing import Any

import numpy as np

from keraunos.core import config, dtypes
from keraunos.core.errors import NUMBERS_FIRST, DataError
from keraunos.core.graph import KerasTensor
from keraunos.data import rows
from keraunos.data.rows import Column, Large, Rows, Sparse, Stored, stacked


def to_array(x: Any, name: str, text: bool = False) -> Any:
    """One array of the user's as NumPy's, the engine's or `Rows`, floats in `floatx()`; it may hold strings where `text` says so.

    Raises:
        DataError: It is symbolic, text, objects, dates, or has missing values.
    """
    if type(x) is not np.ndarray:
        if isinstance(x, KerasTensor):
            raise DataError(f"{name} is a symbolic tensor, not data.", where=name, fix="pass arrays to fit; symbolic tensors to keras.Model(inputs, outputs)")
        x = _converter(type(x))(x, name, text)
        if isinstance(x, Rows) or (not isinstance(x, np.ndarray) and config.active().is_tensor(x)):
            return x
        own: Any = getattr(x, "to_numpy", None)
        x = np.asarray(x if own is None else own())
    return _numbers(x, name, text)


def _numbers(x: np.ndarray, name: str, text: bool) -> Any:
    """An array of numbers, or of strings; large ones are cast row by row."""
    kind = x.dtype.kind
    if kind in "OSTU":
        if not text:
            _refuse_objects(x, name)
        return x
    if kind in "mM":
        raise DataError(f"{name} holds dates or times.", where=name, received=x.dtype, fix=f"make numbers of them: {name}.astype('int64')")
    if x.dtype.names is not None:
        fix = f"pass a dict of its fields, {{name: {name}[name] for name in {name}.dtype.names}}, or one array of them by numpy.lib.recfunctions"
        raise DataError(f"{name} is a structured array.", where=name, received=f"fields {', '.join(x.dtype.names)}", fix=fix)
    dtype = _wanted(x.dtype, config.floatx())
    if x.nbytes > rows.RESIDENT_BYTES and (dtype != x.dtype or isinstance(x, np.memmap) or rows._map(x) is not None):
        return Large(x, dtype)
    return x if dtype is x.dtype else x.astype(dtype)


@functools.cache
def _wanted(dtype: np.dtype, floatx: str) -> np.dtype:
    """The dtype that numbers of a dtype are trained on: floats in `floatx`."""
    if dtype.kind != "f" or dtypes.standardize_dtype(dtype) == floatx:
        return dtype
    backend = config.active()
    return backend.to_numpy(backend.array(0.0, floatx)).dtype


def _refuse_objects(x: np.ndarray, name: str) -> None:
    if x.dtype.kind != "O" or (x.size and all(isinstance(value, (str, bytes)) for value in x.flat[:3])):
        graph = ", for which the model must be a Sequential or begin with Input(shape, dtype='string'), if it is not applied to the data: fit(layer(x), y)"
        raise DataError(f"{name} holds text.", where=name, fix=NUMBERS_FIRST + graph * name.startswith("x"), code="KR207")
    uneven = len({np.shape(value) for value in x.flat[:100]}) > 1
    fix = f"keras.utils.pad_sequences({name}) makes the samples equally long" if uneven else f"{name}.astype('float32'), without None; all samples of one shape"
    raise DataError(f"{name} holds Python objects.", where=name, received=f"an array of {len(x) if x.ndim else 1} objects", fix=fix)


def _missing(name: str, count: int, fix: str) -> None:
    if count:
        raise DataError(f"{name} has {count} missing value{'s' * (count > 1)}.", where=name, fix=f"drop or fill {'them' if count > 1 else 'it'}: {fix}")


def _table(columns: Iterable[tuple[Any, Any]], name: str, text: bool) -> np.ndarray:
    """The columns of a frame side by side; each by itself says what is wrong with it."""
    return np.stack([np.asarray(to_array(column, f"{name}[{label!r}]", text)) for label, column in columns], axis=1)


# ---- the libraries: each gives NumPy's array, the engine's tensor, rows, or what NumPy takes ----
def _pandas(x: Any, name: str, text: bool) -> Any:
    if hasattr(x, "columns"):
        plain = {getattr(dtype, "kind", "O") for dtype in set(x.dtypes)} <= set("biuf") and all(isinstance(dtype, np.dtype) for dtype in x.dtypes)
        if plain and len(set(x.dtypes)) == 1:
            return x.to_numpy()
        return _table(((label, x.iloc[:, i]) for i, label in enumerate(x.columns)), name, text)
    if hasattr(x.dtype, "categories"):
        if x.dtype.categories.dtype.kind in "biuf":
            return np.asarray(x)
        raise DataError(f"{name} holds categories.", where=name, fix=f"pass their numbers: {name}.cat.codes")
    if hasattr(x.dtype, "numpy_dtype"):
        _missing(name, int(x.isna().sum()), f"{name}.fillna(0)")
        return x.to_numpy(x.dtype.numpy_dtype)
    return x.to_numpy()


def _polars(x: Any, name: str, text: bool) -> Any:
    if hasattr(x, "collect"):
        raise DataError(f"{name} is a plan of Polars, not data yet.", where=name, fix=f"{name}.collect()")
    if hasattr(x, "columns"):
        if len(set(x.dtypes)) == 1 and not any(x.null_count().row(0)):
            return x.to_numpy()
        return _table(((label, x[label]) for label in x.columns), name, text)
    _missing(name, x.null_count(), f"{name}.fill_null(0)")
    return x.to_numpy()


def _arrow(x: Any, name: str, text: bool) -> Any:
    if hasattr(x, "column_names"):
        return _table(zip(x.column_names, x.columns, strict=True), name, text)
    _missing(name, x.null_count, f"pyarrow.compute.fill_null({name}, 0)")
    x = x.combine_chunks() if hasattr(x, "chunks") else x
    if hasattr(x, "to_numpy_ndarray"):
        return x.to_numpy_ndarray()
    width = getattr(x.type, "list_size", None)
    return x.to_numpy(zero_copy_only=False) if width is None else x.flatten().to_numpy(zero_copy_only=False).reshape(len(x), width)


def _coordinates(values: Any, places: Any, shape: Any) -> Any:
    """The entries of a matrix that are not 0, and where they are."""
    import scipy.sparse

    return _scipy(scipy.sparse.coo_array((np.asarray(values), tuple(np.asarray(places))), tuple(shape)), "", False)


def _scipy(x: Any, name: str, text: bool) -> Any:
    if x.ndim != 2:
        return x.toarray()
    return Sparse(x.tocsr(), x.shape, _wanted(x.dtype, config.floatx()))


def _tensorflow(x: Any, name: str, text: bool) -> Any:
    if hasattr(x, "dense_shape"):
        return _coordinates(x.values, np.asarray(x.indices).T, x.dense_shape)
    return x.numpy() if hasattr(x, "row_splits") or hasattr(x, "assign") else x


def _torch(x: Any, name: str, text: bool) -> Any:
    if not hasattr(x, "detach"):
        return x
    x = x.detach()
    if str(x.layout) != "torch.strided":
        x = x.to_sparse().coalesce().cpu()
        return _coordinates(x.values(), x.indices(), x.shape) if x.ndim == 2 and x.sparse_dim() == 2 else to_array(x.to_dense(), name)
    if config.active().is_tensor(x):
        return x
    return (x.float() if str(x.dtype) == "torch.bfloat16" else x).cpu().numpy()


def _jax(x: Any, name: str, text: bool) -> Any:
    if not hasattr(x, "todense"):
        return x
    return _coordinates(x.data, np.asarray(x.indices).T, x.shape) if hasattr(x, "indices") and x.ndim == x.n_sparse == 2 else x.todense()


def _numpy(x: Any, name: str, text: bool) -> Any:
    if isinstance(x, np.ma.MaskedArray):
        _missing(name, int(np.ma.count_masked(x)), f"{name}.filled(0)")
    return x


def _hugging_face(x: Any, name: str, text: bool) -> Any:
    if hasattr(x, "column_names"):
        raise DataError(f"{name} is a data set, not a column of one.", where=name, fix=f"pass it by itself: {name}")
    first = to_array(stacked(x[:1], name), name, text)
    return Column(x, (len(x), *first.shape[1:]), object if first.dtype.kind in "OSTU" else first.dtype)


def _hdf5(x: Any, name: str, text: bool) -> Any:
    if x.ndim == 0 or x.dtype.kind not in "biuf" or x.nbytes <= rows.RESIDENT_BYTES:
        return x[()]
    return Stored(x, x.shape, _wanted(x.dtype, config.floatx()))


_LIBRARIES: dict[str, Callable[[Any, str, bool], Any]] = {
    "pandas": _pandas, "polars": _polars, "pyarrow": _arrow, "scipy": _scipy, "tensorflow": _tensorflow, "torch": _torch, "jax": _jax, "numpy": _numpy,
    "datasets": _hugging_face, "h5py": _hdf5,
}  # fmt: skip


def _as_it_is(x: Any, name: str, text: bool) -> Any:
    return x


@functools.cache
def _converter(kind: type) -> Callable[[Any, str, bool], Any]:
    """What makes an array of values of a type: that of the library where the type, or what it derives from, is defined."""
    return next((_LIBRARIES[root] for root in roots(kind) if root in _LIBRARIES), _as_it_is)


def roots(kind: type) -> list[str]:
    """The packages in which a type and what it derives from are defined."""
    return [base.__module__.partition(".")[0] for base in kind.__mro__]
