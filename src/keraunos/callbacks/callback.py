"""`Callback`, several as one, and the simplest."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from numbers import Real
from typing import Any, TypeGuard

from keraunos.core.errors import ArgumentError, ArgumentTypeError, StateError, suggestion
from keraunos.core.frames import shortened


def is_count(x: Any) -> TypeGuard[int]:
    """Whether `x` is a positive integer; a bool is none."""
    return isinstance(x, int) and not isinstance(x, bool) and x >= 1


def _hook(self: Any, *args: Any, **kwargs: Any) -> None:
    """Called at this mark; does nothing unless a subclass defines it."""


class Callback:
    """The base of callbacks: methods that are called at the marks of a run.

    `self.model` is the model and `self.params` the run's settings.

    Example:

    >>> import keraunos as keras
    >>> class Report(keras.callbacks.Callback):
    ...     def on_epoch_end(self, epoch, logs=None):
    ...         print(f"epoch {epoch} is over")
    """

    params: dict[str, Any]
    model: Any = None
    by_batch = True  # whether methods of ours for the marks of batches do something
    is_last = False  # whether it is called after the others, whose state it keeps
    counted: tuple[str, ...] = ()  # the attributes that are its state

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        if "__init__" in vars(cls) and cls.__module__.startswith("keraunos."):
            cls.__init__ = shortened(cls.__init__)  # which answers misspelt arguments

    def set_params(self, params: dict[str, Any]) -> None:
        """Take the settings of the run."""
        self.params = params

    def set_model(self, model: Any) -> None:
        """Take the model."""
        self.model = model

    def get_state(self) -> dict[str, Any]:
        """What it has counted and a run that is cut off should go on with: numbers, texts and NumPy arrays, in lists and dicts.

        `BackupAndRestore` keeps it, and gives it to `set_state` of the callback of this class in the run that goes on, after `on_train_begin`.
        """
        return {name.lstrip("_"): getattr(self, name) for name in self.counted}

    def set_state(self, state: dict[str, Any]) -> None:
        """Go on with what `get_state` gave."""
        vars(self).update({name: state[name.lstrip("_")] for name in self.counted})

    on_epoch_begin = on_epoch_end = on_batch_begin = on_batch_end = _hook
    on_train_begin = on_train_end = on_test_begin = on_test_end = on_predict_begin = on_predict_end = _hook
    on_test_batch_begin = on_test_batch_end = on_predict_batch_begin = on_predict_batch_end = _hook

    def acts_on(self, mark: str) -> bool:
        """Whether it does something at a mark, such as "on_epoch_end"; for the marks of batches that nobody acts on, nothing is waited for."""
        method = vars(self).get(mark) or getattr(type(self), mark)
        idle = not self.by_batch and "batch" in mark and method.__module__.startswith("keraunos.")
        return method is not getattr(Callback, mark) and not idle

    def on_train_batch_begin(self, batch: int, logs: Any = None) -> None:
        """Called before a training batch."""
        self.on_batch_begin(batch, logs)

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        """Called after a training batch."""
        self.on_batch_end(batch, logs)


class BatchCounter(Callback):
    """The base of callbacks that act after so many batches of training; a mark may be that of several."""

    _seen = _first = 0

    def on_train_batch_begin(self, batch: int, logs: Any = None) -> None:
        self._first = batch

    def _count(self, batch: int, every: int) -> bool:
        """Count the batches up to this one; whether a multiple of `every` is among them."""
        before, self._seen = self._seen, self._seen + batch + 1 - self._first
        return self._seen // every > before // every


class CallbackList:
    """Several callbacks as one, for training loops of your own; `fit` makes one by itself.

    A mark that is called on it is called on each: `callbacks.on_epoch_end(epoch, logs)`.

    Args:
        callbacks: The callbacks, in a list or another `CallbackList`, or one.
        add_history: Whether a `History` is added, if there is none.
        add_progbar: Whether the progress of `fit` is shown; its settings are the params `epochs`, `steps` (in an epoch) and `verbose`.
        model: The model.
        params: The run's settings.

    Raises:
        ArgumentTypeError: One of them is no callback.

    Example:

    >>> import keraunos as keras
    >>> report = keras.callbacks.LambdaCallback(on_epoch_end=lambda epoch, logs: print(epoch, logs))
    >>> callbacks = keras.callbacks.CallbackList([report], add_history=True)
    >>> callbacks.on_epoch_end(0, {"loss": 0.5})
    0 {'loss': 0.5}
    >>> callbacks.history.history
    {'loss': [0.5]}
    """

    def __init__(self, callbacks: Any = None, add_history: bool = False, add_progbar: bool = False, model: Any = None, **params: Any):
        callbacks = callbacks.callbacks if isinstance(callbacks, CallbackList) else callbacks
        self.callbacks: list[Any] = list(callbacks) if isinstance(callbacks, (list, tuple)) else [] if callbacks is None else [callbacks]
        for callback in self.callbacks:
            if isinstance(callback, type) or not hasattr(callback, "set_model"):
                kind = callback if isinstance(callback, type) else type(callback)
                fix = f"{kind.__name__}()" if kind is callback else "keras.callbacks.LambdaCallback(on_epoch_end=…) for a function, or a subclass of Callback"
                raise ArgumentTypeError(f"A callback is a keras.callbacks.Callback, got {kind.__name__}.", where="callbacks", fix=fix)
        if add_history and not any(isinstance(callback, History) for callback in self.callbacks):
            self.callbacks.append(History())
        if add_progbar:
            from keraunos.callbacks.recording import OwnProgress

            self.callbacks.append(OwnProgress())
        self.callbacks.sort(key=lambda callback: getattr(callback, "is_last", False))
        self.history = next((callback for callback in self.callbacks if isinstance(callback, History)), None)
        self.model = model
        self.set_params(params)
        if model is not None:
            self.set_model(model)

    def __getattr__(self, name: str) -> Any:
        """The marks: `callbacks.on_epoch_end(epoch, logs)` calls that of each."""
        if name.startswith("on_") and hasattr(Callback, name):
            return partial(self.call, name)
        raise AttributeError(f"'CallbackList' object has no attribute '{name}'", name=name, obj=self)

    def set_params(self, params: dict[str, Any]) -> None:
        """Give them all the settings of the run."""
        self.call("set_params", params)

    def set_model(self, model: Any) -> None:
        """Give them all the model."""
        self.model = model
        self.call("set_model", model)

    def needs(self, *marks: str) -> bool:
        """Whether any callback does something at one of these marks."""
        return any(_acts(callback, mark) for callback in self.callbacks for mark in marks)

    def call(self, mark: str, *args: Any, **kwargs: Any) -> None:
        """Call a mark of every callback."""
        for callback in self.callbacks:
            getattr(callback, mark)(*args, **kwargs)

    def begin(self) -> None:
        """Tell that training begins; if one refuses, those that had begun are told that it ends."""
        for i, callback in enumerate(self.callbacks):
            try:
                callback.on_train_begin(None)
            except BaseException:
                self.end({}, self.callbacks[:i])
                raise

    def end(self, logs: Any, callbacks: Sequence[Any] | None = None) -> None:
        """Tell them all that training has ended, even if one fails; a run in which one does has not ended as it should."""
        failure: BaseException | None = None
        for callback in self.callbacks if callbacks is None else callbacks:
            try:
                callback.on_train_end(logs)
            except BaseException as error:
                failure = failure or error
                if self.model is not None:
                    self.model.position.ended = False
        if failure is not None:
            raise failure

    def append(self, callback: Any) -> None:
        """Add a callback."""
        self.callbacks.append(callback)


def _acts(callback: Any, mark: str) -> bool:
    own = getattr(callback, "acts_on", None)  # one that is not ours may have no such method
    return own(mark) if own is not None else hasattr(callback, mark)


class History(Callback):
    """What `fit` returns: the logs of every epoch, by name, in `history`; in a notebook, a chart of them.

    Example:

    >>> import keraunos as keras
    >>> model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(1)])
    >>> model.compile("sgd", "mse")
    >>> history = model.fit(keras.ops.ones((4, 2)), keras.ops.ones((4, 1)), epochs=3, verbose=0)
    >>> chart = history.plot()  # history.plot("curves.svg") writes it to a file
    """

    counted = ("history", "epoch", "_places", "_last")

    def __init__(self) -> None:
        self.history: dict[str, list[Any]] = {}
        self.epoch: list[int] = []
        self._places: dict[str, list[int]] = {}  # of the values of each log, counted over all runs from 1
        self._last = 0

    def on_train_begin(self, logs: Any = None) -> None:
        self.epoch = []

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        self.epoch.append(epoch)
        self._last = max(epoch + 1, self._last + 1)
        for name, value in (logs or {}).items():
            self.history.setdefault(name, []).append(value)
            self._places.setdefault(name, []).append(self._last)

    def plot(self, path: Any = None, names: Any = None, scale: str = "auto") -> Any:
        """A chart of the logs: training drawn through, validation dashed, the best epoch in a ring.

        Args:
            path: Where to write it as an SVG file, beside returning it; none by default.
            names: The logs to show, such as `["loss", "accuracy"]`, each with that of validation, or `"val_loss"` alone; all that are numbers by default.
            scale: "linear", "log", or "auto": logarithmic where values span more than two powers of ten. The scale of a log with values that are not
                positive is linear.

        Returns:
            A `Chart`, which notebooks show.

        Raises:
            ArgumentError: There is no such log; the path does not end in `.svg`.
            StateError: There are no logs.
        """
        from keraunos.callbacks.charts import Chart, Line

        lines = [Line(n, self._epochs_of(n), v, n.startswith("val_")) for n, v in self.history.items() if _numbers(v)]
        panels: dict[str, list[Line]] = {}
        for line in lines:
            panels.setdefault(line.name.removeprefix("val_"), []).append(line)
        if not panels:
            raise StateError("There is nothing to plot: no epoch has ended.", where="History.plot", fix="history = model.fit(x, y, epochs=10)")
        wanted = list(panels) if names is None else [names] if isinstance(names, str) else list(names)
        panels = {line.name: [line] for line in lines} | panels
        if not wanted:
            raise ArgumentError("There is no log to plot.", where="History.plot", received=f"names={names!r}", fix=f"names={list(panels)}, or leave it out")
        for name in wanted:
            if name not in panels:
                raise ArgumentError(f"There is no log '{name}'.", where="History.plot", fix=suggestion(name, panels))
        chart = Chart({name: panels[name] for name in wanted}, scale)
        if path is not None:
            chart.save(path)
        return chart

    def _epochs_of(self, name: str) -> Sequence[int]:
        """The epochs of a log's values; where values were added by hand, just one after the other."""
        places, count = self._places.get(name, ()), len(self.history[name])
        return places if len(places) == count else range(1, count + 1)

    def _repr_html_(self) -> str | None:
        return self.plot()._repr_html_() if any(map(_numbers, self.history.values())) else None


def _numbers(values: list[Any]) -> bool:
    return bool(values) and all(isinstance(value, Real) for value in values)


class LambdaCallback(Callback):
    """A callback of given functions.

    Args:
        on_epoch_begin: `f(epoch, logs)`.
        on_epoch_end: `f(epoch, logs)`.
        on_train_begin: `f(logs)`.
        on_train_end: `f(logs)`.
        on_train_batch_begin: `f(batch, logs)`.
        on_train_batch_end: `f(batch, logs)`.
        kwargs: Functions for other marks by name.

    Raises:
        ArgumentTypeError: There is no such mark.

    Example:

    >>> import keraunos as keras, numpy as np
    >>> model = keras.Sequential([keras.Input((1,)), keras.layers.Dense(1)])
    >>> model.compile("sgd", "mse")
    >>> report = keras.callbacks.LambdaCallback(on_epoch_end=lambda epoch, logs: print(epoch, list(logs)))
    >>> history = model.fit(np.ones((8, 1)), np.ones((8, 1)), epochs=2, verbose=0, callbacks=[report])
    0 ['loss']
    1 ['loss']
    """

    def __init__(self, on_epoch_begin: Any = None, on_epoch_end: Any = None, on_train_begin: Any = None, on_train_end: Any = None,
                 on_train_batch_begin: Any = None, on_train_batch_end: Any = None, **kwargs: Any):  # fmt: skip
        given = {name: value for name, value in locals().items() if name.startswith("on_")} | kwargs
        for mark, function in given.items():
            if not (mark.startswith("on_") and hasattr(Callback, mark)):
                fix = suggestion(mark, [name for name in dir(Callback) if name.startswith("on_")])
                raise ArgumentTypeError(f"There is no mark '{mark}'.", where="LambdaCallback", fix=fix)
            if function is not None:
                self.__dict__[mark] = function
