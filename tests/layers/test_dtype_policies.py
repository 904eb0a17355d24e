"""Policies by the paths of layers."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest

import keraunos
from keraunos import dtype_policies, layers
from keraunos.core.errors import ArgumentError, ArgumentTypeError
from keraunos.dtype_policies import DTypePolicy, DTypePolicyMap
from tests.conftest import BFLOAT, in_force

keras = pytest.importorskip("keras")


def policies() -> Any:
    return DTypePolicyMap("float32", {"block/inner": "bfloat16", "head_.*": DTypePolicy("mixed_bfloat16")})


def test_paths_are_looked_up_as_in_keras() -> None:
    entries = {"block/inner": "bfloat16", "head_.*": "mixed_bfloat16", "head": "float16"}
    theirs = keras.dtype_policies.DTypePolicyMap("float32", {k: keras.dtype_policies.DTypePolicy(v) for k, v in entries.items()})
    ours = DTypePolicyMap("float32", entries)
    for path in ("block/inner", "block/inner/deeper", "model/block/inner", "head_1", "ahead_1", "head_1/x", "head", "other", "block"):
        assert ours[path].name == theirs[path].name
    for name in ("name", "compute_dtype", "variable_dtype", "quantization_mode"):
        assert getattr(ours, name) == getattr(theirs, name)
    assert list(ours) == list(theirs)
    assert len(ours) == 3
    assert "head" in ours
    assert "head_1" not in ours
    config = json.loads(json.dumps(dtype_policies.serialize(ours)))
    assert config == json.loads(json.dumps(keras.dtype_policies.serialize(theirs)))
    assert dtype_policies.deserialize(config) == ours
    assert keras.dtype_policies.deserialize(config)["head_1"].name == "mixed_bfloat16"
    assert dtype_policies.get(ours) is ours


def test_what_cannot_be_a_map() -> None:
    found = policies()
    with pytest.raises(ArgumentError, match="'block/inner' is in the DTypePolicyMap already"):
        found["block/inner"] = "float32"
    del found["block/inner"]
    found["block/inner"] = "float32"
    with pytest.raises(ArgumentError, match="is not a regular expression"):
        found["a("] = "float32"
    with pytest.raises(ArgumentError, match="no dtype policy 'float33'"):
        found["a"] = "float33"
    found["head_1.*"] = "float32"
    with pytest.raises(ArgumentError, match="Several keys"):
        found["head_12"]
    with pytest.raises(ArgumentTypeError, match="must be a dict"):
        DTypePolicyMap(policy_map=[1])  # type: ignore[arg-type]


class Block(layers.Layer):
    """A layer with a layer in it, built where it is called."""

    def __init__(self, **kwargs: Any):
        super().__init__(**kwargs)
        self.inner = layers.Dense(2, dtype=self.dtype_policy, name="inner")

    def call(self, inputs: Any) -> Any:
        return self.inner(inputs)


@pytest.mark.parametrize("engine", BFLOAT)
def test_layers_take_their_own(engine: str) -> None:
    with in_force(engine):
        shared = policies()
        block = Block(name="block", dtype=shared)
        y = block(np.ones((1, 3), "float32"))
        assert (block.path, block.inner.path) == ("block", "block/inner")
        assert block.compute_dtype == "float32"
        assert block.inner.dtype_policy is shared
        assert [w.dtype for w in block.weights] == ["bfloat16", "bfloat16"]
        assert keraunos.backend.standardize_dtype(y.dtype) == "bfloat16"
        inputs = keraunos.Input((3,))
        model = keraunos.Model(inputs, layers.Dense(1, name="head_1", dtype=shared)(layers.Dense(2, name="body", dtype=shared)(inputs)))
        assert [layer.compute_dtype for layer in model.layers[1:]] == ["float32", "bfloat16"]
        assert [w.dtype for w in model.weights] == ["float32"] * 4
        again = keraunos.Model.from_config(model.get_config())
        assert [layer.compute_dtype for layer in again.layers[1:]] == ["float32", "bfloat16"]
        assert model.layers[2].get_config()["dtype"]["class_name"] == "DTypePolicyMap"


def test_a_map_for_all_layers() -> None:
    former = keraunos.config.dtype_policy()
    try:
        keraunos.config.set_dtype_policy(DTypePolicyMap(policy_map={"head": "mixed_bfloat16"}))
        assert [layers.Dense(1, name=name).compute_dtype for name in ("head", "body")] == ["bfloat16", "float32"]
        assert DTypePolicyMap().default_policy.name == "float32"
    finally:
        keraunos.config.set_dtype_policy(former)
