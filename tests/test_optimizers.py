"""Optimizers and schedules against the installed Keras: trajectories, state, files, errors."""

from __future__ import annotations

import copy
import functools
import inspect
import os
from typing import Any

import numpy as np
import pytest

import keraunos
from keraunos import Variable, optimizers
from keraunos.core.config import backend_scope
from keraunos.core.errors import ArgumentError, ArgumentTypeError, ShapeError, StateError
from keraunos.optimizers import schedules
from tests.conftest import BACKENDS, BFLOAT, TRAINING

os.environ.setdefault("KERAS_BACKEND", "jax")
keras = pytest.importorskip("keras")

pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation doesn't accept a copy keyword:DeprecationWarning")  # in Keras

CLASSES = ["SGD", "Adam", "AdamW", "RMSprop", "Adagrad", "Adadelta", "Adamax", "Nadam", "Lion", "Lamb", "Ftrl", "Muon", "ScheduleFreeAdamW", "Adafactor"]
BASE: list[dict[str, Any]] = [
    {}, {"weight_decay": 0.05}, {"clipnorm": 0.5}, {"clipvalue": 0.3}, {"global_clipnorm": 0.7}, {"use_ema": True, "ema_momentum": 0.8},
    {"use_ema": True, "ema_momentum": 0.8, "ema_overwrite_frequency": 3}, {"loss_scale_factor": 8.0}, {"gradient_accumulation_steps": 3},
    {"gradient_accumulation_steps": 2, "use_ema": True, "ema_overwrite_frequency": 2, "weight_decay": 0.01, "clipnorm": 1.0},
    {"gradient_accumulation_steps": 2, "use_ema": True, "ema_momentum": 0.5, "ema_overwrite_frequency": 3},
]  # fmt: skip
OWN: list[tuple[str, dict[str, Any]]] = [
    ("SGD", {"momentum": 0.9}), ("SGD", {"momentum": 0.9, "nesterov": True}), ("SGD", {"momentum": 0.5, "weight_decay": 0.1}),
    ("Adam", {"amsgrad": True, "epsilon": 1e-3}), ("Adam", {"beta_1": 0.5, "beta_2": 0.9}), ("AdamW", {"weight_decay": 0.1, "amsgrad": True}),
    ("RMSprop", {"momentum": 0.9}), ("RMSprop", {"centered": True, "rho": 0.7}), ("RMSprop", {"centered": True, "momentum": 0.5, "epsilon": 1e-3}),
    ("Adagrad", {"initial_accumulator_value": 0.5}), ("Adadelta", {"learning_rate": 1.0, "rho": 0.8}), ("Nadam", {"gradient_accumulation_steps": 2}),
    ("Ftrl", {"l1_regularization_strength": 0.01, "l2_regularization_strength": 0.1, "l2_shrinkage_regularization_strength": 0.1, "beta": 0.2}),
    ("Muon", {"exclude_layers": ["v0"], "adam_lr_ratio": 2.0, "adam_weight_decay": None}), ("Muon", {"nesterov": False, "momentum": 0.5, "ns_steps": 3}),
    ("Muon", {"rms_rate": None, "weight_decay": 0.1, "clipnorm": 0.5, "gradient_accumulation_steps": 2}),
    ("Adafactor", {"relative_step": False, "clip_threshold": 0.5}), ("Adafactor", {"beta_2_decay": -0.5, "epsilon_2": 5.0, "weight_decay": 0.1}),
    ("ScheduleFreeAdamW", {"warmup_steps": 5, "beta_1": 0.8, "epsilon": 1e-3}), ("ScheduleFreeAdamW", {"weight_decay": 0.1, "use_ema": True}),
]  # fmt: skip
CASES = [(name, options) for name in ("SGD", "Adam", "RMSprop") for options in BASE] + [(name, {}) for name in CLASSES[2:]] + OWN
MODES = ("numpy", "jax", "jax compiled", "torch", "torch generic", "torch stateless", *(name for name in ("tensorflow", "pytensor") if name in BACKENDS))

RNG = np.random.default_rng(0)
SHAPES = [(4, 3), (3,), (2, 2, 2)]
START = [RNG.normal(size=s).astype("float32") for s in SHAPES]
GRADIENTS = [[RNG.normal(size=s).astype("float32") for s in SHAPES] for _ in range(12)]  # each period of the options passes twice


def variables(module: Any = keraunos) -> list[Any]:
    return [module.Variable(value.copy(), name=f"v{i}") for i, value in enumerate(START)]


def make(module: Any, name: str, options: dict[str, Any], scheduled: bool = False) -> Any:
    rate = module.optimizers.schedules.ExponentialDecay(0.05, 5, 0.7) if scheduled else 0.05
    return getattr(module.optimizers, name)(**{"learning_rate": rate, **options})


def together(made: list[tuple[Any, list[Any]]], steps: Any = GRADIENTS) -> None:
    """Steps of several optimizers, each of its variables, in one program of JAX: each by itself takes nearly as long to compile."""
    import jax

    def step(states: Any, gradients: Any) -> Any:
        found = []
        for (optimizer, _), (values, slots) in zip(made, states, strict=True):
            try:
                found.append(optimizer.stateless_apply(slots, gradients, values))
            except Exception as error:
                error.add_note(f"of {type(optimizer).__name__} with {optimizer.get_config()}")
                raise
        return found

    for optimizer, weights in made:
        optimizer.build(weights)
    compiled, states = jax.jit(step), [([v.value for v in weights], [v.value for v in optimizer.variables]) for optimizer, weights in made]
    for gradients in steps:
        states = compiled(states, [jax.numpy.asarray(g) for g in gradients])
    for (optimizer, weights), (values, slots) in zip(made, states, strict=True):
        for variable, value in zip([*weights, *optimizer.variables], [*values, *slots], strict=True):
            variable.assign(value)


def run(optimizer: Any, weights: list[Any], mode: str, steps: Any = GRADIENTS) -> None:
    """Steps, eagerly or as a pure function."""
    if mode == "jax compiled":
        together([(optimizer, weights)], steps)
        return
    tensors = [[keraunos.ops.convert_to_tensor(g) for g in step] for step in steps]
    if mode == "torch stateless":
        optimizer.build(weights)
        trained, state = [v.value for v in weights], [v.value for v in optimizer.variables]
        for gradients in tensors:
            trained, state = optimizer.stateless_apply(state, gradients, trained)
        for variable, value in zip([*weights, *optimizer.variables], [*trained, *state], strict=True):
            variable.assign(value)
    else:
        if mode == "torch generic":
            optimizer.__class__ = type(optimizer.__class__.__name__, (optimizer.__class__,), {"native": None})
        for gradients in tensors:
            optimizer.apply(gradients, weights)


def close(ours: Any, theirs: Any, tolerance: float = 1e-5) -> None:
    ours, theirs = np.asarray(ours), np.asarray(theirs)
    assert ours.shape == theirs.shape
    assert np.abs(ours - theirs).max(initial=0.0) <= tolerance * max(np.abs(theirs).max(initial=0.0), 1e-6), (ours, theirs)


@functools.cache
def ends(module: Any, name: str) -> dict[tuple[int, bool], tuple[Any, list[Any]]]:
    """The optimizers and variables of each case of a class, with a fixed rate and a schedule, after all steps on JAX."""
    with backend_scope("jax"):
        rows = [(case, scheduled) for case, (cls, _) in enumerate(CASES) if cls == name for scheduled in (False, True)]
        made = {(case, scheduled): (make(module, *CASES[case], scheduled), variables(module)) for case, scheduled in rows}
        together([*made.values()])
    return made


@pytest.mark.parametrize("case", [pytest.param(i, id=f"{name}-{options}", marks=pytest.mark.xdist_group(name)) for i, (name, options) in enumerate(CASES)])
def test_trajectory_equals_keras(case: int) -> None:
    name, options = CASES[case]
    for scheduled in (False, True):
        theirs, expected = ends(keras, name)[case, scheduled]
        for mode in MODES if not scheduled else ("jax compiled", "torch"):
            with backend_scope(mode.split()[0]):
                if mode == "jax compiled":
                    ours, weights = ends(keraunos, name)[case, scheduled]
                else:
                    ours, weights = make(keraunos, name, options, scheduled), variables()
                    run(ours, weights, mode)
                for mine, other in zip(weights, expected, strict=True):
                    close(mine.numpy(), other.value)
                for mine, other in zip(ours.variables, theirs.variables, strict=True) if name != "Adafactor" else ():  # of which Keras keeps more
                    # Keras rounds 1 - beta_2 to float32 in these.
                    close(mine.numpy(), other.value, 2e-5 if name in ("Nadam", "ScheduleFreeAdamW") else 1e-5)
                    assert name == "Nadam" or mine.name == other.name
                ours.finalize_variable_values(weights)
                if options.get("use_ema"):
                    close(weights[0].numpy(), ours._averages[0].numpy(), 0.0)


def groups(module: Any) -> Any:
    inner = module.optimizers
    table = inner.OptimizerMap(inner.SGD(0.1, momentum=0.9), {"v0": inner.Adam(0.05, gradient_accumulation_steps=2), "v[2-9]": inner.Lion(0.01)})
    return inner.MultiOptimizer(table, loss_scale_factor=2.0)


def overwritten(module: Any, case: int) -> tuple[Any, list[Any]]:
    optimizer, weights = make(module, "SGD", OVERWRITTEN[case]), variables(module)
    weights[1].overwrite_with_gradient = True
    return optimizer, weights


def constrained(module: Any) -> tuple[Any, list[Any]]:
    weights = variables(module)
    weights[0].constraint = lambda w: module.ops.minimum(w, 0.5)
    return make(module, "SGD", {"use_ema": True, "ema_momentum": 0.5}), weights


OVERWRITTEN: list[dict[str, Any]] = [{}, {"gradient_accumulation_steps": 3, "loss_scale_factor": 8.0}, {"global_clipnorm": 0.5}]


@functools.cache
def others_of_keras() -> list[tuple[Any, list[Any]]]:
    """Those of the functions above, after all steps."""
    made = [(groups(keras), variables(keras)), constrained(keras), *(overwritten(keras, case) for case in range(len(OVERWRITTEN)))]
    together(made)
    return made


@pytest.mark.parametrize("mode", MODES)
def test_several_optimizers_in_one(mode: str) -> None:
    _, expected = others_of_keras()[0]
    with backend_scope(mode.split()[0]):
        ours, weights = groups(keraunos), variables()
        run(ours, weights, mode)
        for mine, other in zip(weights, expected, strict=True):
            close(mine.numpy(), other.value)
        assert [type(o).__name__ for o in ours.optimizers] == ["Adam", "SGD", "Lion"] and int(ours.iterations.numpy()) == len(GRADIENTS)
        with pytest.raises(AttributeError, match="each of its `optimizers` has one"):
            _ = ours.learning_rate
        again = type(ours).from_config(ours.get_config())
        assert again.get_config() == ours.get_config() and [*again.optimizer_map] == ["v0", "v[2-9]"]
        again.build(weights)
        store: dict[str, Any] = {}
        ours.save_own_variables(store)
        again.load_own_variables(store)
        assert all(np.array_equal(a.numpy(), b.numpy()) for a, b in zip(again.variables, ours.variables, strict=True))


@pytest.mark.parametrize("path", ["m/a", "m/a/kernel", "m/a/kernel_2", "a/kernel", "other/m/a/kernel", "m/b", "none"])
def test_patterns_are_of_whole_paths(path: str) -> None:
    found = []
    for module in (keraunos.optimizers, keras.optimizers):
        table = module.OptimizerMap(module.SGD(), {"m/a": module.Adam(), "m/a/kernel": module.Lion(), "m/b.*": module.Adagrad()})
        found.append(type(table[path]).__name__)
    assert found[0] == found[1]


@pytest.mark.parametrize("engine", TRAINING)
def test_layers_learn_by_optimizers_of_their_own(engine: str, tmp_path: Any) -> None:
    with backend_scope(engine):
        layers = keraunos.layers
        model = keraunos.Sequential([keraunos.Input((3,)), layers.Dense(4, name="trunk"), layers.Dense(1, name="head")])
        table = optimizers.OptimizerMap(optimizers.Adam(0.05), {".*/trunk/.*": optimizers.SGD(0.0)})
        model.compile(optimizers.MultiOptimizer(table), "mse")
        trunk, head = model.layers[0].get_weights(), model.layers[1].get_weights()
        x = np.random.default_rng(0).normal(size=(32, 3)).astype("float32")
        curve = model.fit(x, x[:, :1], epochs=8, verbose=0).history["loss"]
        assert curve[-1] < curve[0]
        assert np.array_equal(model.layers[0].get_weights()[0], trunk[0]) and not np.allclose(model.layers[1].get_weights()[0], head[0])
        model.save(tmp_path / "model.keras")
        again = keraunos.saving.load_model(tmp_path / "model.keras")
        for a, b in zip(again.optimizer.variables, model.optimizer.variables, strict=True):
            assert a.path == b.path and np.array_equal(a.numpy(), b.numpy())


def test_mistakes_with_several_optimizers() -> None:
    table = optimizers.OptimizerMap(optimizers.SGD(), {"a": optimizers.Adam()})
    with pytest.raises(ArgumentError, match="is in the OptimizerMap already"):
        table["a"] = optimizers.SGD()
    for mistake in (lambda: optimizers.OptimizerMap("sgd"), lambda: table.update({"b": "adam"})):
        with pytest.raises(ArgumentTypeError, match="An optimizer is wanted here"):
            mistake()
    with pytest.raises(ArgumentError, match="is not a regular expression"):
        table["("] = optimizers.SGD()
    with pytest.raises(ArgumentTypeError, match="takes an OptimizerMap or a function"):
        optimizers.MultiOptimizer(optimizers.SGD())
    with pytest.raises(ArgumentTypeError, match="An optimizer is wanted here"):
        optimizers.MultiOptimizer(lambda variable: "sgd").build(variables())


@pytest.mark.parametrize("mode", [*TRAINING, "torch generic"])
def test_constraints_come_after_the_average(mode: str) -> None:
    theirs, expected = others_of_keras()[1]
    with backend_scope(mode.split()[0]):
        ours, weights = constrained(keraunos)
        run(ours, weights, mode)
        for mine, other in zip((*weights, *ours.variables), (*expected, *theirs.variables), strict=True):
            close(mine.numpy(), other.value)


@pytest.mark.parametrize("mode", BACKENDS)
def test_weight_decay_leaves_out_what_is_excluded(mode: str) -> None:
    with backend_scope(mode):
        weights = variables()
        optimizer = optimizers.AdamW(0.1, weight_decay=0.5)
        optimizer.exclude_from_weight_decay(var_list=[weights[2]], var_names=["v1"])
        optimizer.apply([keraunos.ops.zeros(s) for s in SHAPES], weights)
        for variable, start, factor in zip(weights, START, (0.95, 1.0, 1.0), strict=True):
            close(variable.numpy(), start * factor, 1e-6)


@pytest.mark.parametrize("mode", ["numpy", "jax", "jax compiled", "torch"])
def test_loss_scale(mode: str) -> None:
    steps = [[4.0, 4.0], [4.0, 4.0], [float("inf"), 1.0], [2.0, 2.0], [1.0, 1.0], [float("nan"), 1.0]]
    other = keras.Variable([1.0, 2.0])
    theirs = keras.optimizers.LossScaleOptimizer(keras.optimizers.SGD(0.1), initial_scale=4.0, dynamic_growth_steps=2)
    theirs.build([other])
    trained, state = [other.value], [v.value for v in theirs.variables]
    for gradient in steps:
        trained, state = theirs.stateless_apply(state, [keras.ops.convert_to_tensor(gradient)], trained)
    with backend_scope(mode.split()[0]):
        weight = Variable([1.0, 2.0])
        ours = optimizers.LossScaleOptimizer(optimizers.SGD(0.1), initial_scale=4.0, dynamic_growth_steps=2)
        ours.build([weight])
        if mode == "jax compiled":
            import jax

            values, kept = [weight.value], [v.value for v in ours.variables]
            step = jax.jit(ours.stateless_apply)
            for gradient in steps:
                values, kept = step(kept, [keraunos.ops.convert_to_tensor(gradient)], values)
            for variable, value in zip((weight, *ours.variables), (*values, *kept), strict=True):
                variable.assign(value)
        else:
            for gradient in steps:
                ours.apply([keraunos.ops.convert_to_tensor(gradient)], [weight])
        close(weight.numpy(), trained[0])
        assert [v.name for v in ours.variables] == [v.name for v in theirs.variables]
        for mine, value in zip(ours.variables, state, strict=True):
            close(mine.numpy(), value)
        assert float(ours.scale_loss(keraunos.ops.ones(()))) == 4.0 and float(ours.learning_rate) == pytest.approx(0.1)
    again = optimizers.deserialize(optimizers.serialize(ours))
    assert isinstance(again.inner_optimizer, optimizers.SGD) and again.initial_scale == 4.0


def test_own_optimizers(backend: Any) -> None:
    class Pure(optimizers.Optimizer):
        def update(self, value: Any, gradient: Any, rate: Any, step: Any, speed: Any) -> Any:
            speed = 0.5 * speed - rate * gradient
            return value + speed, speed

    class Named(optimizers.Optimizer):
        initial_speed_value: float = 0.0

        def slots(self) -> Any:
            return [["speed"]]

        def update(self, value: Any, gradient: Any, rate: Any, step: Any, *slots: Any) -> Any:
            speed = 0.5 * slots[0] - rate * gradient
            return value + speed, speed

    class Stepwise(optimizers.Optimizer):
        def __init__(self, learning_rate: float = 0.05, **kwargs: Any):
            super().__init__(learning_rate=learning_rate, **kwargs)

        def build(self, variables: Any) -> None:
            if self.built:
                return
            super().build(variables)
            self.speeds = self.add_optimizer_variables(variables, "speed")

        def update_step(self, gradient: Any, variable: Any, learning_rate: Any) -> None:
            speed = self.speeds[self._get_variable_index(variable)]
            self.assign(speed, 0.5 * speed - learning_rate * gradient)
            self.assign_add(variable, speed)

    class Changed(optimizers.SGD):
        def update(self, value: Any, gradient: Any, rate: Any, step: Any, *slots: Any) -> Any:
            return (value - 2.0 * rate * gradient,)

    ends = []
    for optimizer in (Pure(0.05), Named(learning_rate=0.05), Stepwise(), optimizers.SGD(0.05, momentum=0.5)):
        weights = variables()
        run(optimizer, weights, backend.name)
        ends.append([v.numpy() for v in weights])
    for *own, expected in zip(*ends, strict=True):
        for value in own:
            close(value, expected)
    started = Named(initial_speed_value=1.0, learning_rate=0.05)
    started.build(variables())
    assert [v.name for v in started.variables[2:]] == ["v0_speed", "v1_speed", "v2_speed"] and started.variables[3].numpy().tolist() == [1.0] * 3
    assert Stepwise.from_config(Stepwise(0.5).get_config()).get_config() == Stepwise(0.5).get_config() == {"learning_rate": 0.5}
    weight = Variable([1.0])
    Changed(0.25).apply([keraunos.ops.ones((1,))], [weight])
    assert weight.numpy().tolist() == [0.5]


def test_gradients_may_be_missing(backend: Any) -> None:
    weights = variables()
    optimizer = optimizers.Adam()
    with pytest.warns(UserWarning, match="No gradient for v1"):
        optimizer.apply([keraunos.ops.ones(SHAPES[0]), None, keraunos.ops.ones(SHAPES[2])], weights)
    close(weights[1].numpy(), START[1], 0.0)
    assert not np.array_equal(weights[2].numpy(), START[2])
    with pytest.raises(ArgumentError, match="No variable has a gradient"):
        optimizer.apply([None] * 3, weights)


def test_some_variables_only(backend: Any) -> None:
    weights, alone = variables(), variables()
    optimizer, other = optimizers.Adam(), optimizers.Adam()
    optimizer.build(weights)
    for gradients in GRADIENTS[:3]:
        optimizer.apply([keraunos.ops.convert_to_tensor(gradients[2])], [weights[2]])
        other.apply([keraunos.ops.convert_to_tensor(gradients[2])], [alone[2]])
    close(weights[2].numpy(), alone[2].numpy(), 0.0)
    close(weights[0].numpy(), START[0], 0.0)


def test_overwritten_variables_take_their_gradient(backend: Any) -> None:
    weights = variables()
    weights[1].overwrite_with_gradient = True
    optimizers.SGD(0.1).apply([keraunos.ops.ones(s) for s in SHAPES], weights)
    assert weights[1].numpy().tolist() == [1.0, 1.0, 1.0]
    close(weights[0].numpy(), START[0] - 0.1, 1e-6)


@pytest.mark.parametrize("mode", ["numpy", "jax", "jax compiled", "torch", "torch stateless"])
@pytest.mark.parametrize("case", range(len(OVERWRITTEN)), ids=map(str, OVERWRITTEN))
def test_overwritten_variables_equal_keras(mode: str, case: int) -> None:
    _, expected = others_of_keras()[2 + case]
    with backend_scope(mode.split()[0]):
        ours, weights = overwritten(keraunos, case)
        run(ours, weights, mode)
        for mine, other in zip(weights, expected, strict=True):
            close(mine.numpy(), other.value)
        alone, only = make(keraunos, "SGD", OVERWRITTEN[case]), variables()[:1]
        only[0].overwrite_with_gradient = True
        for _ in range(3):
            alone.apply([keraunos.ops.ones(SHAPES[0])], only)
        close(only[0].numpy(), np.ones(SHAPES[0]))


def test_a_skipped_step_leaves_constraints_out(backend: Any) -> None:
    weight = Variable([1.0, 2.0])
    weight.constraint = lambda w: w * 0.5
    optimizer = optimizers.LossScaleOptimizer(optimizers.SGD(0.1), initial_scale=4.0)
    optimizer.apply([keraunos.ops.convert_to_tensor([float("inf"), 1.0])], [weight])
    assert weight.numpy().tolist() == [1.0, 2.0] and int(optimizer.iterations) == 0
    optimizer.apply([keraunos.ops.convert_to_tensor([2.0, 2.0])], [weight])
    close(weight.numpy(), [0.45, 0.95])


@pytest.mark.parametrize("name", ["Adam", "Lion"])
def test_copies_go_on_by_themselves(backend: Any, name: str) -> None:
    weights = variables()
    optimizer = make(keraunos, name, {"weight_decay": 0.1})
    optimizer.exclude_from_weight_decay(var_list=[weights[1]])
    optimizer.build(weights)
    twin, copies = copy.deepcopy((optimizer, weights))
    for one, values in ((optimizer, weights), (twin, copies)):
        one.apply([keraunos.ops.convert_to_tensor(g) for g in GRADIENTS[0]], values)
    for first, second in zip((*weights, *optimizer.variables), (*copies, *twin.variables), strict=True):
        assert first is not second and first.name == second.name
        close(first.numpy(), second.numpy(), 0.0)


def test_learning_rate(backend: Any) -> None:
    optimizer = optimizers.SGD(0.5)
    optimizer.learning_rate = 0.25
    assert isinstance(optimizer.learning_rate, Variable) and float(optimizer.learning_rate) == 0.25
    optimizer.learning_rate.assign(1.0)
    weight = Variable([1.0])
    optimizer.apply_gradients([(keraunos.ops.ones((1,)), weight)])
    assert weight.numpy().tolist() == [0.0] and int(optimizer.iterations) == 1
    assert optimizer.get_config()["learning_rate"] == 1.0
    assert float(optimizers.SGD(lambda: 0.125).learning_rate) == 0.125
    optimizer.learning_rate = schedules.PiecewiseConstantDecay([0], [1.0, 0.5])
    assert float(optimizer.learning_rate) == 0.5
    with pytest.raises(ArgumentTypeError, match="follows a schedule"):
        optimizer.learning_rate = 0.1


@pytest.mark.parametrize("dtype", ["bfloat16", "float16", "float64"])
@pytest.mark.parametrize("mode", ["torch generic", *BACKENDS])
def test_other_dtypes(dtype: str, mode: str) -> None:
    if dtype == "bfloat16" and mode not in ("torch generic", *BFLOAT):
        pytest.skip("the engine has no bfloat16")
    with backend_scope(mode.split()[0]):
        weight = Variable([1.0, -2.0], dtype=dtype)
        optimizer = optimizers.Adam(0.1)
        if mode == "torch generic":
            optimizer.__class__ = type("Adam", (optimizers.Adam,), {"native": None})
        for _ in range(5):
            optimizer.apply([keraunos.ops.convert_to_tensor([0.5, -3.0], dtype)], [weight])
        assert weight.dtype == dtype
        np.testing.assert_allclose(np.asarray(weight.numpy(), "float64"), [0.5, -1.5], rtol={"bfloat16": 2e-2, "float16": 2e-3, "float64": 1e-4}[dtype])


def test_steps_in_place_leave_the_users_arrays_alone() -> None:
    with backend_scope("torch"):
        start = START[0].copy()
        weight, optimizer = Variable(start), optimizers.Adam()
        gradient = keraunos.ops.convert_to_tensor(GRADIENTS[0][0].T.copy().T)  # not contiguous
        optimizer.apply([gradient], [weight])
        saved: dict[str, Any] = {}
        optimizer.save_own_variables(saved)
        copies = {key: value.copy() for key, value in saved.items()}
        optimizer.load_own_variables(saved)
        optimizer.apply([gradient], [weight])
        assert np.array_equal(start, START[0]) and all(np.array_equal(saved[key], copies[key]) for key in saved)
        close(keraunos.ops.convert_to_numpy(gradient), GRADIENTS[0][0], 0.0)


@pytest.mark.parametrize(
    ("name", "options"), [("SGD", {"momentum": 0.9}), ("Adam", {"amsgrad": True, "use_ema": True}), ("RMSprop", {"centered": True, "momentum": 0.1})]
)
def test_state_goes_on_from_keras(name: str, options: dict[str, Any]) -> None:
    theirs, expected, store = make(keras, name, options), variables(keras), {}
    for gradients in GRADIENTS[:10]:
        theirs.apply([keras.ops.convert_to_tensor(g) for g in gradients], expected)
    theirs.save_own_variables(store)
    halfway = [np.asarray(v.value) for v in expected]
    for gradients in GRADIENTS[10:]:
        theirs.apply([keras.ops.convert_to_tensor(g) for g in gradients], expected)
    for engine in TRAINING:
        with backend_scope(engine):
            ours, weights = make(keraunos, name, options), [Variable(value, name=f"v{i}") for i, value in enumerate(halfway)]
            ours.build(weights)
            ours.load_own_variables(store)
            for gradients in GRADIENTS[10:]:
                ours.apply([keraunos.ops.convert_to_tensor(g) for g in gradients], weights)
            for mine, other in zip(weights, expected, strict=True):
                close(mine.numpy(), other.value)
            written: dict[str, Any] = {}
            ours.save_own_variables(written)
            assert set(written) == set(store)
            ours.set_weights([v.numpy() for v in ours.variables])
            with pytest.warns(UserWarning, match="was not loaded"):
                optimizers.SGD().load_own_variables(store)


@pytest.mark.parametrize(("name", "options"), [(name, {}) for name in CLASSES] + [("Adafactor", {"use_ema": True, "gradient_accumulation_steps": 2})])
def test_state_goes_to_keras_and_back(name: str, options: dict[str, Any]) -> None:
    with backend_scope("numpy"):
        ours, weights, store = make(keraunos, name, options), variables(), {}
        run(ours, weights, "numpy", GRADIENTS[:4])
        ours.save_own_variables(store)
        theirs, others = make(keras, name, options), [keras.Variable(v.numpy(), name=v.name) for v in weights]
        theirs.build(others)
        theirs.load_own_variables(store)
        run(ours, weights, "numpy", GRADIENTS[4:7])
        together([(theirs, others)], GRADIENTS[4:7])
        for mine, other in zip(weights, others, strict=True):
            close(mine.numpy(), other.value)
        theirs.save_own_variables(store)
        again = make(keraunos, name, options)
        again.build(weights)
        again.load_own_variables(store)
        for mine, other in zip(again.variables, ours.variables, strict=True):
            close(mine.numpy(), other.numpy(), 2e-5)


def test_a_state_written_without_zeros_is_read(backend: Any) -> None:
    weights, optimizer = variables(), optimizers.Adafactor()
    optimizer.build(weights)
    values = [np.full(v.shape, i, v.dtype) for i, v in enumerate(optimizer.variables)]
    optimizer.load_own_variables({str(i): value for i, value in enumerate(values)})
    for variable, value in zip(optimizer.variables, values, strict=True):
        close(variable.numpy(), value, 0.0)


@pytest.mark.skipif("tensorflow" not in BACKENDS, reason="of TensorFlow's tapes")
@pytest.mark.parametrize("options", [{}, {"clipnorm": 0.5}, {"gradient_accumulation_steps": 2}])
def test_gradients_of_looked_up_rows(options: dict[str, Any]) -> None:
    import tensorflow as tf

    with backend_scope("tensorflow"):
        ends = []
        for gradient in (
            tf.IndexedSlices(tf.ones((2, 3)), tf.constant([1, 1]), tf.constant([4, 3])),
            tf.constant([[0.0] * 3, [2.0] * 3, [0.0] * 3, [0.0] * 3]),
        ):
            weight, optimizer = Variable(START[0]), make(keraunos, "SGD", options)
            for _ in range(2):
                optimizer.apply([gradient], [weight])
            ends.append(weight.numpy())
        close(ends[0], ends[1], 1e-6)
        assert not np.array_equal(ends[0], START[0])


SCHEDULES: list[tuple[str, dict[str, Any]]] = [
    ("ExponentialDecay", {"initial_learning_rate": 0.1, "decay_steps": 7, "decay_rate": 0.8}),
    ("ExponentialDecay", {"initial_learning_rate": 0.1, "decay_steps": 7, "decay_rate": 0.8, "staircase": True}),
    ("InverseTimeDecay", {"initial_learning_rate": 0.1, "decay_steps": 7, "decay_rate": 0.8}),
    ("InverseTimeDecay", {"initial_learning_rate": 0.1, "decay_steps": 7, "decay_rate": 0.8, "staircase": True}),
    ("ExponentialDecay", {"initial_learning_rate": 0.1, "decay_steps": 2.5, "decay_rate": 0.8}),
    ("PiecewiseConstantDecay", {"boundaries": [3, 8], "values": [1.0, 0.5, 0.1]}),
    ("PolynomialDecay", {"initial_learning_rate": 0.1, "decay_steps": 7}),
    ("PolynomialDecay", {"initial_learning_rate": 0.1, "decay_steps": 7, "end_learning_rate": 0.01, "power": 2.0, "cycle": True}),
    ("CosineDecay", {"initial_learning_rate": 0.1, "decay_steps": 7, "alpha": 0.1}),
    ("CosineDecay", {"initial_learning_rate": 0.0, "decay_steps": 7, "warmup_target": 0.1, "warmup_steps": 5, "alpha": 0.2}),
    ("CosineDecay", {"initial_learning_rate": 0.1, "decay_steps": 7, "warmup_target": 0.2}),
    ("CosineDecayRestarts", {"initial_learning_rate": 0.1, "first_decay_steps": 5}),
    ("CosineDecayRestarts", {"initial_learning_rate": 0.1, "first_decay_steps": 5, "t_mul": 1.0, "m_mul": 0.5, "alpha": 0.1}),
    ("CosineDecayRestarts", {"initial_learning_rate": 0.1, "first_decay_steps": 4, "t_mul": 1.5, "m_mul": 0.9, "alpha": 0.2}),
]


@functools.cache
def rates_of_keras(case: int) -> list[float]:
    import jax

    name, options = SCHEDULES[case]
    schedule = getattr(keras.optimizers.schedules, name)(**options)
    with jax.disable_jit():
        return [float(schedule(step)) for step in range(25)]


@pytest.mark.parametrize("case", range(len(SCHEDULES)), ids=[name for name, _ in SCHEDULES])
def test_schedule_equals_keras(backend: Any, case: int) -> None:
    name, options = SCHEDULES[case]
    ours, theirs = (getattr(module, name)(**options) for module in (schedules, keras.optimizers.schedules))
    np.testing.assert_allclose([float(ours(step)) for step in range(25)], rates_of_keras(case), rtol=1e-5, atol=1e-8)
    assert float(ours(keraunos.ops.convert_to_tensor(3))) == float(ours(3))
    assert ours.get_config() == theirs.get_config()
    assert schedules.serialize(ours) == keras.optimizers.schedules.serialize(theirs)
    optimizer = optimizers.deserialize(optimizers.serialize(optimizers.Adam(ours)))
    assert optimizer.get_config()["learning_rate"]["config"] == ours.get_config()


def test_schedule_of_one_value(backend: Any) -> None:
    assert float(schedules.PiecewiseConstantDecay([], [0.5])(7)) == 0.5


@pytest.mark.parametrize("name", [*CLASSES, "Optimizer", "LossScaleOptimizer", "get", "serialize", "deserialize"])
def test_signature(name: str) -> None:
    ours, theirs = (
        [(p.name, p.default, p.kind) for p in inspect.signature(getattr(module, name)).parameters.values()] for module in (optimizers, keras.optimizers)
    )
    assert ours == theirs


@pytest.mark.parametrize("name", [name for name in schedules.__all__ if name != "LearningRateSchedule"])
def test_signature_of_schedule(name: str) -> None:
    ours, theirs = (
        [(p.name, p.default) for p in inspect.signature(getattr(module, name)).parameters.values()] for module in (schedules, keras.optimizers.schedules)
    )
    assert ours == theirs


@pytest.mark.parametrize("name", CLASSES)
def test_config(name: str) -> None:
    ours, theirs = (getattr(module.optimizers, name)(name="mine", clipnorm=1.0) for module in (keraunos, keras))
    assert ours.get_config() == theirs.get_config()
    assert optimizers.serialize(ours) == keras.optimizers.serialize(theirs)
    again = optimizers.deserialize({"class_name": name, "config": {**ours.get_config(), "jit_compile": True, "is_legacy_optimizer": False}})
    assert again.get_config() == ours.get_config()
    assert type(optimizers.get(name.lower())) is type(ours)


@pytest.mark.parametrize(("make", "error", "words"), [
    (lambda: optimizers.SGD("0.1"), ArgumentError, "must be a number, a schedule"),
    (lambda: optimizers.SGD(None), ArgumentError, "learning_rate=None"),
    (lambda: optimizers.SGD([0.1]), ArgumentError, "must be a number, a schedule"),
    (lambda: optimizers.SGD(np.ones(2)), ArgumentError, "must be a number, a schedule"),
    (lambda: setattr(optimizers.SGD(0.1), "learning_rate", "0.2"), ArgumentError, "must be a number, a schedule"),
    (lambda: optimizers.Adam(loss_scale_factor=0.0), ArgumentError, "above 0"),
    (lambda: optimizers.get("adamm"), ArgumentError, "Did you mean 'adam'"),
    (lambda: optimizers.get(print), ArgumentError, "no optimizer"),
    (lambda: optimizers.Adam(learning_rte=0.1), ArgumentTypeError, "Did you mean 'learning_rate'"),
    (lambda: optimizers.Adam(decay=0.1), ArgumentError, "InverseTimeDecay"),
    (lambda: optimizers.Adam(clipnorm=1.0, clipvalue=1.0), ArgumentError, "only one of"),
    (lambda: optimizers.Adam(clipnorm=-1.0), ArgumentError, "above 0"),
    (lambda: optimizers.Adam(ema_momentum=2.0), ArgumentError, "ema_momentum"),
    (lambda: optimizers.Adam(use_ema=True, ema_overwrite_frequency=0), ArgumentError, "ema_overwrite_frequency"),
    (lambda: optimizers.Adam(gradient_accumulation_steps=1), ArgumentError, "at least 2"),
    (lambda: optimizers.SGD(momentum=2.0), ArgumentError, "momentum"),
    (lambda: optimizers.Ftrl(learning_rate_power=1.0), ArgumentError, "at most 0"),
    (lambda: optimizers.Ftrl(l1_regularization_strength=-1.0), ArgumentError, "at least 0"),
    (lambda: optimizers.LossScaleOptimizer(optimizers.SGD(), clipnorm=1.0), ArgumentError, "inner optimizer"),
    (lambda: optimizers.AdamW(weight_decay=None), ArgumentError, "weight_decay"),
    (lambda: optimizers.LossScaleOptimizer("adam"), ArgumentTypeError, "wraps an optimizer"),
    (lambda: optimizers.SGD().apply([1.0]), StateError, "which variables"),
    (lambda: optimizers.SGD().apply([], [Variable(1.0)]), ArgumentError, "0 gradients for 1 variables"),
    (lambda: optimizers.SGD().stateless_apply([], [], []), StateError, "not built"),
    (lambda: optimizers.SGD().set_weights([1]), ShapeError, "2 variables"),
    (lambda: schedules.ExponentialDecay(0.1, 0, 0.5), ArgumentError, "decay_steps"),
    (lambda: schedules.PiecewiseConstantDecay([1], [0.1]), ArgumentError, "one value more"),
])  # fmt: skip
def test_errors(make: Any, error: type[Exception], words: str) -> None:
    with pytest.raises(error, match=words):
        make()


def test_a_second_model_needs_a_second_optimizer(backend: Any) -> None:
    optimizer = optimizers.Adam()
    with keraunos.name_scope("first"):
        optimizer.build([Variable([1.0], name="kernel")])
    with keraunos.name_scope("second"):
        other = Variable([1.0], name="kernel")
    for act in (lambda: optimizer.build([other]), lambda: optimizer.apply([keraunos.ops.ones((1,))], [other])):
        with pytest.raises(StateError, match="already built for 'first'.*'second/kernel'"):
            act()
