"""Devices that are not at hand: the compiled training step is lowered for them."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import keraunos as keras
from keraunos import layers, ops
from keraunos.cli.demo import network
from keraunos.core import config

jax = pytest.importorskip("jax")
from jax import export  # noqa: E402


class TransformerBlock(layers.Layer):
    """Attention over a sequence, then a network on each of its elements, both added to what they are given."""

    heads: int = 2

    def build(self, input_shape: Any) -> None:
        width = input_shape[-1]
        self.norms = [layers.LayerNormalization() for _ in range(2)]
        self.query, self.key, self.value, self.out = (layers.Dense(width) for _ in range(4))
        self.inner, self.outer = layers.Dense(4 * width, activation="gelu"), layers.Dense(width)

    def call(self, inputs: Any) -> Any:
        *sizes, width = ops.shape(inputs)
        x = self.norms[0](inputs)
        q, k, v = (ops.reshape(project(x), (*sizes, self.heads, width // self.heads)) for project in (self.query, self.key, self.value))
        x = inputs + self.out(ops.reshape(ops.dot_product_attention(q, k, v, is_causal=True), (*sizes, width)))
        return x + self.outer(self.inner(self.norms[1](x)))


def digits() -> tuple[Any, Any, Any]:
    return network(), np.zeros((8, 8, 8), "float32"), np.zeros(8, "int32")


def transformer() -> tuple[Any, Any, Any]:
    model = keras.Sequential([keras.Input((12,)), layers.Embedding(20, 16), TransformerBlock(), layers.Dropout(0.1), layers.Dense(20, activation="softmax")])
    return model, np.zeros((4, 12), "int32"), np.zeros((4, 12), "int32")


@pytest.mark.parametrize("policy", ["float32", "mixed_bfloat16"])
@pytest.mark.parametrize("make", [digits, transformer])
def test_the_train_step_is_lowered_for_cuda_and_tpu(make: Any, policy: str, monkeypatch: pytest.MonkeyPatch) -> None:
    former = keras.mixed_precision.global_policy()
    with config.backend_scope("jax"):
        engine = config.active()
        monkeypatch.setattr(engine, "_on_cpu", lambda: False)  # the forms that GPUs and TPUs get
        monkeypatch.setattr(engine, "_has_flash", lambda *_: False)  # which on a GPU is lowered for that alone
        keras.mixed_precision.set_global_policy(policy)
        try:
            model, x, y = make()
        finally:
            keras.mixed_precision.set_global_policy(former)
        model.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
        model.train_on_batch(x, y)  # finds the variables
        variables, compiled = model._program("train")._plan
        values = [v._value for v in variables]
        exported = export.export(compiled, platforms=("cuda", "tpu"))(values, (engine.array(x), engine.array(y)))
        assert set(exported.platforms) == {"cuda", "tpu"}
        assert len(exported.out_avals) >= len(values)
        assert len(exported.mlir_module_serialized) > 1000


@pytest.mark.parametrize("dtype", ["bool", "uint8", "int32"])
def test_the_forms_for_gpus_give_of_integers_what_those_for_processors_give(dtype: str, monkeypatch: pytest.MonkeyPatch) -> None:
    x = (np.arange(2 * 9 * 9 * 4).reshape(2, 9, 9, 4) % 3 - 1).astype(dtype)
    kernel = (np.arange(3 * 3 * 4 * 2).reshape(3, 3, 4, 2) % 2).astype(dtype)
    calls = [
        lambda: ops.conv(x, kernel, 2, "same"), lambda: ops.conv_transpose(x, kernel.swapaxes(2, 3), 2), lambda: ops.depthwise_conv(x, kernel),
        lambda: ops.max_pool(x, 3, 2, "same"), lambda: ops.max_pool(x, 8, 1, "same"),
    ]  # fmt: skip
    with config.backend_scope("jax"):
        wanted = [ops.convert_to_numpy(call()) for call in calls]
        monkeypatch.setattr(config.active(), "_on_cpu", lambda: False)
        for call, want in zip(calls, wanted, strict=True):
            np.testing.assert_array_equal(ops.convert_to_numpy(call()), want, strict=True)
    with config.backend_scope("numpy"):
        for call, want in zip(calls, wanted, strict=True):
            np.testing.assert_array_equal(ops.convert_to_numpy(call()), want)
