"""What all tests share: an engine at a time, all in one process."""

from __future__ import annotations

import contextlib
import os
import pathlib
import sys
from collections.abc import Iterator
from typing import Any

import pytest

from keraunos.core import config

# Which engines are tested; the environment may name fewer.
BACKENDS = tuple(os.environ.get("KERAUNOS_TEST_BACKENDS", "numpy jax torch tensorflow pytensor").split())
TRAINING = tuple(name for name in BACKENDS if name != "numpy")  # those with gradients
BFLOAT = tuple(name for name in BACKENDS if name != "pytensor")  # those with bfloat16


@pytest.fixture(params=BACKENDS)
def backend(request: pytest.FixtureRequest) -> Iterator[Any]:
    """Each engine in turn as the process's default; the former one comes back afterwards."""
    with in_force(request.param) as engine:
        yield engine


@contextlib.contextmanager
def in_force(name: str) -> Iterator[Any]:
    """An engine as the process's default."""
    former = config._default
    config.set_backend(name)
    yield config.active()
    config._default = former


def expected_failures(name: str) -> list[tuple[list[str], str]]:
    """What fails on an engine: words that a test's id has, and why, from the lines `words  # reason` of `xfails/<engine>.txt`."""
    path = pathlib.Path(__file__).parent / "xfails" / f"{name}.txt"
    lines = path.read_text(encoding="utf-8").splitlines() if path.exists() else []
    pairs = [line.partition("  # ") for line in lines if line and not line.startswith("#")]
    return [(words.split(), reason) for words, _, reason in pairs]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark what is known to fail on an engine, strictly: what passes after all must leave the list."""
    if "jax" in sys.modules and sys.modules["jax"].config.jax_enable_x64:
        raise pytest.UsageError("A test module computes in float64 when it is imported, which switches JAX to 64 bits for all tests.")
    expected = {name: expected_failures(name) for name in (*BACKENDS, "onnx")}
    for item in items:
        params = getattr(getattr(item, "callspec", None), "params", {})
        engines = {value for value in params.values() if isinstance(value, str)} & expected.keys()
        for words, reason in (entry for name in engines for entry in expected[name]):
            if all(word in item.nodeid for word in words):
                item.add_marker(pytest.mark.xfail(reason=reason, strict=True))
                break
