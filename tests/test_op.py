"""The op mechanism: errors, promotion, symbolic calls, operators."""

from __future__ import annotations

import copy
import pickle
import subprocess
import sys
from typing import Any

import numpy as np
import pytest

from keraunos import ops
from keraunos.core import config
from keraunos.core.errors import ArgumentError, ArgumentTypeError, DTypeError, KeraunosError, ShapeError, SymbolicError
from keraunos.core.graph import KerasTensor
from keraunos.core.op import FLOATING, Tensor, composite, op_of
from keraunos.core.spec import OPERATORS, Spec
from keraunos.core.variable import Variable
from tests.conftest import BACKENDS, TRAINING

ONES = np.ones((2, 3), "float32")

WRONG = [
    (ShapeError, "Shapes \\(2, 3\\) and \\(4,\\) do not broadcast", lambda x: ops.add(x, np.ones(4, "float32"))),
    (ShapeError, "cannot be multiplied", lambda x: ops.matmul(x, x)),
    (ShapeError, "matmul needs tensors with axes", lambda x: ops.matmul(x, 2.0)),
    (ShapeError, "There is no axis 2 in a tensor of 2 axes", lambda x: ops.sum(x, axis=2)),
    (ShapeError, "There is no axis 5", lambda x: ops.softmax(x, axis=5)),
    (ShapeError, "An axis is named twice", lambda x: ops.max(x, axis=(0, -2))),
    (ShapeError, "cannot be reshaped to \\(4, 2\\)", lambda x: ops.reshape(x, (4, 2))),
    (ShapeError, "cannot be reshaped to \\(-1, 4\\)", lambda x: ops.reshape(x, (-1, 4))),
    (ShapeError, "Axis 1 has size 3: only axes of size 1", lambda x: ops.squeeze(x, 1)),
    (ShapeError, "differ at axis 0: 2 in input 0, 1 in input 1", lambda x: ops.concatenate([x, x[:1]], axis=1)),
    (ShapeError, "Input 0 has shape \\(2, 3\\), input 1 has \\(2, 1\\)", lambda x: ops.stack([x, x[:, :1]])),
    (ShapeError, "does not broadcast to \\(3, 2\\)", lambda x: ops.broadcast_to(x, (3, 2))),
    (ShapeError, "name each of 2 axes once", lambda x: ops.transpose(x, (0,))),
    (ShapeError, "cannot be split into 2 equal parts", lambda x: ops.split(x, 2, axis=1)),
    (ShapeError, "cannot be contracted", lambda x: ops.tensordot(x, x, 1)),
    (ShapeError, "'i' in 'ij,ik->jk' is both 2 and 3", lambda x: ops.einsum("ij,ik->jk", x, ops.transpose(x))),
    (ArgumentError, "names 2 operands, 1 are given", lambda x: ops.einsum("ij,jk->ik", x)),
    (ArgumentError, "There is no padding mode 'refelct'", lambda x: ops.pad(x, 1, mode="refelct")),
    (ArgumentError, "where needs both x1 and x2", lambda x: ops.where(x, x)),
    (ArgumentError, "There is no matrix norm of order 'nuclear'", lambda x: ops.norm(x, ord="nuclear")),
    (ArgumentTypeError, "add has no argument 'y'", lambda x: ops.add(x, y=x)),
    (ArgumentTypeError, "Did you mean 'axis'", lambda x: ops.sum(x, axes=1)),
    (ArgumentTypeError, "the signature is sum\\(x, axis=None, keepdims=False\\)", lambda x: ops.sum()),
    (ArgumentTypeError, "x2 is a str, not a tensor", lambda x: ops.add(x, "one")),
    (ArgumentTypeError, "x2 is None, not a tensor", lambda x: ops.matmul(x, None)),
    (ArgumentTypeError, "x2 is a dict, not a tensor", lambda x: ops.add(ONES, {})),
    (ArgumentTypeError, "einsum takes no option 'optimise'", lambda x: ops.einsum("ij->ji", x, optimise=True)),
    (TypeError, "Did you mean 'float32'", lambda x: ops.cast(x, "flaot32")),
    (ArgumentTypeError, "axis must be an integer.\nWhere: ops.softmax, axis\nReceived: 'rows'", lambda x: ops.softmax(x, axis="rows")),
    (ArgumentTypeError, "x is None, not a tensor.\nWhere: ops.elu", lambda x: ops.elu(None)),
    (DTypeError, "Text cannot be computed with.\nWhere: ops.relu", lambda x: ops.relu(np.array(["1", "2"]))),
    (ArgumentTypeError, "x\\[0\\] is a str, not a tensor.\nWhere: ops.fft", lambda x: ops.fft(("a", "b"))),
    (ShapeError, "A number alone has no axis to go along.\nWhere: ops.rfft, x", lambda x: ops.rfft(1.0)),
    (ShapeError, "A transform needs one element or more", lambda x: ops.fft((x[:, :0], x[:, :0]))),
    (ArgumentError, "A transform needs one element or more.\nWhere: ops.irfft, fft_length\nReceived: 'all'", lambda x: ops.irfft((x, x), "all")),
    (DTypeError, "This transform is of real numbers", lambda x: ops.rfft(ops.cast(x, "complex64"))),
    (ArgumentError, "sequence_stride must be an integer of at least 1.\nWhere: ops.stft", lambda x: ops.stft(x, 2, 0.5, 2)),
    (ArgumentError, "num_classes must be an integer of at least 0.\nWhere: ops.one_hot", lambda x: ops.one_hot(x, 2.0)),
    (ShapeError, "query, key and value do not fit", lambda x: ops.dot_product_attention(*(ops.zeros((2, n, 2, 4)) for n in (3, 4, 5)))),
    (ShapeError, "rows of unequal lengths is no tensor.\nWhere: ops.relu", lambda x: ops.relu([[1, 2], [3]])),
]


@pytest.mark.parametrize(("kind", "text", "call"), WRONG, ids=[text for _, text, _ in WRONG])
def test_errors_are_the_same_on_every_engine(kind: Any, text: str, call: Any) -> None:
    messages = set()
    for name in BACKENDS:
        with config.backend_scope(name), pytest.raises(kind, match=text) as caught:
            call(config.active().array(ONES))
        assert isinstance(caught.value, KeraunosError)
        messages.add(str(caught.value))
    with pytest.raises(kind, match=text) as caught:
        call(Spec((2, 3), "float32"))
    messages.add(str(caught.value))
    assert len(messages) == 1


def test_positional_and_named_arguments_agree(backend: Any) -> None:
    x = backend.array(ONES)
    for positional, named in (
        (ops.sum(x, 1, True), ops.sum(keepdims=True, x=x, axis=1)),
        (ops.add(x, 2), ops.add(x2=2, x1=x)),
        (ops.clip(x, 0.0, 0.5), ops.clip(x, x_max=0.5, x_min=0.0)),
        (ops.concatenate([x, x], -1), ops.concatenate(axis=-1, xs=[x, x])),
    ):
        np.testing.assert_array_equal(ops.convert_to_numpy(positional), ops.convert_to_numpy(named))


@pytest.mark.parametrize(
    ("dtype", "other", "wanted"),
    [
        ("float16", 1.5, "float16"), ("bfloat16", 2, "bfloat16"), ("int8", 1, "int8"), ("uint8", 1.0, "float32"), ("bool", 1, "int32"), ("bool", True, "bool"),
        ("bool", 0.5, "float32"), ("int32", np.ones(3, "float16"), "float16"), ("float16", np.ones(3, "float32"), "float32"), ("uint8", np.ones(3, "int8"), "int16"),
    ],
)  # fmt: skip
def test_promotion(dtype: str, other: Any, wanted: str, backend: Any) -> None:
    x = backend.array(np.ones((2, 3)), dtype)
    for _ in range(2):  # the second call goes by what the first remembered
        assert backend.dtype_of(ops.add(x, other)) == backend.dtype_of(ops.add(other, x)) == wanted
        assert ops.add(Spec((2, 3), dtype), other).dtype == wanted


def test_scalars_alone_become_tensors(backend: Any) -> None:
    made = (ops.add(1, 2), ops.add(1, 2.0), ops.add(True, True), ops.exp(1), ops.isnan(1.0))
    assert [backend.dtype_of(x) for x in made] == ["int32", "float32", "bool", "float32", "bool"]
    assert ops.shape(ops.expand_dims(1.0, 0)) == (1,)


def test_lists_and_variables_are_converted(backend: Any) -> None:
    v = Variable(ONES)
    assert ops.convert_to_numpy(ops.add([[1, 2, 3]], v)).tolist() == [[2, 3, 4]] * 2
    assert ops.shape(ops.stack([v, v.value, ONES])) == (3, 2, 3)
    assert float(ops.einsum("i,i->", [1.0, 2.0], [3.0, 4.0])) == 11.0
    assert ops.shape(ops.stack([1.0, v.value[0, 0]])) == (2,)
    assert ops.shape(ops.matmul(v, ops.transpose(v))) == (2, 2)
    assert ops.shape(ops.convert_to_tensor([v.value, v])) == (2, 2, 3)


def test_operators(backend: Any) -> None:
    v = Variable([1.0, 2.0])
    wanted = [[2, 3], [1, 0], [2, 4], [0.5, 1], [2, 4], [1, 4], [True, False], [-1, -2], [1, 0]]
    for made, want in zip((v + 1, 2 - v, 2 * v, v / 2, v + v, v**2, v < 2, -v, v % 2), wanted, strict=True):
        assert ops.convert_to_numpy(made).tolist() == want
    assert ops.shape(v[0]) == ()


def test_operators_before_ops_are_imported() -> None:
    code = "import os; os.environ['KERAUNOS_BACKEND'] = 'numpy'\nfrom keraunos.core.variable import Variable\nprint((Variable([1.0]) + 1).tolist())"
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert ran.stdout.strip() == "[2.0]"


def test_symbolic_calls_are_recorded() -> None:
    x = KerasTensor((None, 3))
    y = ops.softmax(x * 2 + 1)
    assert isinstance(y, KerasTensor) and y.shape == (None, 3)
    assert y.node is not None and y.node.operation.op is ops.softmax
    assert y.node.inputs[0].node.operation.op is ops.add
    assert ops.split(x, 3, axis=1)[2].shape == (None, 1)
    assert x[:, 0].shape == (None,) and x[..., None].shape == (None, 3, 1)


def test_bare_specs_are_not_recorded() -> None:
    y = ops.matmul(Spec((None, 3)), Variable(np.ones((3, 5)), dtype="float32"))
    assert type(y) is Spec and y == Spec((None, 5), "float32")
    assert type(ops.zeros_like(Spec((2, 3), "int32"))) is Spec  # though its shape is known


def test_symbolic_beside_values(backend: Any) -> None:
    x = KerasTensor((None, 3))
    assert ops.where(ops.greater(x, 0), x, backend.array(ONES[0])).shape == (None, 3)
    assert ops.take(backend.array(ONES), KerasTensor((None,), "int32"), axis=1).shape == (2, None)
    assert ops.get_item(backend.array(ONES), KerasTensor((None,), "int32")).shape == (None, 3)
    assert ops.concatenate([x, backend.array(ONES)], axis=0).shape == (None, 3)


def test_unknown_dimensions_in_shapes() -> None:
    x = Spec((None, 4, 5))
    batch = ops.shape(x)[0]
    assert ops.reshape(x, (batch, 20)) == Spec((None, 20), "float32")
    assert ops.reshape(x, (-1, 20)) == Spec((None, 20), "float32")
    assert ops.zeros((batch, 2)) == Spec((None, 2), "float32")
    assert ops.arange(batch) == Spec((None,), "int32")
    assert ops.broadcast_to(Spec((1, 4)), (batch, 4)) == Spec((None, 4), "float32")
    assert ops.size(x) is not None and ops.ndim(x) == 3
    assert copy.deepcopy(x).shape[0] is batch and pickle.loads(pickle.dumps(batch)) is batch


@pytest.mark.parametrize("x", [Spec((None, 3)), KerasTensor((None, 3))], ids=["Spec", "KerasTensor"])
def test_foreign_functions_and_truth(x: Any) -> None:
    """Rows 27 and 34 of the list of errors: the message says what to use instead."""
    import jax.numpy as jnp
    import torch

    with pytest.raises(SymbolicError, match="ops.where"):
        if x:
            pass
    with pytest.raises(SymbolicError, match="keraunos.ops, such as ops.exp"):
        np.exp(x)
    with pytest.raises(SymbolicError, match="PyTorch function"):
        torch.exp(x)
    with pytest.raises(TypeError):  # JAX refuses it by itself, and asks nobody for the message
        jnp.exp(x)
    with pytest.raises(SymbolicError, match="no value yet"):
        float(x)
    with pytest.raises(SymbolicError, match="no value yet"):
        ops.convert_to_numpy(x)
    with pytest.raises(SymbolicError, match="cannot be iterated"):
        list(x)


def test_composites_fall_back_where_an_engine_declines(backend: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    calls = []

    def twice(x: Any, limit: float = 1.0) -> Any:
        calls.append(limit)
        return NotImplemented if limit > 1 else x

    @composite(dtype=FLOATING)
    def twice_for_test(x: Tensor, limit: float = 1.0) -> Tensor:
        return ops.multiply(x, 2)

    try:
        monkeypatch.setattr(backend, "twice_for_test", twice, raising=False)
        assert float(twice_for_test(1.0)) == 1.0 and float(twice_for_test(1.0, limit=2.0)) == 2.0
        assert calls == [1.0, 2.0]
        assert twice_for_test(Spec((None,), "int32")) == Spec((None,), "float32")
    finally:
        OPERATORS.pop("twice_for_test")


def test_conversion(backend: Any) -> None:
    x = ops.convert_to_tensor([[1, 2], [3, 4]])
    assert ops.is_tensor(x) and not ops.is_tensor([1]) and ops.is_tensor(KerasTensor((1,)))
    assert (ops.dtype(x), ops.shape(x), ops.ndim(x), ops.size(x)) == ("int32", (2, 2), 2, 4)
    assert ops.dtype(ops.convert_to_tensor(x, "float16")) == ops.dtype(ops.convert_to_tensor([1.0], dtype=np.float16)) == "float16"
    assert ops.convert_to_tensor(KerasTensor((1,)), "int32").dtype == "int32"
    with pytest.raises(NotImplementedError, match="no sparse tensors"):
        ops.convert_to_tensor([1.0], sparse=True)


def test_every_op_says_what_it_does() -> None:
    missing = [name for name, function in OPERATORS.items() if function.__module__.startswith("keraunos.ops") and not op_of(function).body.__doc__]
    assert missing == []


def test_scan(backend: Any) -> None:
    xs = {"a": backend.array(np.arange(6, dtype="float32").reshape(3, 2)), "b": backend.array(np.arange(3, dtype="float32"))}

    def step(carry: Any, x: Any) -> Any:
        total, count = carry
        total = total + x["a"] * x["b"]
        return (total, count + 1), {"total": total, "none": None}

    init = (ops.zeros(2), ops.zeros((), "int32"))
    for reverse in (False, True):
        (total, count), ys = ops.scan(step, init, xs, reverse=reverse)
        rows = np.arange(6).reshape(3, 2) * np.arange(3)[:, None]
        sums = np.cumsum(rows[::-1], 0)[::-1] if reverse else np.cumsum(rows, 0)
        assert ops.convert_to_numpy(total).tolist() == rows.sum(0).tolist() and int(count) == 3 and ys["none"] is None
        np.testing.assert_array_equal(ops.convert_to_numpy(ys["total"]), sums)
    assert float(ops.scan(lambda c, _: (c * 2, None), backend.array(1.0), length=5)[0]) == 32
    with pytest.raises(ArgumentError, match="scan needs rows"):
        ops.scan(step, init)
    with pytest.raises(ShapeError, match="unequal numbers of rows: 3, 3, 2"):
        ops.scan(step, init, xs, length=2)


def test_scan_on_specs() -> None:
    carry, ys = ops.scan(lambda c, x: (c + x, c * 2), Spec((None, 2)), Spec((7, None, 2)))
    assert (carry, ys) == (Spec((None, 2)), Spec((7, None, 2)))
    _, ys = ops.scan(lambda c, x: (c + x, c), ops.zeros(2), KerasTensor((None, 2)))
    assert isinstance(ys, KerasTensor) and ys.shape == (None, 2)
    with pytest.raises(ShapeError, match="changes its carry"):
        ops.scan(lambda c, x: (x, x), Spec((2,)), Spec((7, 3)))


def test_gradient_of_scan() -> None:
    found = []
    for name in TRAINING:
        with config.backend_scope(name):
            backend = config.active()
            xs = backend.array(np.linspace(0.1, 0.9, 8, dtype="float32").reshape(4, 2))

            def loss(values: Any, xs: Any = xs) -> Any:
                return ops.sum(ops.scan(lambda c, x: (ops.tanh(c + x * values[0]), c * x), ops.zeros(2), xs)[1]), None

            found.append(backend.to_numpy(backend.differentiate(loss, [backend.array([0.5, -0.3])])[1][0]))
    for gradient in found[1:]:
        np.testing.assert_allclose(gradient, found[0], rtol=1e-5)
