"""What all tests share: an engine at a time, all in one process."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from typing import Any

import pytest

from keraunos.core import config

# Which engines are tested; the environment may name fewer.
BACKENDS = tuple(os.environ.get("KERAUNOS_TEST_BACKENDS", "numpy jax torch").split())


@pytest.fixture(params=BACKENDS)
def backend(request: pytest.FixtureRequest) -> Iterator[Any]:
    """Each engine in turn as the process's default; the former one comes back afterwards."""
    former = config._default
    config.set_backend(request.param)
    with _same_bits(request.param):
        yield config.active()
    config._default = former


@contextlib.contextmanager
def _same_bits(name: str) -> Iterator[None]:
    """Keep JAX's 64-bit mode, which a float64 switches on for the whole process, to the test that did so."""
    if name != "jax":
        yield
        return
    import jax

    former = jax.config.jax_enable_x64
    yield
    jax.config.update("jax_enable_x64", former)
