"""`Bidirectional`: a recurrent layer over sequences in both directions."""

from __future__ import annotations

from typing import Any, ClassVar, Literal

from keraunos import ops
from keraunos.core import tree
from keraunos.core.errors import ArgumentError
from keraunos.core.scope import within
from keraunos.core.spec import Spec
from keraunos.layers.recurrent import SequenceSpec
from keraunos.layers.wrapper import Wrapper
from keraunos.ops.recurrent import first

_MERGES = {
    "concat": lambda a, b: ops.concatenate([a, b], -1), "sum": ops.add, "ave": lambda a, b: (a + b) / 2, "mul": ops.multiply, None: lambda a, b: (a, b),
}  # fmt: skip


class Bidirectional(Wrapper):
    """A recurrent layer and a copy that goes backwards, their outputs joined step by step ([Schuster and Paliwal, 1997](https://doi.org/10.1109/78.650093)).

    Args:
        layer: A recurrent layer, or one with `go_backwards`, `return_sequences`, `return_state`, `stateful` and a config; it is copied.
        merge_mode: How the outputs are joined: "concat", "sum", "mul", "ave", or None for both.
        weights: Weights to begin with, in the order of `get_weights`.
        backward_layer: The layer that goes backwards; a copy of `layer` by default.

    Shapes:
        those of `layer`, with the last axis twice as long for "concat". With `return_state` the states follow, first those of `layer`.

    Raises:
        ArgumentError: The layers do not go in two directions, or differ in what they return.

    Example:

    >>> import keraunos as keras
    >>> keras.layers.Bidirectional(keras.layers.LSTM(4, return_sequences=True))(keras.ops.ones((2, 5, 3))).shape == (2, 5, 8)
    True
    """

    supports_masking = True
    unsaved: ClassVar[tuple[str, ...]] = ("weights",)
    merge_mode: Literal["concat", "sum", "ave", "mul"] | None = "concat"
    weights: Any = None
    backward_layer: Any = None

    def __setattr__(self, name: str, value: Any) -> None:
        object.__setattr__(self, "_first_weights" if name == "weights" else name, value)

    def setup(self) -> None:
        super().setup()
        self._both_know("layer", self.layer)
        self.forward_layer = self.layer = self._copy(self.layer, "forward_")
        if self.backward_layer is None:
            self.backward_layer = self._copy(self.layer, "backward_", go_backwards=not self.layer.go_backwards)
        self._both_know("backward_layer", self.backward_layer)
        for name in ("go_backwards", "return_sequences", "return_state", "stateful"):
            a, b = (getattr(layer, name) for layer in (self.forward_layer, self.backward_layer))
            if (a == b) == (name == "go_backwards"):
                fact = "The two layers must go in two directions." if name == "go_backwards" else "The two layers must agree in what they return and keep."
                raise ArgumentError(fact, where=self.name, received=f"{name}={a} and {b}", fix=f"backward_layer=…({name}={not b})")
        self.return_sequences, self.return_state, self.stateful = self.layer.return_sequences, self.layer.return_state, self.layer.stateful
        for layer in (self.forward_layer, self.backward_layer):  # a step that is repeated in one direction says nothing of the other
            layer.zero_output_for_mask = self.return_sequences
        self.input_spec = SequenceSpec(min_ndim=3)

    def _both_know(self, argument: str, layer: Any) -> None:
        needed = ("go_backwards", "return_sequences", "return_state", "stateful", "get_config")
        if lacking := [name for name in needed if not hasattr(layer, name)]:
            fact = f"Bidirectional runs recurrent layers; {argument} has no {lacking[0]}."
            raise ArgumentError(fact, where=self.name, received=type(layer).__name__, fix="Bidirectional(LSTM(32))")

    def _copy(self, layer: Any, prefix: str, **changes: Any) -> Any:
        name = layer.name.removeprefix("forward_")
        with within(names=self._place):
            copy = type(layer).from_config({**layer.get_config(), "name": f"{prefix}{name}", **changes})
            if layer.built:  # as one that was read from a file
                copy.build_from_config(layer.get_build_config())
        return copy

    def build(self, sequences_shape: Any, initial_state_shape: Any = None) -> None:  # pyright: ignore[reportIncompatibleMethodOverride]
        self.input_spec.check(Spec(sequences_shape), self)
        for layer in (self.forward_layer, self.backward_layer):
            if not layer.built:
                layer.build(sequences_shape)
        if self._first_weights is not None:
            self.set_weights(self._first_weights)
            self._first_weights = None

    def call(self, sequences: Any, initial_state: Any = None, mask: Any = None, training: Any = None) -> Any:
        layers, found, states = (self.forward_layer, self.backward_layer), [], []
        for layer, begin in zip(layers, self._halves(initial_state), strict=True):
            given = {"initial_state": begin, "mask": mask, "training": training}
            out = layer(sequences, **{name: value for name, value in given.items() if value is not None})
            output, *last = out if self.return_state else [out]
            found.append(output)
            states += last
        if self.return_sequences:
            found[1] = ops.flip(found[1], 1)
        merged = _MERGES[self.merge_mode](*found)
        return (*(merged if self.merge_mode is None else [merged]), *states) if self.return_state else merged

    def _halves(self, states: Any) -> Any:
        """The first states of the two layers."""
        if states is None:
            return None, None
        count = len(states) if isinstance(states, (list, tuple)) else 1
        if count % 2:
            fix = "initial_state=[*states of the layer, *states of the backward layer]"
            raise ArgumentError(f"Bidirectional needs states for both directions, {count} were given.", where=self.name, fix=fix)
        return list(states[: count // 2]), list(states[count // 2 :])

    def compute_mask(self, inputs: Any, previous_mask: Any = None) -> Any:
        kept = first(previous_mask) if self.return_sequences and previous_mask is not None else None
        outputs = [kept] * (2 if self.merge_mode is None else 1)
        states = [None] * (2 * len(tree.flatten(self.forward_layer.get_initial_state(1)))) if self.return_state else []
        return [*outputs, *states] if len(outputs) + len(states) > 1 else kept

    # ---- states ----
    @property
    def states(self) -> Any:
        """The variables that hold both layers' states from batch to batch; None unless `stateful`."""
        found = self.forward_layer.states, self.backward_layer.states
        return None if found[0] is None else tuple(state for states in found for state in states)

    def reset_state(self) -> None:
        """Let stateful layers begin anew."""
        self.forward_layer.reset_state()
        self.backward_layer.reset_state()

    reset_states = reset_state


delattr(Bidirectional, "weights")  # the field's default must not hide the property
