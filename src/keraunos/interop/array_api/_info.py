"""What the namespace says of itself."""

from __future__ import annotations

from typing import Any

from keraunos.interop.array_api import _array, _dtypes
from keraunos.interop.array_api._dtypes import DType


class _Info:
    """Capabilities, devices and dtypes."""

    def capabilities(self) -> dict[str, Any]:
        """What may be counted on."""
        return {"boolean indexing": True, "data-dependent shapes": True, "max dimensions": 32}

    def devices(self) -> list[str]:
        """The devices of the engine."""
        return _array.devices()

    def default_device(self) -> str:
        """Where arrays are made."""
        return _array.from_host(0, _dtypes.int64).device

    def default_dtypes(self, *, device: Any = None) -> dict[str, DType]:
        """The dtypes of what is made without naming one."""
        with _array.on(device):
            return {"real floating": _dtypes.float64, "complex floating": _dtypes.complex128, "integral": _dtypes.int64, "indexing": _dtypes.int64}

    def dtypes(self, *, device: Any = None, kind: Any = None) -> dict[str, DType]:
        """The dtypes by name, of one kind or of several."""
        with _array.on(device):
            return {name: dtype for name, dtype in _dtypes.ALL.items() if kind is None or _dtypes.isdtype(dtype, kind)}


def __array_namespace_info__() -> _Info:
    """What the namespace says of itself: `capabilities`, `devices`, `default_device`, `default_dtypes` and `dtypes`.

    Example:

    >>> import keraunos.interop.array_api as xp
    >>> info = xp.__array_namespace_info__()
    >>> sorted(info.dtypes(kind="complex floating"))
    ['complex128', 'complex64']
    """
    return _Info()
