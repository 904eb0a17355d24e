"""What tests and the examples in docstrings share: each leaves the process as it found it."""

from __future__ import annotations

import collections
import functools
import gc
import itertools
import os
import pathlib
import sys
import tempfile
from collections.abc import Iterator
from importlib.metadata import version
from typing import Any

import pytest

from keraunos import activations as _activations  # noqa: F401  # which registers a function, not in the test that comes to it first
from keraunos import dtype_policies
from keraunos.core import config, serialization
from keraunos.core.scope import scope

os.environ.setdefault("KERAS_BACKEND", "jax")  # of the Keras that results are compared with
os.environ.setdefault("KERAUNOS_PYTENSOR_MODE", "PLAIN")  # tests run each program a few times: compiling would take longer
_QUICK = "--xla_backend_optimization_level=0"  # likewise: what is compiled is small, and new at each call
_KNOWN_JAX = version("jaxlib").startswith("0.10.")  # whose inner ways are relied on to compile in less time
if _KNOWN_JAX:  # a third less; a flag that XLA does not know ends the process
    _QUICK += " --xla_cpu_use_fusion_emitters=false"
os.environ.setdefault("XLA_FLAGS", _QUICK)

_TESTS = itertools.count(1)


def pytest_collection_finish() -> None:
    """What collecting made stays to the end: it is not looked through for garbage again. Small programs share what describes them, a fifth of the time of each."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(10_000, 20, 100)  # programs and modules, which stay, are most of what there is: looking through all of it is a twentieth of the time
    if _KNOWN_JAX:
        from jax._src.interpreters import mlir

        mlir.make_ir_context = functools.lru_cache(maxsize=1)(mlir.make_ir_context)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Any:
    """How processes share the tests: a group, in which something is made once, is one's own, and so are ten others that stand in a row, or handing them out takes minutes."""
    from xdist.scheduler import LoadGroupScheduling

    class Scheduling(LoadGroupScheduling):
        def __init__(self) -> None:
            super().__init__(config, log)
            self.counts, self.rows = collections.Counter[str](), dict[str, str]()

        def _split_scope(self, nodeid: str) -> str:
            if nodeid not in self.rows:
                self.rows[nodeid], file = super()._split_scope(nodeid), nodeid.partition("::")[0]
                if self.rows[nodeid] == nodeid:
                    self.rows[nodeid] = f"{file} {self.counts[file] // 10}"
                    self.counts[file] += 1
            return self.rows[nodeid]

        @property
        def tests_finished(self) -> bool:
            return not self.workqueue and super().tests_finished

        def remove_node(self, node: Any) -> str | None:
            """A process died: what it had not begun is another's, what it was at has failed."""
            left = [(unit, [test for test, done in tests.items() if not done]) for unit, tests in self.assigned_work.pop(node).items()]
            begun = next((test for _, tests in left for test in tests), None)
            for unit, tests in left:
                if rest := [test for test in tests if test != begun]:
                    self.workqueue[unit] = collections.OrderedDict.fromkeys(rest, False)
            return begun

        def _reschedule(self, node: Any) -> None:
            if node in self.registered_collections:  # one that takes a place may not know the tests yet
                super()._reschedule(node)

        def schedule(self) -> None:
            """Hand out tests; a process that takes the place of another is given several, or an end, since it begins its last test when it knows what follows."""
            super().schedule()
            for node in self.nodes:
                self._reschedule(node)

    return Scheduling() if config.getoption("dist") == "loadgroup" else None


@pytest.fixture(scope="session", autouse=True)
def _one_temporary_folder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """What is made in the system's temporary folder, by child processes too, goes with the run."""
    tmp_path_factory.getbasetemp()  # which pytest keeps for a while
    with tempfile.TemporaryDirectory(prefix="keraunos-", ignore_cleanup_errors=True) as folder, pytest.MonkeyPatch.context() as patch:
        patch.setattr(tempfile, "tempdir", folder)
        patch.setenv("TMPDIR", folder)
        yield


@pytest.fixture(autouse=True)
def _as_it_was(_one_temporary_folder: None) -> Iterator[None]:
    """Settings, the default engine and policy, what is registered, JAX's 64-bit mode, environment and folder are after each test what they were before."""
    jax = sys.modules.get("jax")
    if next(_TESTS) % 400 == 0 and jax is not None:
        jax.clear_caches()  # each program takes six mappings of memory, of which Linux gives a process 65,530
        if _KNOWN_JAX:
            sys.modules["jax._src.interpreters.mlir"].make_ir_context.cache_clear()
    kept: list[Any] = [config._settings, serialization._registered, serialization._names, vars(scope)]
    tables, policies, engine = [dict(table) for table in kept], [*dtype_policies._global], config._default
    wide, folder, variables = jax is not None and jax.config.jax_enable_x64, pathlib.Path.cwd(), dict(os.environ)
    own = "PYTEST_CURRENT_TEST"  # which pytest sets and deletes
    del variables[own]
    yield
    for table, former in zip(kept, tables, strict=True):
        for name in table.keys() - former.keys():
            del table[name]
        table.update(former)
    dtype_policies._global[:], config._default = policies, engine
    jax = sys.modules.get("jax")
    if jax is not None and jax.config.jax_enable_x64 != wide:
        jax.config.update("jax_enable_x64", wide)
    os.chdir(folder)
    for name in os.environ.keys() - variables.keys() - {own}:
        del os.environ[name]
    os.environ.update(variables)
