"""What optimizers share that keep other state for some variables than for others."""

from __future__ import annotations

from collections.abc import Sequence

from keraunos.core.variable import Variable
from keraunos.optimizers.optimizer import Optimizer


class Varied(Optimizer, kw_only=True):
    """The base of optimizers whose slots differ between variables."""

    _varied: Sequence[list[Variable]] = ()  # what is kept for each variable

    def slots_for(self, variable: Variable) -> dict[str, tuple[int, ...]]:
        """The shapes of what is kept for a variable, by name; `update` takes them in this order."""
        raise NotImplementedError

    def slots(self) -> list[list[str]]:
        """None that are alike for all."""
        return []

    def _built(self) -> None:
        self._varied = [self._made_for(variable) for variable in self._trained]

    def _made_for(self, variable: Variable) -> list[Variable]:
        path = variable.path.replace("/", "_")
        return [self.add_variable(shape, "zeros", variable.dtype, name=f"{path}_{name}") for name, shape in self.slots_for(variable).items()]

    def _slots_of(self, variable: Variable) -> list[Variable]:
        return self._varied[self._index[variable]]
