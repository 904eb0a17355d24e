"""`Steps`: what `compile` says, the steps that users may override, and the compiled programs of them, once for every engine.

A step is ordinary code over layers, losses, metrics and an optimizer; `core.functional.Program` makes it one compiled program where the
engine compiles.
"""

from __future__ import annotations

import inspect
import operator
from typing import Any

import numpy as np

from keraunos import losses as losses_module
from keraunos import metrics as metrics_module
from keraunos import ops
from keraunos.core import config, tree
from keraunos.core.errors import ArgumentError, ShapeError, StateError
from keraunos.core.frames import shortened
from keraunos.core.functional import Program, functional, value_and_grad
from keraunos.core.scope import scope, within
from keraunos.core.spec import Spec, show
from keraunos.core.variable import Variable, send
from keraunos.data.adapters import class_weights, source, unpack_x_y_sample_weight
from keraunos.layers.tracking import Cache
from keraunos.training.compiled import ACCURACY, CROSSENTROPY, CompiledLoss, CompiledMetrics, names_of
from keraunos.training.flow import Flow
from keraunos.training.progress import Progress


def _setting(name: str, doc: str) -> Any:
    """A property whose assignment gives up the compiled programs, which were made with the former value."""

    def assign(self: Any, value: Any) -> None:
        if self.__dict__.get(name) != value:
            self._programs = Cache()
        self.__dict__[name] = value

    return property(lambda self: self.__dict__.get(name), assign, doc=doc)


class Steps:
    """The half of `Trainer` that knows single steps."""

    run_eagerly = _setting("_runs_eagerly", "Whether steps run op by op; it may be assigned.")
    jit_compile = _setting("_compiles", "Whether steps are compiled, None where that is left to the engine; it may be assigned.")

    optimizer: Any = None
    loss: Any = None
    stop_training = False
    compiled = False
    steps_per_execution: Any = 1
    _compile_arguments: dict[str, Any]
    _scales_loss = False
    _split: Any = None  # its graph in two, if some of it runs on the host
    position: Any = None  # where the last run of fit is
    _progress = Progress  # what shows how far it is
    _source = staticmethod(source)  # what gives batches of the data that it is trained on

    @property
    def _cache(self) -> Cache:
        """Compiled programs and what is looked up once, for what is trained now and by which optimizer."""
        optimizer, held = self.optimizer, self.__dict__.setdefault("_programs", Cache())
        marks = (Variable.flipped, optimizer, getattr(getattr(optimizer, "inner_optimizer", optimizer), "_rate", None), config.distribution())
        if "now" not in held or any(map(operator.is_not, marks, held["now"][0])):
            learnt = [layer.learnt for layer in self._flatten_layers()]  # type: ignore[attr-defined]
            held["now"] = marks, held.setdefault((*marks[1:], *learnt, *self.trainable_variables, None, *self.weights), Cache())  # type: ignore[attr-defined]
        return held["now"][1]

    @property
    def _running(self) -> bool:
        """Whether this thread goes through data: logs are read late, variables are looked up once."""
        return scope.running is self

    def _run(self, running: bool = True) -> Any:
        return within(running=self if running else None)

    # ---- compile ----
    @shortened
    def compile(
        self, optimizer: Any = "rmsprop", loss: Any = None, loss_weights: Any = None, metrics: Any = None, weighted_metrics: Any = None,
        run_eagerly: bool = False, steps_per_execution: Any = 1, jit_compile: Any = "auto", auto_scale_loss: bool = True,
    ) -> None:  # fmt: skip
        """Say how the model is trained.

        Args:
            optimizer: An optimizer or its name.
            loss: A loss or its name; a list or dict of them for several outputs.
            loss_weights: The weight of each output's loss.
            metrics: Metrics or their names; lists or dicts of them for several outputs.
            weighted_metrics: Metrics to which sample weights apply.
            run_eagerly: Whether steps run op by op, for debugging.
            steps_per_execution: The number of steps that callbacks see as one batch, and that are one dispatch where the engine has loops.
                With 1 or "auto", callbacks see each, and more are one dispatch where nobody looks and measuring shows that it is faster.
            jit_compile: Whether steps are compiled; "auto" where the engine gains by it.
            auto_scale_loss: Whether the loss is scaled under mixed_float16.

        Raises:
            ArgumentError: A name is misspelt, an option has no such value, or the optimizer or a metric is another engine's.
            BackendError: The engine does not compile, and `jit_compile` is True.
        """
        from keraunos import optimizers

        steps = self._check_options(run_eagerly, steps_per_execution, jit_compile)
        mixed = auto_scale_loss and self._policy.name == "mixed_float16"  # type: ignore[attr-defined]
        with self._engine():
            self._loss_tracker, optimizer = metrics_module.Mean(name="loss"), optimizers.get(optimizer)
            if mixed and optimizer is not None and not isinstance(optimizer, optimizers.LossScaleOptimizer):
                optimizer = optimizers.LossScaleOptimizer(optimizer, name="loss_scale_optimizer")
        tree.map_structure(lambda x: losses_module.get(x) if isinstance(x, str) else x, loss)
        for metric in tree.flatten([metrics, weighted_metrics]):
            if isinstance(metric, str) and metric not in ACCURACY + CROSSENTROPY:
                metrics_module.get(metric)
            self._check_engine(metric, "A metric")
        self._check_engine(optimizer, "The optimizer")
        self._compile_arguments = {
            "optimizer": optimizer, "loss": loss, "loss_weights": loss_weights, "metrics": metrics, "weighted_metrics": weighted_metrics,
            "run_eagerly": run_eagerly, "steps_per_execution": steps_per_execution, "jit_compile": jit_compile,
        }  # fmt: skip
        self.optimizer, self.loss = optimizer, loss
        self._scales_loss = isinstance(optimizer, optimizers.LossScaleOptimizer) or getattr(optimizer, "loss_scale_factor", None) is not None
        if mixed != (self._policy.name == "mixed_float16"):  # type: ignore[attr-defined]
            self._compile_arguments["auto_scale_loss"] = False
        self.run_eagerly, self.steps_per_execution, self.jit_compile = bool(run_eagerly), steps, None if jit_compile == "auto" else jit_compile
        self._compiled_loss: CompiledLoss | None = None
        self._compiled_metrics: CompiledMetrics | None = None
        self.stop_training, self.compiled = False, True
        self._programs = Cache()

    def _check_options(self, run_eagerly: Any, steps_per_execution: Any, jit_compile: Any) -> int:
        """Refuse what cannot be meant; returns the number of steps in one dispatch."""
        if jit_compile not in ("auto", True, False, None):
            raise ArgumentError("jit_compile is True, False or 'auto'.", where="compile", received=f"jit_compile={jit_compile!r}", fix="leave it out: 'auto'")
        if jit_compile and jit_compile != "auto":
            if run_eagerly:
                fix = "run_eagerly=True to debug, else jit_compile=True"
                raise ArgumentError("Steps are compiled or run op by op, not both.", where="compile", received="run_eagerly=True, jit_compile=True", fix=fix)
            self._backend.compile(lambda: None, jit_compile=True)  # type: ignore[attr-defined]  # which the engine may refuse
        return 1 if steps_per_execution == "auto" else whole("steps_per_execution", steps_per_execution, least=1)

    def _check_engine(self, held: Any, what: str) -> None:
        """Refuse what holds another engine's variables."""
        own = self._backend  # type: ignore[attr-defined]
        own_variables = () if isinstance(held, type) else getattr(held, "variables", None) or ()
        other = next((v.backend for v in own_variables if isinstance(v, Variable) and v.backend is not own), None)
        if other is not None:
            fact = f"{what} was made on the {other.name} backend, and the model runs on {own.name}."
            fix = f"pass it by name, or make it under keras.config.backend_scope({own.name!r})"
            raise ArgumentError(fact, where=getattr(held, "name", None), fix=fix)

    def _require_compiled(self, what: str) -> None:
        if not self.compiled:
            fix = "model.compile(optimizer='adam', loss='sparse_categorical_crossentropy', metrics=['accuracy'])"
            raise StateError(f"{what} needs a compiled model.", where=getattr(self, "name", None), fix=fix, code="KR401")

    def _output_names(self, y_pred: Any) -> list[str]:
        names = getattr(self, "output_names", None) if getattr(self, "outputs", None) is not None else None
        count = len(tree.flatten(y_pred))
        if names and len(names) == count:
            return names
        return names_of(y_pred, ["output"] if count == 1 else [f"output_{i + 1}" for i in range(count)])

    def _prepare_loss(self, y: Any, y_pred: Any) -> None:
        """Make losses and metrics when the outputs are first seen."""
        names, given = self._output_names(y_pred), self._compile_arguments
        if self._compiled_loss is None and self.loss is not None:
            self._compiled_loss = CompiledLoss(self.loss, given["loss_weights"], names, y_pred)
        if self._compiled_metrics is None:
            taken = [name for name, _ in self._compiled_own()]
            self._compiled_metrics = CompiledMetrics(given["metrics"], given["weighted_metrics"], names, y, y_pred, taken)

    # ---- what users may override ----
    def compute_loss(self, x: Any = None, y: Any = None, y_pred: Any = None, sample_weight: Any = None, training: bool = True) -> Any:
        """The total loss of a batch: the compiled losses and what layers added."""
        extra = self._added_losses()
        if self.loss is None:
            if not extra and not training:
                return 0.0  # there are metrics to look at all the same
            if not extra:
                fix = "compile(loss=…), override compute_loss, or call add_loss in a layer"
                raise StateError("There is no loss to minimise.", where=getattr(self, "name", None), fix=fix)
            total = None
        else:
            if self._compiled_loss is None:
                self._prepare_loss(y, y_pred)
            assert self._compiled_loss is not None
            total = self._compiled_loss(y, y_pred, sample_weight)
        for value in extra:
            total = value if total is None else ops.add(total, value)
        return total

    def _added_losses(self) -> list[Any]:
        found = [loss for layer in self._lossy for loss in layer._losses]  # type: ignore[attr-defined]
        return found + [v.regularizer(v) for v in self._step_variables() if v.regularizer is not None]

    def compute_metrics(self, x: Any, y: Any, y_pred: Any, sample_weight: Any = None) -> dict[str, Any]:
        """Update the metrics with a batch; returns the logs."""
        if y is not None and (self._compile_arguments["metrics"] or self._compile_arguments["weighted_metrics"]):
            if self._compiled_metrics is None:
                self._prepare_loss(y, y_pred)
            assert self._compiled_metrics is not None
            self._compiled_metrics.update(y, y_pred, sample_weight)
        return self.get_metrics_result()

    def get_metrics_result(self) -> dict[str, Any]:
        """The logs: the metrics' results by name."""
        if self._running:
            return {}
        logs: dict[str, Any] = {}
        names = {id(metric): name for name, metric in self._compiled_own()}
        for metric in self.metrics:  # which users may override
            result = metric.result()
            logs.update(result if isinstance(result, dict) else {names.get(id(metric), str(metric.name)): result})
        return logs

    def _compiled_own(self) -> list[tuple[str, Any]]:
        """The metrics that follow from `compile`, and their names in the logs."""
        if not self.compiled:
            return []
        trackers = [(str(m.name), m) for m in self._compiled_loss.trackers.values()] if self._compiled_loss else []
        return [("loss", self._loss_tracker), *trackers, *(self._compiled_metrics.metrics if self._compiled_metrics else [])]

    def _held_metrics(self) -> list[Any]:
        own = {id(m) for _, m in self._compiled_own()}
        return [m for m in super().metrics if id(m) not in own]  # type: ignore[misc]

    @property
    def metrics(self) -> list[Any]:
        """The metrics: the loss, those of `compile`, and those that layers hold."""
        return [*(m for _, m in self._compiled_own()), *self._held_metrics()]

    @property
    def metrics_names(self) -> list[str]:
        """The names of the numbers that `evaluate` returns, in their order; known when data was seen."""
        return list(self.get_metrics_result())

    def reset_metrics(self) -> None:
        """Begin the metrics anew."""
        for metric in self.metrics:
            metric.reset_state()

    def _step_variables(self) -> list[Any]:
        """The variables that a step trains; looked up once in a run."""
        if not self._running:
            return self.trainable_variables  # type: ignore[attr-defined]
        found = self._cache.get("trainable")
        if found is None:
            found = self._cache["trainable"] = self.trainable_variables  # type: ignore[attr-defined]
        return found

    @property
    def run_variables(self) -> list[Any]:
        """All that a run of `fit` changes: the model's variables, then the optimizer's."""
        return [*self.variables, *(self.optimizer.variables if self.optimizer is not None else ())]  # type: ignore[attr-defined]

    def stateless_compute_loss(
        self, trainable_variables: Any, non_trainable_variables: Any, metrics_variables: Any,
        x: Any = None, y: Any = None, y_pred: Any = None, sample_weight: Any = None, training: bool = True,
    ) -> Any:  # fmt: skip
        """`compute_loss` as a pure function of the variables' values.

        Returns:
            The loss, and the values of all three groups after it.
        """
        groups = self.trainable_variables, self.non_trainable_variables, self.metrics_variables  # type: ignore[attr-defined]
        pure = functional(lambda: self.compute_loss(x, y, y_pred, sample_weight, training), *groups)
        loss, new = pure((trainable_variables, non_trainable_variables, metrics_variables))
        return loss, tuple(new)

    def compute_loss_and_updates(
        self, trainable_variables: Any, non_trainable_variables: Any, metrics_variables: Any,
        x: Any, y: Any, sample_weight: Any, training: bool = False, optimizer_variables: Any = None,
    ) -> Any:  # fmt: skip
        """The loss of a batch as a pure function of the variables' values, to be differentiated by the first: what Keras has for steps on JAX.

        Args:
            trainable_variables: The values of `trainable_variables`.
            non_trainable_variables: The values of `non_trainable_variables`.
            metrics_variables: The values of `metrics_variables`.
            x: The inputs.
            y: The targets.
            sample_weight: A weight for each sample, or None.
            training: Whether the model is called for training.
            optimizer_variables: The values of the optimizer's variables, by which the loss may be scaled.

        Returns:
            The loss (scaled where the optimizer does so), and `(unscaled loss, y_pred, non-trainable values, metrics' values)`.
        """
        groups = self.trainable_variables, self.non_trainable_variables, self.metrics_variables  # type: ignore[attr-defined]
        optimizer, given = self.optimizer, () if optimizer_variables is None else optimizer_variables

        def run() -> Any:
            y_pred = self(x, training=training)  # type: ignore[operator]
            loss = self.compute_loss(x, y, y_pred, sample_weight, training=training)
            return (optimizer.scale_loss(loss) if training and self._scales_loss else loss), loss, y_pred

        pure = functional(run, *groups, optimizer.variables if len(given) else ())
        (scaled, loss, y_pred), (_, others, metrics, _) = pure((trainable_variables, non_trainable_variables, metrics_variables, given))
        return scaled, (loss, y_pred, others, metrics)

    def train_step(self, data: Any) -> dict[str, Any]:
        """One step of training; override it for a loop of your own, in the same words on every engine.

        Args:
            data: A batch as the data gives it: `(x, y)` or `(x, y, sample_weight)`.

        Returns:
            The logs by name.
        """
        x, y, sample_weight = unpack_x_y_sample_weight(data)
        optimizer: Any = self.optimizer
        variables = self._step_variables()
        scaled = self._scales_loss

        def objective() -> Any:
            y_pred = self(x, training=True)  # type: ignore[operator]
            loss = self.compute_loss(x, y, y_pred, sample_weight, training=True)
            if len(getattr(loss, "shape", ())):
                fact, fix = "The loss is not one number, but one for each value.", "reduction='sum_over_batch_size', or a train_step of your own"
                raise ShapeError(fact, where="loss", received=show(loss.shape), expected="()", fix=fix)
            return (optimizer.scale_loss(loss) if scaled else loss), (y_pred, loss if scaled else None)

        (loss, (y_pred, unscaled)), gradients = value_and_grad(objective, variables, has_aux=True)()
        self._loss_tracker.update_state(unscaled if scaled else loss, sample_weight=_batch_size(x))
        optimizer.apply(gradients, variables)
        return self.compute_metrics(x, y, y_pred, sample_weight)

    def test_step(self, data: Any) -> dict[str, Any]:
        """One step of evaluation; returns the logs."""
        x, y, sample_weight = unpack_x_y_sample_weight(data)
        y_pred = self(x, training=False)  # type: ignore[operator]
        loss = self.compute_loss(x, y, y_pred, sample_weight, training=False)
        self._loss_tracker.update_state(loss, sample_weight=_batch_size(x))
        return self.compute_metrics(x, y, y_pred, sample_weight)

    def _by_class(self, y: Any, class_weight: Any, sample_weight: Any) -> Any:
        """Sample weights from class weights."""
        if y is None:
            raise ArgumentError("class_weight goes by the targets, and y is None.", where="class_weight", fix="leave class_weight out, or pass y")
        if len(found := tree.flatten(y)) != 1:
            fact = f"class_weight goes with one output, and there are targets for {len(found)}."
            raise ArgumentError(fact, where="class_weight", fix="pass sample_weight, a list or dict with an array for each output")
        loss = None if tree.is_nested(self.loss) else losses_module.as_loss(self.loss)
        sparse = isinstance(loss, losses_module.SparseCategoricalCrossentropy)  # whose targets are never one-hot
        return class_weights(found[0], class_weight, sample_weight, sparse)

    def predict_step(self, data: Any) -> Any:
        """The outputs for one batch."""
        x, _, _ = unpack_x_y_sample_weight(data)
        return self(x, training=False)  # type: ignore[operator]

    def _preparing(self, training: bool = False) -> Any:
        """The function by which the host prepares data for the compiled step; None if it need not."""
        return None

    # ---- programs ----
    def _engine(self) -> Any:
        return within(backend=self._backend)  # type: ignore[attr-defined]

    def _program(self, kind: str, make: Any = None, form: str = "") -> Any:
        """The compiled form of a step, or of the function of it that `make` gives; made once."""
        found = self._cache.get((kind, form))
        if found is None:
            step = self._step_of(kind)
            function = step if make is None else make(step)

            def cleared(*data: Any) -> Any:
                with within(prepared=self):
                    out = function(*data)
                self._clear_losses()  # type: ignore[attr-defined]
                return out

            training, options = kind == "train", {} if self.jit_compile is None else {"jit_compile": self.jit_compile}
            known = self.run_variables if training else self.variables  # type: ignore[attr-defined]
            found = cleared if self.run_eagerly else Program(cleared, known, donate=training, backend=self._backend, **options)  # type: ignore[attr-defined]
            self._cache[kind, form] = found
        return found

    def _step_of(self, kind: str) -> Any:
        """A step as a function of the data alone."""
        step = getattr(self, f"{kind}_step")
        return self._with_state(step) if len(inspect.signature(step).parameters) == 2 else step

    def make_train_function(self, force: bool = False) -> Any:
        """The compiled train step, a function of a batch; a subclass may wrap what `super()` returns, for `fit` too.

        Args:
            force: Whether it is compiled anew.
        """
        return self._made("train", force)

    def make_test_function(self, force: bool = False) -> Any:
        """The compiled test step, likewise."""
        return self._made("test", force)

    def make_predict_function(self, force: bool = False) -> Any:
        """The compiled predict step, likewise."""
        return self._made("predict", force)

    def _made(self, kind: str, force: bool) -> Any:
        if force:
            self._programs = Cache()
        return self._program(kind)

    def _with_state(self, step: Any) -> Any:
        """A user's `(state, data) -> (result, state)`, as Keras has it on JAX, as a step of the data alone."""
        groups = [self.trainable_variables, self.non_trainable_variables, self.metrics_variables]  # type: ignore[attr-defined]
        groups = {"predict_step": groups[:2], "test_step": groups}.get(step.__name__, [*groups[:2], self.optimizer.variables, groups[2]])

        def of_data(data: Any) -> Any:
            result, state = step(tuple([v.value for v in group] for group in groups), data)
            for group, values in zip(groups, state, strict=False):
                for variable, value in zip(group, values, strict=True):
                    variable.assign(value)
            return result

        return of_data

    def _epoch_logs(self, kind: str, logs: Any) -> dict[str, Any]:
        """What an epoch reports: the metrics and what the last step returned, or that alone where the step is the user's."""
        return numbers(logs if logs and self._overrides(f"{kind}_step") else {**self.get_metrics_result(), **(logs or {})})

    def _overrides(self, name: str) -> bool:
        """Whether the user's class has a method of its own."""
        return getattr(type(self), name) is not getattr(Steps, name)

    def _symbolic_build(self, batch: Any, training: bool) -> None:
        """Build layers, losses, metrics and optimizer from the specs of the first batch, before any trace."""
        x, y, _ = batch
        backend = self._backend  # type: ignore[attr-defined]

        def spec(a: Any) -> Any:
            return None if a is None else Spec((None, *a.shape[1:]), backend.dtype_of(backend.array(a[:1])))

        if not self.built or (self.compiled and self._compiled_metrics is None):  # type: ignore[attr-defined]
            try:
                inputs, calls = tree.map_structure(spec, x), []
                with within(prepared=self, calls=calls):
                    y_pred = self.compute_output_spec(inputs)  # type: ignore[attr-defined]
                self._flow = None if getattr(self, "outputs", None) is not None else Flow(calls, inputs, y_pred)
                if self.compiled and y is not None:
                    self._prepare_loss(tree.map_structure(spec, y), y_pred)
            except Exception:
                if not self._overrides("train_step"):  # a step of the user's may do with the data what it likes
                    raise
            self._built()  # type: ignore[attr-defined]
        if training and self.optimizer is not None and not getattr(self.optimizer, "built", False):
            self.optimizer.build(self.trainable_variables)  # type: ignore[attr-defined]


def _batch_size(x: Any) -> int:
    return next(a for a in tree.flatten(x) if a is not None).shape[0]


def whole(name: str, value: Any, least: int = 0) -> int:
    """`value` as an integer.

    Raises:
        ArgumentError: It is none, or less than `least`.
    """
    number = isinstance(value, (int, np.integer)) or (isinstance(value, (float, np.floating)) and float(value).is_integer())
    if not number or value < least:
        raise ArgumentError(f"{name} must be a whole number of {least} or more.", where=name, received=f"{name}={value!r}", fix=f"{name}={max(least, 1)}")
    return int(value)


def numbers(logs: dict[str, Any]) -> dict[str, Any]:
    def number(value: Any) -> Any:
        value = np.asarray(config.active().to_numpy(value))
        return float(value) if value.ndim == 0 else value.tolist()

    send(tree.flatten(logs))
    return {name: {k: number(v) for k, v in value.items()} if isinstance(value, dict) else number(value) for name, value in logs.items()}
