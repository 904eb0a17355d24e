"""`Relay`: the callbacks and histories of the variants, told what happens to the population."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from keraunos.callbacks import Callback, CallbackList, History
from keraunos.core.errors import ArgumentError
from keraunos.training.loops import Position

_BATCHES = [f"on_{kind}batch_{end}" for kind in ("", "train_", "test_", "predict_") for end in ("begin", "end")]


class Relay(Callback):
    """Calls the callbacks of each variant that still runs, on its model as it is then, and keeps its history.

    Args:
        population: The population.
        make: A function of a variant's number that returns its callbacks, or None.

    Raises:
        ArgumentError: A callback wants to see batches, or keeps the state of a run.
    """

    by_batch = False

    def __init__(self, population: Any, make: Callable[[int], Any] | None = None):
        self.population, self.given = population, make is not None
        self.histories = [History() for _ in population.models]
        self.lists = [CallbackList(make(i) if make else None, model=model) for i, model in enumerate(population.models)]
        self.ended = [False] * len(self.lists)
        wrong = next((c for held in self.lists for c in held.callbacks if CallbackList([c]).needs(*_BATCHES)), None)
        if wrong is not None:
            fix = "let it act at the end of epochs"
            raise ArgumentError(f"{type(wrong).__name__} wants to see each batch, which variants do not have alone.", where="callbacks", fix=fix)
        if keeper := next((c for held in self.lists for c in held.callbacks if getattr(c, "is_last", False)), None):
            fix = "keep the models: keras.callbacks.ModelCheckpoint"
            raise ArgumentError(f"{type(keeper).__name__} goes on with a run of one model; a variant has none alone.", where="callbacks", fix=fix)

    def _running(self) -> list[int]:
        return [i for i, ended in enumerate(self.ended) if not ended]

    def _tell(self, mark: str, arguments: Callable[[int], tuple[Any, ...]]) -> None:
        """Call a mark of the callbacks of the variants that run."""
        if any(held.needs(mark) for held in self.lists):
            self.population._spread()
            for i in self._running():
                self.lists[i].call(mark, *arguments(i))
            self.population._collect()

    def set_params(self, params: dict[str, Any]) -> None:
        super().set_params(params)
        for callback in (c for held, history in zip(self.lists, self.histories, strict=True) for c in (*held.callbacks, history)):
            callback.set_params(params)

    def on_train_begin(self, logs: Any = None) -> None:
        self.logs: list[Any] = [{} for _ in self.lists]
        for history, model, held in zip(self.histories, self.population.models, self.lists, strict=True):
            model.position = Position(self.model.position.epoch, None, held.callbacks)
            history.set_model(model)
            history.on_train_begin()
            model.stop_training = False
        self.population.histories = self.histories
        self._tell("on_train_begin", lambda i: (None,))

    def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
        self._tell("on_epoch_begin", lambda i: (epoch, None))

    def on_test_begin(self, logs: Any = None) -> None:
        self._tell("on_test_begin", lambda i: (None,))

    def on_test_end(self, logs: Any = None) -> None:
        own = _split(logs, len(self.lists))
        self._tell("on_test_end", lambda i: (own[i],))

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        self.logs = [new if not ended else old for new, old, ended in zip(_split(logs, len(self.lists)), self.logs, self.ended, strict=True)]
        self._tell("on_epoch_end", lambda i: (epoch, self.logs[i]))
        for i in self._running():
            self.histories[i].on_epoch_end(epoch, self.logs[i])
        stopped = [i for i in self._running() if self.population.models[i].stop_training]
        if stopped:
            self._end(stopped, finished=True)
            for i in stopped:
                self.model.freeze(i)

    def on_train_end(self, logs: Any = None) -> None:
        self._end(self._running(), finished=self.model.position.ended)

    def _end(self, variants: list[int], finished: bool) -> None:
        """End the training of some variants."""
        self.population._spread()
        for i in variants:
            self.ended[i] = True
            model = self.population.models[i]
            model.position.ended = finished
            if finished and model.optimizer is not None:
                model.optimizer.finalize_variable_values(model.trainable_variables)
            self.lists[i].end(self.logs[i])
            model.position.leave()
        self.population._collect()


def _split(logs: Any, count: int) -> list[dict[str, Any]]:
    """Logs that have a value for each variant, as logs of each variant."""

    def of(value: Any, i: int) -> Any:
        return {name: of(v, i) for name, v in value.items()} if isinstance(value, dict) else value[i] if isinstance(value, list) else value

    return [of(logs or {}, i) for i in range(count)]
