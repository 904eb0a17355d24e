"""Cutting margins off, and adding margins of zeros, in one to three dimensions."""

from __future__ import annotations

from typing import Any, ClassVar

from keraunos import ops
from keraunos.core.errors import ShapeError
from keraunos.core.spec import is_known, show
from keraunos.core.windows import AXES
from keraunos.layers.spatial import Spatial


class Margins(Spatial, kw_only=True):
    """The base of layers with an argument for margins; a subclass gives the rank, and the argument's name."""

    margin: ClassVar[str]

    def setup(self) -> None:
        super().setup()
        given = getattr(self, self.margin)
        each = [given] if self.rank == 1 else [given] * self.rank if isinstance(given, int) else given
        pairs = [(m, m) if isinstance(m, int) else tuple(m) for m in each] if all(isinstance(m, (int, list, tuple)) for m in each) else []
        if len(pairs) != self.rank or not all(len(pair) == 2 and all(isinstance(n, int) and n >= 0 for n in pair) for pair in pairs):
            wanted = "an integer of at least 0, or " + ("two: before and behind" if self.rank == 1 else f"{self.rank} of them or of pairs")
            raise self._refusal(f"{self.margin} must be {wanted}.", self.margin, fix=f"{self.margin}={(1, 2) if self.rank == 1 else ((1, 2),) * self.rank}")
        self.pairs = pairs
        setattr(self, self.margin, pairs[0] if self.rank == 1 else tuple(pairs))


class Cropping(Margins, kw_only=True):
    """The base of the croppings; a subclass gives the rank.

    Args:
        cropping: How many elements are cut off before and behind: a pair for each axis, an integer for each, or one for all.
        data_format: "channels_last" or "channels_first".

    Raises:
        ShapeError: Nothing would be left.
    """

    margin = "cropping"

    def call(self, inputs: Any) -> Any:
        key = [slice(None)] * len(inputs.shape)
        for axis, (before, behind), name in zip(self.axes_of(inputs), self.pairs, AXES[self.rank], strict=True):
            size = inputs.shape[axis]
            if is_known(size) and before + behind >= size:
                fact = f"The cropping ({before}, {behind}) leaves nothing of a {name} of {size}."
                fix = "crop less, or pass larger inputs"
                raise ShapeError(fact, received=show(inputs.shape), expected=f"a {name} of at least {before + behind + 1}", fix=fix)
            key[axis] = slice(before, -behind or None)
        return ops.get_item(inputs, tuple(key))


class Cropping1D(Cropping, rank=1):
    """Steps cut off: input `(batch, steps, channels)`, output `(batch, steps', channels)`.

    Args:
        cropping: How many steps are cut off at the start and at the end; one integer for both.

    Raises:
        ShapeError: Nothing would be left.

    Example:

    >>> import keraunos as keras
    >>> keras.layers.Cropping1D((1, 2)).compute_output_shape((None, 9, 4))
    (None, 6, 4)
    """

    cropping: Any = (1, 1)


class Cropping2D(Cropping):
    """Margins of images cut off: input `(batch, height, width, channels)`.

    Example:

    >>> import keraunos as keras
    >>> keras.layers.Cropping2D(((1, 2), (0, 3))).compute_output_shape((None, 8, 8, 3))
    (None, 5, 5, 3)
    """

    cropping: Any = ((0, 0), (0, 0))
    data_format: str | None = None


class Cropping3D(Cropping, rank=3):
    """Margins of volumes cut off: input `(batch, depth, height, width, channels)`.

    Example:

    >>> import keraunos as keras
    >>> keras.layers.Cropping3D(1).compute_output_shape((None, 8, 8, 8, 3))
    (None, 6, 6, 6, 3)
    """

    cropping: Any = ((1, 1), (1, 1), (1, 1))
    data_format: str | None = None


class ZeroPadding(Margins, kw_only=True):
    """The base of the paddings; a subclass gives the rank.

    Args:
        padding: How many zeros are added before and behind: a pair for each axis, an integer for each, or one for all.
        data_format: "channels_last" or "channels_first".
    """

    margin = "padding"

    def call(self, inputs: Any) -> Any:
        widths = [(0, 0)] * len(inputs.shape)
        for axis, pair in zip(self.axes_of(inputs), self.pairs, strict=True):
            widths[axis] = pair
        return ops.pad(inputs, widths)


class ZeroPadding1D(ZeroPadding, rank=1):
    """Steps of zeros added: input `(batch, steps, channels)`, output `(batch, steps', channels)`.

    Args:
        padding: How many steps are added at the start and at the end; one integer for both.
        data_format: "channels_last" or "channels_first".

    Example:

    >>> import keraunos as keras
    >>> keras.layers.ZeroPadding1D((2, 0)).compute_output_shape((None, 9, 4))
    (None, 11, 4)
    """

    padding: Any = 1
    data_format: str | None = None


class ZeroPadding2D(ZeroPadding):
    """Margins of zeros around images: input `(batch, height, width, channels)`.

    Example:

    >>> import keraunos as keras
    >>> keras.layers.ZeroPadding2D((1, 2)).compute_output_shape((None, 8, 8, 3))
    (None, 10, 12, 3)
    """

    padding: Any = (1, 1)
    data_format: str | None = None


class ZeroPadding3D(ZeroPadding, rank=3):
    """Margins of zeros around volumes: input `(batch, depth, height, width, channels)`.

    Example:

    >>> import keraunos as keras
    >>> keras.layers.ZeroPadding3D(1).compute_output_shape((None, 8, 8, 8, 3))
    (None, 10, 10, 10, 3)
    """

    padding: Any = ((1, 1), (1, 1), (1, 1))
    data_format: str | None = None
