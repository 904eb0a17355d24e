"""`InputSpec`: what a layer expects of an input."""

from __future__ import annotations

from typing import Any

from keraunos.core.errors import ShapeError
from keraunos.core.spec import UNKNOWN, show

_AXES = {2: "(batch, features)", 3: "(batch, steps, channels)", 4: "(batch, height, width, channels)", 5: "(batch, depth, height, width, channels)"}


class InputSpec:
    """The dtype, rank and sizes that a layer expects of an input.

    Args:
        dtype: The dtype.
        shape: The whole shape; None for sizes that may be anything.
        ndim: The number of axes.
        max_ndim: The largest number of axes.
        min_ndim: The least number of axes.
        axes: Sizes by axis.
        allow_last_axis_squeeze: Whether a last axis of size 1 may be missing or too many.
        name: The input's name in a dict of inputs.
        optional: Whether None may be passed.
    """

    def __init__(self, dtype: Any = None, shape: Any = None, ndim: int | None = None, max_ndim: int | None = None, min_ndim: int | None = None,
                 axes: dict[int, int] | None = None, allow_last_axis_squeeze: bool = False, name: str | None = None, optional: bool = False):  # fmt: skip
        self.dtype, self.shape = dtype, None if shape is None else tuple(shape)
        self.ndim = len(self.shape) if self.shape is not None else ndim
        self.max_ndim, self.min_ndim, self.axes = max_ndim, min_ndim, dict(axes or {})
        self.allow_last_axis_squeeze, self.name, self.optional = allow_last_axis_squeeze, name, optional

    def get_config(self) -> dict[str, Any]:
        """The arguments."""
        return dict(self.__dict__)

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> InputSpec:
        """Make one from `get_config`'s result."""
        return cls(**config)

    def check(self, x: Any, layer: Any) -> None:
        """Raise unless `x` is as expected.

        Raises:
            ShapeError: Its rank or a size differs.
        """
        shape = tuple(x.shape)
        rank = len(shape)
        if self.ndim is not None and rank != self.ndim and not (self.allow_last_axis_squeeze and abs(rank - self.ndim) == 1):
            raise self._rank_error(shape, layer, f"{self.ndim} axes{_named(self.ndim)}")
        if self.min_ndim is not None and rank < self.min_ndim:
            raise self._rank_error(shape, layer, f"at least {self.min_ndim} axes{_named(self.min_ndim)}")
        if self.max_ndim is not None and rank > self.max_ndim:
            raise self._rank_error(shape, layer, f"at most {self.max_ndim} axes")
        wanted = dict(self.axes)
        if self.shape is not None and len(self.shape) == rank:
            wanted.update({i: d for i, d in enumerate(self.shape) if d is not None})
        for axis, size in wanted.items():
            got = shape[axis] if -rank <= axis < rank else UNKNOWN
            if size is not None and got != size and got is not UNKNOWN and got is not None:
                what = "features" if rank == 2 else "channels" if axis in (-1, rank - 1) else f"elements along axis {axis}"
                raise ShapeError(
                    f"The input has {got} {what}; '{layer.name}' was built for {size}.",
                    received=f"{show(shape)}", fix=f"pass data with {size} {what}, or make a new layer for {got}",
                )  # fmt: skip

    def _rank_error(self, shape: tuple[Any, ...], layer: Any, expected: str) -> ShapeError:
        fix = None
        if self.ndim is not None and len(shape) == self.ndim - 1 and self.ndim >= 3:
            fix = f"add the channels axis: Input(({', '.join(str(d) for d in show(shape)[1:])}, 1)) and x[..., None]"
        return ShapeError(
            f"'{layer.name}' ({type(layer).__name__}) cannot take an input of {len(shape)} axes.", received=str(show(shape)), expected=expected, fix=fix
        )


def _named(ndim: int) -> str:
    return f" {_AXES[ndim]}" if ndim in _AXES else ""
