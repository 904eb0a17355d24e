"""Ops whose arguments are functions, scopes, devices and rematerialization: eager, compiled and symbolic, on every engine."""

from __future__ import annotations

import contextlib
import functools
from typing import Any

import numpy as np
import pytest

import keraunos as keras
from keraunos import ops
from keraunos.core.errors import ArgumentError, BackendError, DTypeError, KeraunosError, ShapeError
from keraunos.core.functional import Program
from keraunos.core.spec import Spec

pytestmark = pytest.mark.xdist_group("control")  # what JAX compiles for one test it has for the others


def run(function: Any, *args: Any) -> Any:
    """The results eagerly, and from the engine's compiler, which must be the same."""
    tensors = [ops.convert_to_tensor(a) for a in args]
    eager = keras.tree.map_structure(ops.convert_to_numpy, function(*tensors))
    compiled = keras.tree.map_structure(ops.convert_to_numpy, Program(function)(*tensors))
    keras.tree.map_structure(lambda a, b: np.testing.assert_allclose(a, b, 1e-6), eager, compiled)
    return eager


def gradient(function: Any, x: Any) -> Any:
    """The gradient of a scalar function of one variable, out of a compiled function."""
    v = keras.Variable(np.asarray(x, "float32"))
    return ops.convert_to_numpy(Program(lambda: keras.value_and_grad(lambda: function(v.value), [v])()[1][0])())


@pytest.fixture
def differentiable(backend: Any) -> Any:
    if backend.name == "numpy":
        pytest.skip("numpy has no gradients")
    return backend


# ---- branches ----
@pytest.mark.parametrize("x", [1.0, 3.0])
def test_cond(backend: Any, x: float) -> None:
    out = run(lambda x: ops.cond(x > 2, lambda: {"a": x * 10, "b": [x]}, lambda: {"a": x, "b": [x - 1]}), np.float32(x))
    assert (out["a"], out["b"][0]) == ((30, 3) if x > 2 else (1, 0))


def test_cond_runs_one_branch(backend: Any) -> None:
    def fails() -> Any:
        raise AssertionError

    assert float(ops.cond(True, lambda: 1.0, fails)) == float(ops.cond(False, fails, lambda: 1.0)) == 1


def test_cond_assigns_variables_of_the_branch_taken(backend: Any) -> None:
    first, second = keras.Variable(0.0), keras.Variable(0.0)

    def step(x: Any) -> Any:
        def down() -> Any:
            second.assign(x)
            first.assign_sub(1.0)
            return x

        return ops.cond(x > 0, lambda: [first.assign_add(1.0), x][1], down)

    program = Program(step)
    for x, wanted in ((2.0, (1, 0)), (-3.0, (0, -3)), (1.0, (1, -3))):
        program(ops.convert_to_tensor(x))
        assert (float(first), float(second)) == wanted


def test_cond_is_differentiable(differentiable: Any) -> None:
    for x, wanted in ((3.0, 6.0), (-3.0, -1.0)):
        assert gradient(lambda x: ops.cond(x > 0, lambda: x * x, lambda: -x), x) == wanted


def test_cond_in_a_functional_model(backend: Any) -> None:
    x, threshold = keras.Input((2,)), keras.Input(batch_shape=())
    out = ops.cond(threshold > 1, lambda: x * 2, lambda: x - 1)
    assert out.shape == (None, 2)
    model = keras.Model([x, threshold], out)
    ones = np.ones((1, 2), "float32")
    assert ops.convert_to_numpy(model([ones, np.float32(2)])).tolist() == [[2, 2]]
    assert ops.convert_to_numpy(model([ones, np.float32(0)])).tolist() == [[0, 0]]


def test_cond_checks_its_arguments(backend: Any) -> None:
    with pytest.raises(ShapeError, match="pred must be a scalar"):
        ops.cond(ops.ones(2) > 0, lambda: 1, lambda: 2)
    pred = Spec((), "bool")
    with pytest.raises(ShapeError, match="different results"):
        ops.cond(pred, lambda: ops.ones(2), lambda: ops.ones(3))
    with pytest.raises(DTypeError, match="different results"):
        ops.cond(pred, lambda: ops.ones(2), lambda: ops.ones(2, "int32"))
    with pytest.raises(ArgumentError, match="different results"):
        ops.cond(pred, lambda: [ops.ones(2)], lambda: ops.ones(2))


@pytest.mark.parametrize(("index", "wanted"), [(-1, 6), (0, 6), (1, 25), (2, 4), (9, 4)])
def test_switch(backend: Any, index: int, wanted: float) -> None:
    branches = [lambda x: x + 1, lambda x: x * x, lambda x: x - 1]
    assert float(run(lambda i, x: ops.switch(i, branches, x), np.int32(index), np.float32(5))) == wanted
    assert float(ops.switch(index, branches, 5.0)) == wanted


def test_switch_needs_branches(backend: Any) -> None:
    with pytest.raises(ArgumentError, match="at least one branch"):
        ops.switch(0, [])


# ---- loops ----
def test_while_loop(backend: Any) -> None:
    i, total = run(lambda n: ops.while_loop(lambda i, t: i < n, lambda i, t: (i + 1, t + i), [0, 0]), np.int32(4))
    assert (i, total) == (4, 6)
    assert run(lambda n: ops.while_loop(lambda i: i < n, lambda i: i + 2, 0), np.int32(5)) == 6
    assert run(lambda n: ops.while_loop(lambda i: i < n, lambda i: (i + 1,), (0,), maximum_iterations=3), np.int32(9))[0] == 3


def test_while_loop_of_structures(backend: Any) -> None:
    state, *_ = run(lambda n: ops.while_loop(lambda s, i: s["x"] < n, lambda s, i: ({"x": s["x"] * 2}, i + 1), ({"x": 1.0}, 0)), np.float32(9))
    assert state["x"] == 16


def test_while_loop_assigns_variables(backend: Any) -> None:
    count = keras.Variable(0.0)
    program = Program(lambda n: ops.while_loop(lambda i: i < n, lambda i: [count.assign_add(2.0), i + 1][1], 0))
    program(ops.convert_to_tensor(3))
    assert float(count) == 6


def test_while_loop_keeps_its_form(backend: Any) -> None:
    with pytest.raises(ShapeError, match="changes its variables"):
        ops.while_loop(lambda x: ops.sum(x) < 9, lambda x: ops.concatenate([x, x]), ops.ones(2))
    spec = ops.while_loop(lambda i, x: i < 3, lambda i, x: (i + 1, x * 2), (0, Spec((None, 2), "float32")))
    assert (spec[1].shape, spec[1].dtype) == ((None, 2), "float32")


def test_fori_loop(backend: Any) -> None:
    assert run(lambda n: ops.fori_loop(0, n, lambda i, t: t + i, 0), np.int32(5)) == 10
    assert run(lambda x: ops.fori_loop(2, 5, lambda i, t: t * x, 1.0), np.float32(2)) == 8
    assert int(ops.fori_loop(3, 1, lambda i, t: t + i, 7)) == 7


def test_loops_are_differentiable(differentiable: Any) -> None:
    assert gradient(lambda x: ops.fori_loop(0, 3, lambda i, t: t * x, 1.0), 2.0) == 12
    assert gradient(lambda x: ops.sum(ops.scan(lambda c, row: (c * x, row * c), x, ops.ones(3))[1]), 2.0) == 1 + 4 + 12
    np.testing.assert_allclose(gradient(lambda x: ops.sum(ops.map(lambda row: row * row, x)), np.arange(3.0)), [0, 2, 4])


def test_scan_over_structures_in_reverse(backend: Any) -> None:
    xs = {"a": np.arange(3, dtype="float32"), "b": np.ones((3, 2), "float32")}

    def both(a: Any, b: Any) -> Any:
        return ops.scan(lambda c, x: ((c[0] + x["a"], c[1] + x["b"]), [c[0], None]), (0.0, np.zeros(2, "float32")), {"a": a, "b": b}, reverse=True)

    (total, rows), (sums, none) = both(*map(ops.convert_to_tensor, xs.values()))
    assert float(total) == 3 and none is None
    assert ops.convert_to_numpy(sums).tolist() == [3, 2, 0]
    assert ops.convert_to_numpy(rows).tolist() == [3, 3]


def test_scan_without_rows_and_with_variables(backend: Any) -> None:
    count = keras.Variable(0.0)

    def step(carry: Any, _: Any) -> Any:
        count.assign_add(carry)
        return carry + 1, count * 1

    program = Program(lambda start: ops.scan(step, start, length=3))
    last, ys = program(ops.convert_to_tensor(1.0))
    assert float(last) == 4 and float(count) == 6
    assert ops.convert_to_numpy(ys).tolist() == [1, 3, 6]


def test_scan_draws_other_numbers_in_each_step(backend: Any) -> None:
    seeds = keras.random.SeedGenerator(3)
    program = Program(lambda x: ops.scan(lambda c, row: (c, row + keras.random.uniform((), seed=seeds)), 0.0, x)[1])
    first, second = (ops.convert_to_numpy(program(ops.zeros(4))) for _ in range(2))
    assert len({*first.tolist(), *second.tolist()}) == 8


def test_map_and_vectorized_map(backend: Any) -> None:
    x = np.arange(6, dtype="float32").reshape(3, 2)
    for op in (ops.map, ops.vectorized_map):
        out = run(lambda x, op=op: op(lambda row: {"sum": ops.sum(row["x"]), "twice": row["x"] * 2}, {"x": x}), x)
        assert out["sum"].tolist() == [1, 5, 9]
        assert out["twice"].tolist() == (x * 2).tolist()
        spec = op(lambda row: ops.sum(row), Spec((None, 2), "float32"))
        assert spec.shape == (None,)


@pytest.mark.parametrize("reverse", [False, True])
@pytest.mark.parametrize("count", [1, 2, 3, 5, 8])
def test_associative_scan(backend: Any, count: int, reverse: bool) -> None:
    a, b = np.arange(1, count + 1, dtype="float32"), np.arange(count, dtype="float32")
    out = run(lambda a, b: ops.associative_scan(lambda x, y: (x[0] * y[0], y[0] * x[1] + y[1]), (a, b), reverse), a, b)
    order = range(count)[:: -1 if reverse else 1]
    product, state, wanted = 1.0, 0.0, {}
    for i in order:
        product, state = product * a[i], a[i] * state + b[i]
        wanted[i] = (product, state)
    np.testing.assert_allclose(np.stack(out, -1), [wanted[i] for i in range(count)], 1e-6)
    two = run(lambda x: ops.associative_scan(ops.add, x, reverse, axis=-1), np.ones((2, count), "float32"))
    assert two.tolist() == [list(range(1, count + 1))[:: -1 if reverse else 1]] * 2


def test_associative_scan_needs_one_known_size(backend: Any) -> None:
    with pytest.raises(ShapeError, match="one known size"):
        ops.associative_scan(lambda x, y: x, (ops.ones(2), ops.ones(3)))


# ---- gradients ----
def test_custom_gradient(differentiable: Any) -> None:
    @ops.custom_gradient
    def clipped(x: Any, scale: Any) -> Any:
        return x * scale, lambda upstream: (upstream * 100, None)

    assert gradient(lambda x: ops.sum(clipped(x, 3.0)) * 2, np.ones(2)).tolist() == [200, 200]
    v = keras.Variable(2.0)
    (value, (own,)) = keras.value_and_grad(lambda: clipped(v, 3.0), [v])()
    assert (float(value), float(own)) == (6, 100)
    assert clipped(Spec((None, 2)), Spec((), "float32")).shape == (None, 2)


def test_custom_gradient_of_several_results(differentiable: Any) -> None:
    @ops.custom_gradient
    def both(x: Any) -> Any:
        return (x, x * 2), lambda first, second: first * 10 + second * 1000

    assert gradient(lambda x: (lambda pair: pair[0] + pair[1] * 2)(both(x)), 1.0) == 10 + 2000


def test_custom_gradient_is_checked(backend: Any) -> None:
    if backend.name == "numpy":
        pytest.skip("no gradient is taken")
    with pytest.raises(ArgumentError, match="its result and a function for the gradient"):
        ops.custom_gradient(lambda x: x)(1.0)


def test_remat(differentiable: Any) -> None:
    runs = []

    def block(x: Any, power: int = 2) -> Any:
        runs.append(power)
        return ops.sin(x) ** power

    v = keras.Variable([0.5, 1.0])
    plain, again = (keras.value_and_grad(lambda f=f: ops.sum(f(v.value, power=3)), [v]) for f in (block, keras.remat(block)))
    for got, want in zip(again(), plain(), strict=True):
        np.testing.assert_allclose(
            np.asarray(ops.convert_to_numpy(got if not isinstance(got, list) else got[0])),
            np.asarray(ops.convert_to_numpy(want if not isinstance(want, list) else want[0])),
            1e-6,
        )


def test_remat_of_draws_and_assignments(differentiable: Any) -> None:
    """The second run meets the same random numbers, and assigns nothing again."""
    seeds, count = keras.random.SeedGenerator(1), keras.Variable(0.0)

    def block(x: Any) -> Any:
        count.assign_add(1.0)
        return keras.random.dropout(x * x, 0.5, seed=seeds)

    v = keras.Variable(np.ones(64, "float32"))
    out, (slope,) = keras.value_and_grad(lambda: (lambda y: (ops.sum(y), y))(keras.remat(block)(v.value)), [v], has_aux=True)()
    np.testing.assert_allclose(ops.convert_to_numpy(slope), 2 * ops.convert_to_numpy(out[1]), 1e-6)
    assert float(count) == 1


def trained(scope: Any) -> Any:
    """A model that was built in a scope, after a few steps."""
    keras.utils.set_random_seed(0)
    with scope:
        model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(4, "relu", name="first"), keras.layers.Dropout(0.5, seed=2), keras.layers.Dense(1)])
        model.compile("sgd", "mse")
    x, y = np.random.default_rng(0).normal(size=(8, 3)).astype("float32"), np.ones((8, 1), "float32")
    model.fit(x, y, epochs=2, batch_size=4, shuffle=False, verbose=0)
    return model


@functools.cache
def trained_without_scope(engine: str) -> list[np.ndarray]:
    return trained(contextlib.nullcontext()).get_weights()


@pytest.mark.parametrize("mode", ["full", "activations", "larger_than", "list_of_layers", None])
def test_remat_scope(differentiable: Any, mode: Any) -> None:
    wrapped = trained(keras.RematScope(mode, 3, ["first"]))
    for a, b in zip(wrapped.get_weights(), trained_without_scope(differentiable.name), strict=True):
        np.testing.assert_allclose(a, b, 1e-5)
    assert wrapped.layers[0].get_config() == keras.layers.Dense(4, "relu", name="first").get_config()
    assert keras.models.clone_model(wrapped).count_params() == wrapped.count_params()


def test_remat_scope_is_checked() -> None:
    with pytest.raises(ValueError, match="Did you mean 'full'"):
        keras.RematScope("ful")
    with pytest.raises(ArgumentError, match="needs layer_names"):
        keras.RematScope("list_of_layers")


# ---- scopes and devices ----
def test_stateless_scope(backend: Any) -> None:
    v, w = keras.Variable([1.0, 2.0]), keras.Variable(0.0)
    with keras.StatelessScope([(v, ops.convert_to_tensor([5.0, 6.0]))]) as scope:
        assert ops.convert_to_numpy(v * 2).tolist() == [10, 12]
        v.assign_add([1.0, 1.0])
        w.assign(3.0)
        scope.add_update((w, ops.convert_to_tensor(4.0)))
    assert ops.convert_to_numpy(scope.get_current_value(v)).tolist() == [6, 7]
    assert float(scope.get_current_value(w)) == 4
    assert (v.numpy().tolist(), float(w)) == ([1, 2], 0)
    assert scope.get_current_value(keras.Variable(0.0)) is None
    with pytest.raises(ShapeError, match="keeps its shape"):
        keras.StatelessScope([(v, 1.0)])
    with pytest.raises(TypeError, match="pairs of a variable and a value"):
        keras.StatelessScope([(1.0, 1.0)])


def test_stateless_scope_collects_losses(backend: Any) -> None:
    layer = keras.layers.Dense(1, activity_regularizer="l2")
    with keras.StatelessScope(collect_losses=True) as scope:
        layer(ops.ones((1, 2)))
    assert len(scope.losses) == 1


def test_symbolic_scope(backend: Any) -> None:
    v = keras.Variable(1.0)
    with keras.SymbolicScope():
        v.assign(2.0)
    assert float(v) == 1


def test_name_scope() -> None:
    owner = object()
    with keras.name_scope("a", caller=owner):
        with keras.name_scope("b"):
            assert keras.Variable(0.0, name="v").path == "a/b/v"
        with keras.name_scope("a", caller=owner):
            assert keras.Variable(0.0, name="v").path == "a/v"
        with keras.name_scope("b", override_parent="q"):
            assert keras.Variable(0.0, name="v").path == "q/b/v"
    with pytest.raises(ArgumentError, match="without '/'"), keras.name_scope("a/b"):
        pass


def test_device(backend: Any) -> None:
    with keras.device("cpu:0"):
        assert keras.Variable([1.0]).numpy().tolist() == [1]
    for name in ("cpu;0", "gpu0", 3):
        with pytest.raises(ArgumentError, match="device's name"), keras.device(name):  # type: ignore[arg-type]
            pass
    with pytest.raises(BackendError, match="finds no device 'tpu:7'"), keras.device("tpu:7"):
        pass


def test_jvp_and_branches_do_not_leak(backend: Any) -> None:
    """A thread's scope is as it was after an error inside of one."""
    before = keras.Variable(0.0, name="v").path
    with contextlib.suppress(ZeroDivisionError), keras.name_scope("x"), keras.SymbolicScope(), keras.StatelessScope():
        raise ZeroDivisionError
    assert keras.Variable(0.0, name="v").path == before


# ---- wrong arguments, and none ----
X = np.arange(3, dtype="float32")
WRONG = [
    ("pred must be a boolean scalar", lambda: ops.cond("yes", lambda: 1, lambda: 2)),
    ("true_fn must be a function.\nWhere: ops.cond", lambda: ops.cond(True, 1, 2)),
    ("index must be an integer scalar", lambda: ops.switch(None, [lambda: 1])),
    ("branches[1] must be a function", lambda: ops.switch(0, [lambda: 1, 2])),
    ("cond must give a boolean scalar.\nWhere: ops.while_loop", lambda: ops.while_loop(lambda x: ops.less(x, 9), lambda x: x + 1, X)),
    ("maximum_iterations must be an integer", lambda: ops.while_loop(lambda x: True, lambda x: x, X, maximum_iterations="2")),
    ("upper must be an integer", lambda: ops.fori_loop(0, "3", lambda i, x: x, X)),
    ("The step of fori_loop changes its carry.\nWhere: ops.fori_loop", lambda: ops.fori_loop(0, 3, lambda i, x: ops.stack([x, x]), X)),
    ("The step of scan changes its carry", lambda: ops.scan(lambda c, x: (ops.stack([c, c]), x), 0.0, X)),
    ("must return a pair", lambda: ops.scan(lambda c, x: c, 0.0, X)),
    ("length must be an integer of at least 0", lambda: ops.scan(lambda c, x: (c, c), 0.0, length=-1)),
    ("unroll must be", lambda: ops.scan(lambda c, x: (c, x), 0.0, X, unroll="all")),
    ("A number alone has no rows to go through.\nWhere: ops.map", lambda: ops.map(lambda x: x, 3.0)),
    ("Text is no tensor.\nWhere: ops.map", lambda: ops.map(lambda x: x, "text")),
    ("unequal numbers of rows: 3, 2.\nWhere: ops.vectorized_map", lambda: ops.vectorized_map(lambda x: x, (X, X[:2]))),
    ("pyfunc must be a function", lambda: ops.vectorize("sum")),
    ("f changes the form of its arguments.\nWhere: ops.associative_scan", lambda: ops.associative_scan(lambda a, b: ops.sum(a), X)),
    ("There is no axis 3 in a tensor of 1 axes.\nWhere: ops.associative_scan, axis", lambda: ops.associative_scan(ops.add, X, axis=3)),
    ("must return its result and a function for the gradient", lambda: ops.custom_gradient(lambda x: x)(X)),
]


@pytest.mark.parametrize(("text", "call"), WRONG, ids=[text for text, _ in WRONG])
def test_wrong_arguments_are_named(text: str, call: Any, backend: Any) -> None:
    with pytest.raises(KeraunosError) as caught:
        call()
    assert text in str(caught.value)


def test_no_rows(backend: Any) -> None:
    none = np.zeros((0, 3), "float32")
    carry, ys = ops.scan(lambda c, x: (c + ops.sum(x), ops.sum(x)), 1.0, none)
    assert float(carry) == 1.0 and tuple(ys.shape) == (0,)
    for function in (ops.map, ops.vectorized_map):
        assert tuple(function(lambda x: (x + 1)[:2], none).shape) == (0, 2)
    assert tuple(ops.vectorize(lambda x: x + 1)(none).shape) == (0, 3)


def test_loops_carry_none_and_single_variables(backend: Any) -> None:
    count, nothing = ops.while_loop(lambda i, _: i < 3, lambda i, _: (i + 1, None), (0, None))
    assert int(count) == 3 and nothing is None
    assert int(ops.while_loop(lambda i: i < 3, lambda i: i + 1, [0])[0]) == 3


def test_associative_scan_of_an_unknown_size() -> None:
    assert ops.associative_scan(ops.add, keras.KerasTensor((None, 3))).shape == (None, 3)
