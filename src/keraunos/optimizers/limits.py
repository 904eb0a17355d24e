"""Which numbers the options of optimizers and schedules may be."""

from __future__ import annotations

from typing import ClassVar

from keraunos.core.errors import ArgumentError
from keraunos.core.fields import Declared

_HOLDS = {
    "above 0": lambda value: value > 0,
    "at least 0": lambda value: value >= 0,
    "at least 1": lambda value: value >= 1,
    "at least 2": lambda value: value >= 2,
    "at most 0": lambda value: value <= 0,
    "from 0 to 1": lambda value: 0 <= value <= 1,
}


class Limited(Declared):
    """The base of classes whose options have limits, said in words; an option that is None has none."""

    limits: ClassVar[dict[str, str]] = {}

    def setup(self) -> None:
        """Check the options against their limits."""
        for name, limit in self.limits.items():
            value = getattr(self, name)
            if value is not None and not _HOLDS[limit](value):
                raise ArgumentError(f"{type(self).__name__}: {name} must be {limit}.", received=f"{name}={value}")
