"""A callback that puts the moving averages of the weights in their place."""

from __future__ import annotations

from typing import Any

from keraunos.callbacks.callback import Callback
from keraunos.core.errors import StateError


class SwapEMAWeights(Callback):
    """Evaluate, predict and save with the moving averages that an optimizer keeps (`use_ema=True`), train with the weights themselves.

    Args:
        swap_on_epoch: Whether they also change places at the end of each epoch, for the callbacks that come after this one, such as `ModelCheckpoint`.

    Raises:
        StateError: The optimizer keeps no averages.

    Example:

    >>> import keraunos as keras
    >>> model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(1)])
    >>> model.compile(keras.optimizers.Adam(use_ema=True), "mse")
    >>> history = model.fit(keras.ops.ones((4, 2)), keras.ops.ones((4, 1)), callbacks=[SwapEMAWeights()], verbose=0)
    """

    def __init__(self, swap_on_epoch: bool = False):
        self.swap_on_epoch = swap_on_epoch

    @property
    def _optimizer(self) -> Any:
        return getattr(self.model.optimizer, "inner_optimizer", self.model.optimizer)

    def _swap(self, wanted: bool) -> None:
        """Let the averages be where the weights were, or back."""
        optimizer = self._optimizer
        if optimizer.swapped == wanted:
            return
        for variable, average in zip(optimizer._trained, optimizer._averages, strict=True):
            value, mean = variable.numpy(), average.numpy()
            variable.assign(mean)
            average.assign(value)
        optimizer.swapped = wanted

    def _check(self) -> None:
        if not getattr(self._optimizer, "use_ema", False):
            raise StateError("The optimizer keeps no moving averages.", where="SwapEMAWeights", fix="keras.optimizers.Adam(use_ema=True)")

    def get_state(self) -> dict[str, Any]:
        """Whether the averages are in the place of the weights."""
        return {"swapped": self._optimizer.swapped}

    def set_state(self, state: dict[str, Any]) -> None:
        """Go on with what `get_state` gave."""
        self._optimizer.swapped = state["swapped"]

    def on_train_begin(self, logs: Any = None) -> None:
        self._check()

    def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
        self._swap(False)

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        if self.swap_on_epoch:
            self._swap(True)

    def on_test_begin(self, logs: Any = None) -> None:
        self._check()
        self._swap(True)

    def on_test_end(self, logs: Any = None) -> None:
        self._swap(False)

    on_predict_begin, on_predict_end = on_test_begin, on_test_end

    def on_train_end(self, logs: Any = None) -> None:
        if self._optimizer.swapped and self.model.position.ended:  # the averages are to stay
            self._optimizer.settle()
        self._swap(False)
