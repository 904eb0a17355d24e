"""`Trainer`: `fit`, `evaluate` and `predict`, once for every engine.

Data that fits lives on the device, and where steps are short many of them are one dispatch, if measuring shows that it is faster.
"""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np

from keraunos.callbacks import CallbackList
from keraunos.core import tree
from keraunos.core.errors import ArgumentError, DataError
from keraunos.core.frames import shortened
from keraunos.core.locating import failed
from keraunos.core.variable import send
from keraunos.data.adapters import ArraySource, source, split, unpack_x_y_sample_weight
from keraunos.training.checks import check_callbacks, check_data, check_finite, check_goals, check_inputs, check_model
from keraunos.training.loops import Loop, Position
from keraunos.training.nonfinite import Watch, guard
from keraunos.training.progress import Progress
from keraunos.training.steps import Steps, numbers, whole
from keraunos.training.suspicions import suspect


class Trainer(Steps):
    """The training half of `Model`."""

    # ---- fit ----
    @shortened
    def fit(
        self, x: Any = None, y: Any = None, batch_size: int | None = None, epochs: int = 1, verbose: Any = "auto", callbacks: Any = None,
        validation_split: float = 0.0, validation_data: Any = None, shuffle: bool = True, class_weight: Any = None, sample_weight: Any = None,
        initial_epoch: int = 0, steps_per_epoch: int | None = None, validation_steps: int | None = None, validation_batch_size: int | None = None,
        validation_freq: Any = 1, *, debug_nans: bool = False,
    ) -> Any:  # fmt: skip
        """Train the model.

        Args:
            x: Arrays, frames, tables, tensors or sparse matrices, a list or dict of them, or anything that yields batches: data sets of PyTorch, TensorFlow, Grain
                and Hugging Face, generators. Slow data is read ahead by a thread; what is read of a generator and not used stays for the next run.
            y: The targets, where x is arrays.
            batch_size: The number of samples in a step, 32 by default.
            epochs: The number of passes over the data.
            verbose: 0 (silent), 1 (a bar), 2 (a line an epoch), or "auto".
            callbacks: Callbacks.
            validation_split: The fraction of the arrays, from their end, to validate on.
            validation_data: `(x, y)`, `(x, y, sample_weight)` or what yields them.
            shuffle: Whether arrays are shuffled before each epoch.
            class_weight: A weight for each class, for models of one output; with `sample_weight`, the product of both counts.
            sample_weight: A weight for each sample, or each step of it; lists or dicts of them for several outputs.
            initial_epoch: The epoch to begin with.
            steps_per_epoch: The number of steps that make an epoch; the next one goes on where it ended.
            validation_steps: The number of validation batches.
            validation_batch_size: The number of samples in a validation batch; `batch_size` by default.
            validation_freq: Validate after every so many epochs, or after the listed ones, counted from 1.
            debug_nans: Whether each step is looked at, which takes time, and training stops with an error where something becomes NaN or infinite: it
                names the batch, and the layer and op, forward or backward, the weight or the data where such a value was first. Keras has no such argument.

        Returns:
            A `History`, whose `history` has the logs of each epoch by name.

        Raises:
            StateError: The model is not compiled.
            DataError: The data cannot be meant.
            ArgumentError: An argument has no such value.
            TrainingError: With `debug_nans`, something is not finite.
        """
        self._require_compiled("fit")
        epochs, initial_epoch = whole("epochs", epochs), whole("initial_epoch", initial_epoch)
        if not isinstance(validation_freq, (list, tuple, set, frozenset, range)):
            validation_freq = whole("validation_freq", validation_freq, least=1)
        with self._engine():
            if validation_split:
                if validation_data is not None:
                    raise ArgumentError("Pass validation_split or validation_data, not both.", where="fit", fix="leave validation_split out")
                (x, y, sample_weight), validation_data = split((x, y, sample_weight), validation_split)
            if class_weight is not None and y is not None:
                sample_weight, class_weight = self._by_class(y, class_weight, sample_weight), None
            data = self._source(x, y, sample_weight, batch_size, shuffle, steps_per_epoch, self._preparing(training=True))
            callback_list = CallbackList(callbacks, add_history=True, model=self, epochs=epochs, steps=data.steps, verbose=verbose)
            head = data.head
            check_data(self, data, head, "fit")
            if class_weight is not None:
                self._by_class(head[1], class_weight, head[2])  # which may refuse them
            check_callbacks(callback_list, validation_data)
            self._symbolic_build(head, training=True)
            check_model(self)
            check_finite(self, head)
            check_inputs(self, data, head)
            check_goals(self, data, head)
            suspect(self, data, head, epochs=epochs, initial_epoch=initial_epoch, validation=validation_data, split=bool(validation_split))
            passes = sum(_due(epoch, validation_freq) for epoch in range(initial_epoch, epochs))
            if validation_batch_size is None and isinstance(validation_data, (tuple, list)):
                validation_batch_size = batch_size
            validation = self._validation(validation_data, validation_batch_size, validation_steps, callback_list, passes)
            progress = self._progress(verbose, epochs)
            loop = Loop(self, "train", data, callback_list, class_weight, epochs - initial_epoch)
            if debug_nans:
                guard(loop)
            self.stop_training = False
            logs: dict[str, Any] = {}
            position = self.position = Position(initial_epoch, data, callback_list.callbacks)
            watch = Watch(self, data, loop)
            callback_list.begin()
            try:
                for epoch in range(position.epoch, epochs):
                    passed = position.begin(epoch)
                    if not passed:
                        self.reset_metrics()
                    callback_list.call("on_epoch_begin", epoch, None)
                    watch.begin(passed)
                    progress.begin(epoch, data.steps)
                    logs = loop.epoch(epoch, progress, passed=passed)
                    if loop.done == 0:
                        raise DataError("The data gave no batch.", where="x", fix="a generator can be used once: pass a new one, or steps_per_epoch")
                    watch.end(epoch, logs)
                    if validation is not None and _due(epoch, validation_freq):
                        found = self._evaluate(validation)
                        logs.update({f"val_{name}": value for name, value in found.items()})
                    data.epoch_end()
                    callback_list.call("on_epoch_end", epoch, logs)
                    progress.end(loop.done, logs)
                    if self.stop_training:
                        break
                if self.optimizer is not None:
                    self.optimizer.finalize_variable_values(self.trainable_variables)  # type: ignore[attr-defined]
                position.ended = True
            finally:
                for source_of in (data, *([validation.data] if validation is not None else [])):
                    source_of.close()
                progress.close()
                try:
                    callback_list.end(logs)
                finally:
                    position.leave()
            return callback_list.history

    def _validation(self, data: Any, batch_size: int | None, steps: int | None, callbacks: CallbackList, passes: int) -> Loop | None:
        if data is None:
            return None
        parts = unpack_x_y_sample_weight(data) if isinstance(data, (tuple, list)) else (data, None, None)
        found = source(*parts, batch_size=batch_size, steps=steps, prepare=self._preparing())
        head = found.head
        check_data(self, found, head, "validation_data")
        for compiled in (self._compiled_loss, self._compiled_metrics):  # what does not fit is not found after an epoch
            if compiled is not None and head[1] is not None and not self._overrides("test_step"):
                compiled.aligned(head[1], (), head[2])
        check_finite(self, head, "validation_data")
        check_inputs(self, found, head)
        check_goals(self, found, head, "validation_data")
        return Loop(self, "test", found, callbacks, epochs=passes)

    def _evaluate(self, loop: Loop, progress: Progress | None = None) -> dict[str, Any]:
        """The logs of one pass over the loop's data."""
        loop.callbacks.call("on_test_begin", None)
        self.reset_metrics()
        with self._backend.forward():  # type: ignore[attr-defined]
            logs = loop.epoch(0, progress)
        loop.callbacks.call("on_test_end", logs)
        return logs

    # ---- evaluate and predict ----
    @shortened
    def evaluate(
        self, x: Any = None, y: Any = None, batch_size: int | None = None, verbose: Any = "auto", sample_weight: Any = None,
        steps: int | None = None, callbacks: Any = None, return_dict: bool = False,
    ) -> Any:  # fmt: skip
        """The loss and metrics on data.

        Args:
            x: Arrays, or what yields batches.
            y: The targets, where x is arrays.
            batch_size: The number of samples in a batch, 32 by default.
            verbose: 0 (silent), 1, 2, or "auto".
            sample_weight: A weight for each sample.
            steps: The number of batches.
            callbacks: Callbacks.
            return_dict: Whether to return a dict by name; else a list, or one number.

        Raises:
            StateError: The model is not compiled.
        """
        self._require_compiled("evaluate")
        with self._engine():
            data = source(x, y, sample_weight, batch_size, False, steps, self._preparing())
            callback_list = CallbackList(callbacks, model=self, epochs=1, steps=data.steps, verbose=verbose)
            head = data.head
            check_data(self, data, head, "evaluate")
            self._symbolic_build(head, training=False)
            check_finite(self, head)
            check_inputs(self, data, head)
            check_goals(self, data, head)
            progress = self._progress(verbose, title="Evaluate")
            progress.begin(0, data.steps)
            loop = Loop(self, "test", data, callback_list)
            logs = self._evaluate(loop, progress)
            progress.end(loop.done, logs)
        values = list(logs.values())
        return logs if return_dict else values[0] if len(values) == 1 else values

    @shortened
    def predict(self, x: Any, batch_size: int | None = None, verbose: Any = "auto", steps: int | None = None, callbacks: Any = None) -> Any:
        """The outputs for data, as NumPy arrays.

        Args:
            x: Arrays, or what yields batches.
            batch_size: The number of samples in a batch, 32 by default.
            verbose: 0 (silent), 1, 2, or "auto".
            steps: The number of batches.
            callbacks: Callbacks.

        Example:

        >>> import keraunos as keras
        >>> model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(2)])
        >>> model.predict(keras.ops.ones((5, 3)), verbose=0).shape
        (5, 2)
        """
        backend = self._backend  # type: ignore[attr-defined]
        small = type(x) is np.ndarray and x.dtype == np.float32 and x.ndim > 0 and 0 < len(x) <= (batch_size or 32)
        if (
            small
            and self._split is None
            and callbacks is None
            and steps is None
            and (program := self._cache.get("plain predict")) is not None
            and Progress(verbose).verbose == 0
        ):
            with self._engine(), backend.forward():
                given = x if program.compiles and getattr(backend, "takes_arrays", False) else backend.array(x)
                return tree.map_structure(lambda v: np.array(backend.to_numpy(v)), program(given))  # copies, to be changed at will
        with self._engine():
            data = source(x, None, None, batch_size, False, steps, self._preparing())
            callback_list = CallbackList(callbacks, model=self, epochs=1, steps=data.steps, verbose=verbose)
            head = data.head
            if not self.built:  # type: ignore[attr-defined]
                self._symbolic_build(head, training=False)
            check_inputs(self, data, head)
            progress = self._progress(verbose, title="Predict")
            progress.begin(0, data.steps)
            callback_list.call("on_predict_begin", None)
            outputs: list[Any] = []
            loop = Loop(self, "predict", data, callback_list, resident=False)
            with backend.forward():
                loop.epoch(0, progress, outputs)
            if not self._overrides("make_predict_function") and loop.distribution is None:
                self._cache["plain predict"] = self._program("predict")  # for the short way above
            with loop._told():
                send(tree.flatten(outputs))
                arrays = [[backend.to_numpy(v) for v in tree.flatten(structure)] for structure in outputs]
            callback_list.call("on_predict_end", None)
            if progress.live:
                progress.end(loop.done, {})
        joined = [np.concatenate(parts) if len(parts) > 1 else np.array(next(iter(parts))) for parts in zip(*arrays, strict=True)]
        return tree.pack_sequence_as(outputs[0], joined)

    # ---- single batches ----
    @shortened
    def train_on_batch(self, x: Any, y: Any = None, sample_weight: Any = None, class_weight: Any = None, return_dict: bool = False) -> Any:
        """One step of training on one batch; returns the logs."""
        self._require_compiled("train_on_batch")
        if class_weight is not None:
            with self._engine():
                sample_weight = self._by_class(y, class_weight, sample_weight)
        return self._on_batch("train", x, y, sample_weight, return_dict)

    @shortened
    def test_on_batch(self, x: Any, y: Any = None, sample_weight: Any = None, return_dict: bool = False) -> Any:
        """The loss and metrics on one batch."""
        self._require_compiled("test_on_batch")
        return self._on_batch("test", x, y, sample_weight, return_dict)

    def _on_batch(self, kind: str, x: Any, y: Any, sample_weight: Any, return_dict: bool) -> Any:
        with self._engine():
            data = ArraySource(x, y, sample_weight, prepare=self._preparing(training=kind == "train"))
            data.batch_size = data.size
            batch = data.data if data.prepare is None else data.head
            if batch[1] is None:
                check_data(self, data, batch, f"{kind}_on_batch")
            self._symbolic_build(batch, training=kind == "train")
            if (kind, "afresh") not in self._cache:  # the first batch, as in fit
                check_inputs(self, data, batch)
                check_goals(self, data, batch)
            order = self._cache.setdefault(("order", kind), [])
            try:
                logs = numbers(self._program(kind, partial(self._afresh, order), "afresh")(Loop(self, kind, data, resident=False)._tensors(batch)))
            except Exception as error:  # which engines may tell of only when the numbers are read
                if better := failed(error, list):
                    raise better from better.__cause__
                raise
            logs = {name: logs[name] for name in order}
        values = list(logs.values())
        return logs if return_dict else values[0] if len(values) == 1 else values

    def _afresh(self, order: list[str], step: Any) -> Any:
        """A step whose logs are those of its batch alone; it notes the order of their names, which engines do not keep."""

        def run(data: Any) -> Any:
            self.reset_metrics()
            with self._run():
                logs = step(data)
            logs = logs or self.get_metrics_result()
            order[:] = logs
            return logs

        return run

    @shortened
    def predict_on_batch(self, x: Any) -> Any:
        """The outputs for one batch, as NumPy arrays."""
        leaf = next((a for a in tree.flatten(x) if getattr(a, "shape", None)), x)  # the sizes of lists, and what is no data, are predict's to refuse
        return self.predict(x, batch_size=max(1, len(leaf)) if hasattr(leaf, "__len__") else None, verbose=0)


def _due(epoch: int, freq: Any) -> bool:
    """Whether an epoch ends with validation."""
    return (epoch + 1) % freq == 0 if isinstance(freq, int) else epoch + 1 in freq
