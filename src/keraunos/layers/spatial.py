"""What the layers over one to three spatial axes share."""

from __future__ import annotations

from typing import Any, ClassVar

from keraunos.core.config import standardize_data_format
from keraunos.core.errors import ArgumentError, one_of
from keraunos.layers.input_layer import InputSpec
from keraunos.layers.layer import Layer


class Spatial(Layer):
    """The base of layers over one to three spatial axes.

    A subclass says how many, and declares sizes, padding and data format, which are settled here.
    """

    rank: ClassVar[int] = 2
    paddings: ClassVar[tuple[str, ...]] = ("valid", "same")
    function: ClassVar[Any] = None
    data_format = "channels_last"  # where it is no argument

    def __init_subclass__(cls, rank: int | None = None, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        cls.rank = rank or cls.rank

    def setup(self) -> None:
        for name, field in self.fields.items():
            value = getattr(self, name)
            if name == "data_format":
                setattr(self, name, standardize_data_format(value))
            elif name == "padding" and field.kinds == ["str"]:
                setattr(self, name, one_of(f"{type(self).__name__}: padding", value.lower(), self.paddings, self.name))
            elif {"Sizes", "Counts"} & set(field.kinds) and value is not None:
                sizes = (value,) * self.rank if isinstance(value, int) else tuple(map(int, value))
                if len(sizes) != self.rank:
                    raise self._refusal(f"{name} needs {self.rank} integers, got {len(sizes)}.", name, fix=f"{name}={sizes[0]}")
                setattr(self, name, sizes)
        self.input_spec = InputSpec(ndim=self.rank + 2)

    @property
    def channel_axis(self) -> int:
        """The place of the channels: -1 or 1."""
        return -1 if self.data_format == "channels_last" else 1

    def axes_of(self, inputs: Any) -> tuple[int, ...]:
        """The places of the spatial axes of inputs.

        Raises:
            ShapeError: The inputs have not so many axes.
        """
        if len(inputs.shape) != self.rank + 2:
            self.input_spec.check(inputs, self)
        first = 1 if self.data_format == "channels_last" else 2
        return tuple(range(first, first + self.rank))

    def _refusal(self, fact: str, *names: str, **texts: Any) -> ArgumentError:
        received = ", ".join(f"{name}={getattr(self, name)}" for name in names) or None
        return ArgumentError(f"{type(self).__name__}: {fact}", where=self.name, received=received, **texts)
