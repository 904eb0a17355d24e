"""The public names: they are there, they are Keras's, and what is lacking is said."""

from __future__ import annotations

import doctest
import importlib
import sys

import pytest

import keraunos
from keraunos.core.errors import MissingNameError
from keraunos.core.missing import _INSTEAD, keras_names

NAMESPACES = sorted(keraunos._MODULES)
NESTED = [f"{space}.{name}" for space in NAMESPACES for name in vars(getattr(keraunos, space)) if f"{space}.{name}" in keras_names()]
OURS = {  # public names that Keras does not have
    "": {"backend_scope", "functional", "install_as_keras", "lora", "set_backend", "value_and_grad"},
    "config": {"are_checks_enabled", "backend_scope", "disable_checks", "enable_checks"},
    "datasets": {"digits", "files", "iris", "made", "sms_spam"},
    "export": {"export_model"},
    "lora": {"enable", "merge"},
    "models": {"Function", "Functional", "insert_layers", "replace_layers"},
    "ops": {"affine"},
    "dtype_policies": {"dtype_policy", "set_dtype_policy"},
}


@pytest.mark.parametrize("namespace", ["", *NAMESPACES, *NESTED])
def test_every_public_name_is_there(namespace):
    module = importlib.import_module(f"keraunos.{namespace}".rstrip("."))
    assert len(set(module.__all__)) == len(module.__all__)
    for name in module.__all__:
        assert getattr(module, name) is not None


@pytest.mark.parametrize("namespace", NAMESPACES)
def test_public_names_are_those_of_keras(namespace):
    module = importlib.import_module(f"keraunos.{namespace}")
    spaces = {n.partition(".")[2].partition(".")[0] if namespace else n for n in keras_names() if n.startswith(f"{namespace}.")}
    extra = set(module.__all__) - keras_names().get(namespace, frozenset()) - spaces - OURS.get(namespace, set())
    assert not extra, f"keraunos.{namespace} has public names that Keras lacks: {sorted(extra)}"


@pytest.mark.parametrize("namespace", ["", *NAMESPACES, *NESTED])
def test_what_keras_has_and_we_lack_is_said(namespace):
    module = importlib.import_module(f"keraunos.{namespace}".rstrip("."))
    lacking = sorted(n for n in keras_names().get(namespace, ()) if n not in module.__all__ and not n.startswith("_"))
    for name in lacking[:3]:
        with pytest.raises(MissingNameError, match=rf"Keraunos has no '{namespace and namespace + '.'}{name}' yet; Keras 3\.15\.1 has it\."):
            getattr(module, name)


@pytest.mark.parametrize("namespace", ["", *NAMESPACES, *NESTED])
def test_misspelt_names_are_answered(namespace):
    module = importlib.import_module(f"keraunos.{namespace}".rstrip("."))
    name = next(n for n in module.__all__ if len(n) > 3 and not n.startswith("_"))
    with pytest.raises(MissingNameError, match="Did you mean") as caught:
        getattr(module, name + "q")
    assert "nor in Keras" in str(caught.value)


def test_nested_namespaces():
    assert {"ops.linalg", "ops.nn", "ops.numpy", "optimizers.schedules"} <= set(NESTED)


def test_names_that_import_from_lacks():
    with pytest.raises(ImportError, match="Did you mean 'Sequential'"):
        from keraunos import Sequentail  # noqa: F401  # pyright: ignore[reportAttributeAccessIssue]
    with pytest.raises(ImportError, match="Keraunos has no 'utils.FeatureSpace' yet"):
        from keraunos.utils import FeatureSpace  # noqa: F401  # pyright: ignore[reportAttributeAccessIssue]
    with pytest.raises(ImportError, match="Did you mean 'CosineDecay'"):
        from keraunos.optimizers.schedules import CosinDecay  # noqa: F401  # pyright: ignore[reportAttributeAccessIssue]


def test_names_without_a_near_one_are_answered_with_what_helps():
    with pytest.raises(MissingNameError, match=r"Fix: dir\(keraunos\.utils\) lists the names that there are"):
        keraunos.utils.FeatureSpace  # noqa: B018  # pyright: ignore[reportAttributeAccessIssue]
    with pytest.raises(MissingNameError, match=r"nor in Keras.*\n.*\nFix: dir\(keraunos\.utils\)"):
        keraunos.utils.Qqqq  # noqa: B018  # pyright: ignore[reportAttributeAccessIssue]


@pytest.mark.parametrize("name", [*_INSTEAD, "backend.mean"])
def test_names_of_old_are_answered_with_what_does_their_work(name):
    space, _, last = name.rpartition(".")
    with pytest.raises(MissingNameError) as caught:
        getattr(importlib.import_module(f"keraunos.{space}".rstrip(".")), last)
    assert f"Fix: {_INSTEAD.get(name, 'ops.mean')}" in str(caught.value)


def test_probes_get_a_plain_attribute_error():
    assert not hasattr(keraunos.utils, "__wrapped__")
    assert not hasattr(keraunos, "_ipython_display_")


def test_dir_lists_the_public_names():
    assert set(keraunos.__all__) <= set(dir(keraunos))


def test_every_public_class_and_function_has_an_example_that_runs():
    lacking, found = [], {}
    inner = (
        "datasets.digits",
        "datasets.files",
        "datasets.iris",
        "datasets.made",
        "interop.array_api",
        "interop.optuna",
        "interop.ray",
        "interop.torch",
        "populations",
    )
    for namespace in ("", *NAMESPACES, *NESTED, *inner):
        module = importlib.import_module(f"keraunos.{namespace}".rstrip("."))
        for name in module.__all__:
            item = getattr(module, name)
            if not callable(item):
                continue
            home = item.__module__
            if home not in found:  # what a run of the doctests of the module finds in it
                found[home] = {test.docstring for test in doctest.DocTestFinder().find(sys.modules[home]) if test.examples}
            if item.__doc__ not in found[home]:
                lacking.append(f"{namespace}.{name}")
    assert not lacking
