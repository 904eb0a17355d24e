"""What all tests share: an engine at a time, all in one process."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from keraunos.core import config

BACKENDS = ("numpy", "jax", "torch")


@pytest.fixture(params=BACKENDS)
def backend(request: pytest.FixtureRequest) -> Iterator[Any]:
    """Each engine in turn as the process's default; the former one comes back afterwards."""
    former = config._default
    config.set_backend(request.param)
    yield config.active()
    config._default = former
