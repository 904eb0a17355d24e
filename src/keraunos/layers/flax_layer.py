"""A module of Flax as a layer."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from typing import Any

from keraunos.core.errors import ArgumentTypeError
from keraunos.layers.jax_layer import JaxLayer


class FlaxLayer(JaxLayer):
    """A module of Flax (`flax.linen.Module`) as a layer of a model on the jax engine.

    Its "params" are trained, its other collections ("batch_stats", …) are state. A model with one can be written to a file where the module's class
    has `get_config` and `from_config`, and is registered.

    Args:
        module: The module.
        method: A function `method(module, inputs)` to call in place of the module's `__call__`; either may take `training` as well.
        variables: What `module.init` returned, in place of its being called when the layer is built.

    Raises:
        BackendError: The engine is not jax.
        ArgumentTypeError: It is no module, or `method` no function.

    Example:

    >>> import keraunos as keras, flax.linen as nn
    >>> with keras.backend_scope("jax"):
    ...     model = keras.Sequential([keras.Input((3,)), keras.layers.FlaxLayer(nn.Dense(4)), keras.layers.Dense(1)])
    >>> model.count_params()  # 3 * 4 + 4 + 4 * 1 + 1
    21
    """

    def __init__(self, module: Any, method: Any = None, variables: Any = None, **kwargs: Any):
        if not all(callable(getattr(module, name, None)) for name in ("init", "apply")):
            raise ArgumentTypeError("FlaxLayer takes a module of Flax.", received=type(module).__name__, expected="flax.linen.Module")
        if not callable(method or module):
            received = repr(method) if isinstance(method, str) else type(method).__name__
            raise ArgumentTypeError("method must be a function of the module and the inputs.", received=received, fix="method=lambda module, x: module(x)")
        told = "training" in inspect.signature(method or module.__call__).parameters

        def options(training: Any) -> dict[str, Any]:
            return {"method": method, **({"training": training} if told else {})}

        def call_fn(params: Any, state: Any, rng: Any, inputs: Any, training: Any) -> Any:
            changing = list(state) or False
            out = module.apply({"params": params, **state}, inputs, rngs={"params": rng, "dropout": rng}, mutable=changing, **options(training))
            return out if changing else (out, state)

        def init_fn(rng: Any, inputs: Any, training: Any) -> Any:
            return _parted(module.init(rng, inputs, **options(training)))

        if variables is not None and not isinstance(variables, Mapping):
            raise ArgumentTypeError("variables must be what module.init returned.", received=type(variables).__name__)
        params, state = (None, None) if variables is None else _parted(variables)
        self.module, self.method = module, method
        super().__init__(call_fn=call_fn, init_fn=init_fn, params=params, state=state, **kwargs)

    def captured(self) -> dict[str, Any]:
        return {"module": self.module, "method": self.method}


def _parted(variables: Any) -> tuple[Any, dict[str, Any]]:
    """The parameters, and the other collections."""
    return variables.get("params", {}), {name: value for name, value in variables.items() if name != "params"}
