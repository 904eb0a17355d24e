"""`import keraunos` is quick and loads no engine; `import keras` can mean Keraunos."""

from __future__ import annotations

import subprocess
import sys

import pytest


def fresh(code: str, expect: int = 0) -> str:
    """What a new interpreter prints for `code`."""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120)
    assert done.returncode == expect, done.stderr
    return done.stdout.strip() if expect == 0 else done.stderr.strip()


def test_importing_loads_nothing_heavy():
    loaded = fresh("import sys; before = set(sys.modules); import keraunos; print(*{m.split('.')[0] for m in set(sys.modules) - before})")
    assert set(loaded.split()) <= {"keraunos", "importlib", "warnings", "_frozen_importlib_external"}


@pytest.mark.parametrize("name", ["config", "tree", "utils", "datasets", "dtype_policies", "backend", "compat"])
def test_small_namespaces_load_no_engine(name):
    loaded = fresh(f"import sys, keraunos.{name}; print(*[m for m in ('numpy', 'jax', 'torch') if m in sys.modules])")
    assert loaded == ""


def test_an_engine_misspelt_in_the_environment_is_placed():
    error = fresh("import os; os.environ['KERAUNOS_BACKEND'] = 'jx'; import keraunos; keraunos.config.backend()", expect=1)
    assert "There is no backend 'jx'." in error and "Where: the environment variable KERAUNOS_BACKEND" in error and "Did you mean 'jax'?" in error


HOOK = "import keraunos; keraunos.install_as_keras(); "


@pytest.mark.parametrize(
    "code",
    [
        "import keras; assert keras.layers is keraunos.layers",
        "from keras import layers; assert layers is keraunos.layers",
        "import keras.utils as u; assert u is keraunos.utils and u.__spec__.name == 'keraunos.utils'",
        "from keras.layers import Dense; assert Dense is keraunos.layers.Dense",
        "import keras; assert keras.Model is keraunos.Model and keras.version() == keras.__version__ == '3.15.1'",
        "keraunos.install_as_keras(); import keras, sys; assert len([f for f in sys.meta_path if type(f).__module__ == 'keraunos.compat']) == 1",
    ],
)
def test_keras_means_keraunos(code):
    fresh(HOOK + code)


@pytest.mark.parametrize(
    ("code", "words"),
    [
        ("from keras.src import layers", "ModuleNotFoundError: 'keras.src' is private to Keras"),
        ("import keras.applications", "Keraunos has no 'applications' yet; Keras 3.15.1 has it."),
        ("from keras import applications", "Keraunos has no 'applications' yet; Keras 3.15.1 has it."),
        ("import keras.core", "ModuleNotFoundError: Keraunos has no 'core'"),
        ("from keras.layers import Danse", "Did you mean 'Dense'?"),
    ],
)
def test_what_is_lacking_is_said(code, words):
    error = fresh(HOOK + code, expect=1)
    assert words in error
    assert error.splitlines()[-1].count("Error") <= 1


def test_keras_that_is_there_already_is_not_replaced():
    error = fresh("import sys, types; sys.modules['keras'] = types.ModuleType('keras'); " + HOOK, expect=1)
    assert "before the first `import keras`" in error
