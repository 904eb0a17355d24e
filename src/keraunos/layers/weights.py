"""How a layer makes, stores and restores its variables."""

from __future__ import annotations

from typing import Any

from keraunos.core.errors import StateError
from keraunos.core.variable import Variable
from keraunos.layers.calling import Callable_


class Weighted(Callable_):
    """The variable-making half of `Layer`."""

    variable_dtype: Any

    def add_weight(
        self, shape: Any = None, initializer: Any = None, dtype: Any = None, trainable: bool = True, autocast: bool = True,
        regularizer: Any = None, constraint: Any = None, aggregation: str = "none", overwrite_with_gradient: bool = False, name: str | None = None,
    ) -> Variable:  # fmt: skip
        """Make a variable of the layer; for use in `build` or `__init__`.

        Args:
            shape: Its shape; a scalar by default.
            initializer: What its first value is drawn by: "glorot_uniform" for floats by default.
            dtype: The layer's variable dtype by default.
            trainable: Whether training changes it.
            autocast: Whether it is read in the compute dtype.
            regularizer: A function of it whose value is added to the loss.
            constraint: A function applied to it after each update.
            aggregation: How replicas are combined.
            overwrite_with_gradient: Whether the gradient is the new value.
            name: Its name.

        Raises:
            StateError: The layer is built already.
        """
        from keraunos import constraints, initializers, regularizers

        if self._locked:
            raise StateError(
                "Weights cannot be made in `call`: the layer is built.", where=self.name, fix="move self.add_weight(…) to build(self, input_shape) or __init__"
            )
        name = name or "variable"
        dtype = dtype or self.variable_dtype
        if initializer is None:
            initializer = "glorot_uniform" if "float" in str(dtype) else "zeros"
        variable = Variable(initializers.get(initializer), shape or (), dtype, trainable and self.trainable, autocast, aggregation, name=name)
        variable.initially_trainable = trainable
        variable.regularizer, variable.constraint = regularizers.get(regularizer), constraints.get(constraint)
        variable.overwrite_with_gradient = overwrite_with_gradient
        variable.path = f"{self.name}/{name}"
        self.__dict__.setdefault("_weights", []).append(variable)
        return variable

    def weight(self, name: str, shape: Any, trainable: bool = True, **options: Any) -> Variable:
        """`add_weight` with the fields `{name}_initializer`, `{name}_regularizer` and `{name}_constraint`."""
        found = {kind: getattr(self, f"{name}_{kind}", None) for kind in ("initializer", "regularizer", "constraint")}
        return self.add_weight(shape, trainable=trainable, name=name, **found, **options)

    def add_variable(
        self,
        shape: Any,
        initializer: Any,
        dtype: Any = None,
        trainable: bool = True,
        autocast: bool = True,
        regularizer: Any = None,
        constraint: Any = None,
        name: str | None = None,
    ) -> Variable:
        """`add_weight`, by its other name."""
        return self.add_weight(shape, initializer, dtype, trainable, autocast, regularizer, constraint, name=name)

    def build_from_config(self, config: dict[str, Any]) -> None:
        """Build from what `get_build_config` returned."""
        if self.built or not config:
            return
        shapes, shape = _as_shape(config.get("shapes_dict")), _as_shape(config.get("input_shape"))
        if shapes:
            self.build(**shapes)
        elif shape is not None:
            self.build(shape)

    def get_build_config(self) -> dict[str, Any] | None:
        """The shapes that the layer was built for."""
        shape, shapes = self.__dict__.get("_build_shape"), self.__dict__.get("_build_shapes")
        if shapes is not None:
            return {"shapes_dict": shapes}
        return None if shape is None else {"input_shape": shape}

    def save_own_variables(self, store: Any) -> None:
        """Write its own variables into a mapping, by number."""
        for i, variable in enumerate(self._own_variables()):
            store[str(i)] = variable.numpy()

    def load_own_variables(self, store: Any) -> None:
        """Read its own variables from a mapping, by number; nothing is set unless all fit."""
        variables = self._own_variables()
        if len(store.keys()) != len(variables):
            state = "is not built" if not self.built else f"has {len(variables)} variables"
            raise StateError(f"The layer '{self.name}' {state}; the file has {len(store.keys())} for it.", fix="build the model as it was when it was saved")
        for i, variable in enumerate(variables):
            variable.assign(store[str(i)][()])


def _as_shape(value: Any) -> Any:
    if isinstance(value, list) and all(d is None or isinstance(d, int) for d in value):
        return tuple(value)
    if isinstance(value, list):
        return [_as_shape(v) for v in value]
    return {k: _as_shape(v) for k, v in value.items()} if isinstance(value, dict) else value
