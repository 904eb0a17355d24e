"""Programs that TensorFlow wrote (SavedModel): their functions and variables, and their run with other values."""

from __future__ import annotations

from typing import Any

from keraunos.backends._tensorflow_graphs import tf

__all__ = ["load_saved", "run_saved"]


class SavedProgram:
    """What a SavedModel holds.

    Args:
        filepath: The folder.

    Raises:
        OSError: There is none.
    """

    def __init__(self, filepath: str):
        self.loaded = tf.saved_model.load(filepath)
        own = {name: getattr(self.loaded, name) for name in vars(self.loaded) if hasattr(getattr(self.loaded, name), "concrete_functions")}
        self.endpoints = {**self.loaded.signatures, **own}

    def variables(self, *endpoints: str) -> list[Any]:
        """The variables of endpoints, those that are trained first."""
        programs = [f for name in endpoints for f in getattr(self.endpoints[name], "concrete_functions", [self.endpoints[name]])]
        found = {id(v): v for f in programs for v in f.variables}
        return sorted(found.values(), key=lambda v: not v.trainable)


def load_saved(filepath: str) -> SavedProgram:
    return SavedProgram(filepath)


def run_saved(program: SavedProgram, endpoint: str, variables: list[Any], values: list[Any], args: Any, kwargs: Any) -> tuple[Any, list[Any]]:
    """The result of an endpoint with these values of its variables, through which gradients flow, and what became of them."""
    structure, count, packed = (args, kwargs), len(variables), []

    @tf.custom_gradient
    def run(*given: Any) -> Any:
        for variable, value in zip(variables, given[:count], strict=True):
            variable.assign(value)
        inner_args, inner_kwargs = tf.nest.pack_sequence_as(structure, given[count:])
        sources = [*variables, *given[count:]]
        floats = [x for x in sources if x.dtype.is_floating]
        with tf.GradientTape(watch_accessed_variables=False) as tape:
            for x in floats:
                tape.watch(x)
            out = program.endpoints[endpoint](*inner_args, **inner_kwargs)
        packed.append(out)
        outputs = tf.nest.flatten(out)

        def gradient(*upstream: Any, variables: Any = None) -> Any:
            found = iter(tape.gradient(outputs, floats, list(upstream[: len(outputs)]), tf.UnconnectedGradients.ZERO))
            gradients = [next(found) if x.dtype.is_floating else None for x in sources]
            return gradients if variables is None else (gradients, [None] * len(variables))

        return [*outputs, *(tf.stop_gradient(v.read_value()) for v in variables)], gradient

    flat = run(*values, *tf.nest.flatten(structure))
    flat = list(flat) if isinstance(flat, (list, tuple)) else [flat]
    outputs = flat[: len(flat) - count]
    return tf.nest.pack_sequence_as(packed[0], outputs), flat[len(flat) - count :]
