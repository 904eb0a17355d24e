"""`keraunos doctor`: facts that were made up, what is found in them, and how it is printed."""

from __future__ import annotations

import importlib
import io
import json
import pathlib
import re
from typing import Any

import pytest
from rich.console import Console
from typer.testing import CliRunner

from keraunos.cli import app, facts
from keraunos.cli.checks import CHECKS, examine
from keraunos.cli.facts import Engine, Facts, Folder
from keraunos.core import config

doctor = importlib.import_module("keraunos.cli.doctor")  # in the package, this is the name of the command
GIB = 2**30
WELL = {name: Engine(devices=["cpu:0"], seconds=1.0) for name in facts.ENGINES}
GPU = {**WELL, "jax": Engine(devices=["cuda:0"]), "torch": Engine(devices=["cuda:0 (H100)"]), "tensorflow": Engine(devices=["gpu:0"])}
VERSIONS = {"jax": "0.10.2", "jaxlib": "0.10.2", "torch": "2.13.0+cpu", "numpy": "2.4.6", "tensorflow": "2.21.0", "keras": "3.15.1"}


def machine(**differing: Any) -> Facts:
    return Facts(**{"engines": WELL, "packages": VERSIONS, "cpus": 8, "memory": 16 * GIB, "folders": {"this folder": Folder("/work")}, **differing})


def env(**variables: str) -> dict[str, Any]:
    return {"environment": variables}


def packages(**versions: str) -> dict[str, Any]:
    return {"packages": {**VERSIONS, **{name.replace("_", "-"): version for name, version in versions.items()}}}


def engine(name: str, **about: Any) -> dict[str, Any]:
    return {"engines": {**WELL, name: Engine(**about)}}


FOUND = {  # what differs from a machine where all is well: the mark, and words that what is found and the remedy must have
    "a misspelt engine": (env(KERAS_BACKEND="jaxx"), "fail", "KERAS_BACKEND='jaxx'", "Did you mean 'jax'"),
    "an engine that is not there": ({**env(KERAUNOS_BACKEND="torch"), **engine("torch", installed=False)}, "fail", "torch, which is not installed", "pip install 'keraunos[torch]'"),
    "two choices": (env(KERAS_BACKEND="torch", KERAUNOS_BACKEND="jax"), "warn", "KERAS_BACKEND=torch is another", "unset"),
    "an engine that crashes": (engine("torch", error="the process ended by signal 11"), "fail", "signal 11", "reinstall torch"),
    "no jax": (engine("jax", installed=False), "fail", "not installed", "pip install jax"),
    "broken settings": ({"settings": "JSONDecodeError: Expecting"}, "fail", "cannot be read: JSONDecodeError", "delete it"),
    "settings that are a list": ({"settings": []}, "fail", "no JSON object", "delete it"),
    "a dtype in the settings": ({"settings": {"floatx": "float23"}}, "fail", "floatx is 'float23'", "Did you mean 'float32'"),
    "a format in the settings": ({"settings": {"image_data_format": "last"}}, "fail", "image_data_format is 'last'", "'channels_last'"),
    "an epsilon in the settings": ({"settings": {"epsilon": "small"}}, "fail", "epsilon is 'small'", "1e-7"),
    "protobuf": ({"unmet": [("tensorflow", "protobuf<6", "7.1")]}, "fail", "tensorflow needs protobuf<6; 7.1 installed", "pip install 'protobuf<6'"),
    "an old numpy": (packages(numpy="1.26.4"), "fail", "numpy 1.26.4", "numpy>=2"),
    "parts of jax": (packages(jaxlib="0.4.30"), "fail", "jaxlib 0.4.30 do not belong", "jaxlib==0.10.2"),
    "jax's CUDA plugin": (packages(jax_cuda12_plugin="0.9.0"), "fail", "jax-cuda12-plugin 0.9.0", "jax-cuda12-plugin==0.10.2"),
    "several tensorflows": (packages(tensorflow_cpu="2.21.0"), "fail", "tensorflow, tensorflow-cpu share", "pip uninstall"),
    "an old keras": (packages(keras="2.15.0"), "warn", "keras 2.15.0", "install -U keras"),
    "a file that hides keras": ({"shadows": ["keras.py"]}, "fail", "'keras.py' in this folder", "rename"),
    "two CUDAs": (packages(nvidia_cublas_cu11="11.1", torch="2.13.0+cu126"), "warn", "CUDA 11: nvidia-cublas-cu11; CUDA 12: torch", "environment of its own"),
    "CUDA 13, whose packages have no number": (packages(nvidia_cublas_cu12="12.8", nvidia_cuda_runtime="13.0.48"), "warn", "CUDA 13: nvidia-cuda-runtime", "own"),
    "an old driver": ({**packages(torch="2.13.0+cu130"), "gpus": ["H100"], "driver_cuda": "12.4"}, "fail", "up to 12.4; builds for CUDA 13", "update the driver"),
    "other CUDA libraries": ({**packages(jax_cuda12_plugin="0.10.2"), **env(LD_LIBRARY_PATH="/usr/local/cuda/lib64")}, "warn", "LD_LIBRARY_PATH", "unset"),
    "a hidden GPU": ({"gpus": ["H100"], **env(CUDA_VISIBLE_DEVICES="")}, "warn", "hides the GPU", "unset CUDA_VISIBLE_DEVICES"),
    "a build for CPUs": ({"gpus": ["H100"]}, "warn", "torch is a build for CPUs", "pytorch.org"),
    "a GPU that is not seen": ({"gpus": ["H100"], **packages(torch="2.13.0+cu126")}, "fail", "torch is a build for GPUs, but does not see", "driver's CUDA"),
    "no GPU": (packages(torch="2.13.0+cu126"), "warn", "no driver shows one", "--gpus all"),
    "no GPU for jax": (packages(jax_cuda12_plugin="0.10.2"), "warn", "jax is a build for GPUs", "nvidia-smi"),
    "preallocation": ({"gpus": ["H100"], "engines": GPU}, "warn", "three quarters", "XLA_PYTHON_CLIENT_PREALLOCATE=false"),
    "one thread": (env(OMP_NUM_THREADS="1"), "warn", "OMP_NUM_THREADS=1 leaves 7 of 8 CPUs idle", "unset OMP_NUM_THREADS"),
    "too many threads": (env(OMP_NUM_THREADS="64"), "warn", "on 8 CPUs", "OMP_NUM_THREADS=8"),
    "threads that differ": (env(OMP_NUM_THREADS="2", MKL_NUM_THREADS="4"), "warn", "differ", "MKL_NUM_THREADS=8"),
    "no number of threads": (env(OMP_NUM_THREADS="all"), "fail", "'all'", "OMP_NUM_THREADS=8"),
    "a share of the CPUs": ({"quota": 2.0}, "warn", "grants 2 of 8", "OMP_NUM_THREADS=2"),
    "two OpenMPs": (env(KMP_DUPLICATE_LIB_OK="TRUE"), "warn", "two OpenMP libraries", "unset"),
    "little memory": ({"memory_limit": GIB}, "warn", "1.0 GiB, of 16.0 by the container", "limit"),
    "a home that is read-only": ({"folders": {"data sets and settings": Folder("/root/.keras", writable=False)}}, "fail", "cannot be written", "KERAS_HOME"),
    "a folder that is read-only": ({"folders": {"this folder": Folder("/w", writable=False)}}, "warn", "cannot be written", "cd to one"),
    "a full disk": ({"folders": {"temporary files": Folder("/tmp", free=10**7)}}, "fail", "0.01 GiB free", "delete"),
    "a disk that is nearly full": ({"folders": {"temporary files": Folder("/tmp", free=GIB // 2, used=GIB)}}, "warn", "1.0 GiB used, 0.50 GiB free", "delete"),
}  # fmt: skip


@pytest.mark.parametrize("case", FOUND)
def test_what_is_found(case: str) -> None:
    differing, mark, *words = FOUND[case]
    wrong = [finding for finding in examine(machine(**differing)) if finding.mark != "ok"]
    hits = [f for f in wrong if f.mark == mark and words[0] in f.fact and words[1] in f.remedy]
    assert hits, wrong
    assert all(finding.remedy and len(finding.fact) < 400 and len(finding.remedy) < 200 for finding in wrong)


WELL_SO = {
    "all is well": {},
    "settings as Keras writes them": {"settings": {"floatx": "float32", "epsilon": 1e-7, "backend": "tensorflow", "image_data_format": "channels_last"}},
    "GPUs that are used": {
        "gpus": ["H100"], "engines": GPU, "driver_cuda": "12.8", **packages(torch="2.13.0+cu126"), **env(XLA_PYTHON_CLIENT_PREALLOCATE="false")
    },
    "a container": {"memory_limit": 8 * GIB, "quota": 4.0, **env(OMP_NUM_THREADS="4")},
    "one CPU": {"cpus": 1, **env(OMP_NUM_THREADS="1")},
    "an engine that is not wanted": engine("tensorflow", installed=False),
    "a newer keras": packages(keras="10.0.0"),
}  # fmt: skip


@pytest.mark.parametrize("case", WELL_SO)
def test_where_all_is_well_nothing_is_said(case: str) -> None:
    assert not [finding for finding in examine(machine(**WELL_SO[case])) if finding.mark != "ok"]


def test_each_check_finds_something() -> None:
    for check in CHECKS:
        assert any(f.mark != "ok" for differing, *_ in FOUND.values() for f in check(machine(**differing))), check.__name__


def test_what_is_printed() -> None:
    wrong = machine(**env(KERAS_BACKEND="jaxx", LD_LIBRARY_PATH="/opt/[cuda]/" + 20 * "long/"), **packages(torch="2.13.0+cu126"))
    for width in (60, 100):
        stream = io.StringIO()
        doctor.show(wrong, examine(wrong), Console(file=stream, width=width, highlight=False))
        printed = stream.getvalue()
        assert "\x1b" not in printed and max(map(len, printed.splitlines())) <= width
        assert re.search(r"^fail +engine +KERAS_BACKEND='jaxx' names no engine", printed, re.MULTILINE)
        assert "/opt/[cuda]/" in printed and "1 failure and 2 warnings" in printed


def test_the_command(monkeypatch: Any) -> None:
    monkeypatch.setattr(doctor, "gather", machine)
    done = CliRunner().invoke(app, ["doctor"])
    assert done.exit_code == 0 and "Nothing stands in the way." in done.output
    monkeypatch.setattr(doctor, "gather", lambda: machine(**engine("torch", error="ImportError: libcudart.so.12")))
    done = CliRunner().invoke(app, ["doctor", "--json"])
    findings = json.loads(done.stdout)["findings"]
    assert done.exit_code == 1 and [f["subject"] for f in findings if f["mark"] == "fail"] == ["torch"]


def test_the_facts_of_this_machine(monkeypatch: Any, tmp_path: pathlib.Path) -> None:
    """One engine is really started; neither broken settings nor a misspelt choice keep the doctor from looking."""
    (tmp_path / "keras.json").write_text('{"floatx": "float23"}')
    (tmp_path / "keras.py").touch()
    monkeypatch.setenv("KERAS_HOME", str(tmp_path))
    monkeypatch.setenv("KERAUNOS_BACKEND", "numppy")
    monkeypatch.chdir(tmp_path)
    found = facts.gather(["numpy"])
    assert found.engines["numpy"].devices and not found.engines["numpy"].error and found.engines["numpy"].seconds > 0
    assert found.shadows == ["keras.py"] and found.settings == {"floatx": "float23"} and found.environment["KERAUNOS_BACKEND"] == "numppy"
    assert found.packages["numpy"].startswith("2") and found.cpus > 0 and found.memory > GIB and all(f.writable for f in found.folders.values())
    assert found.unmet == [] and {f.subject for f in examine(found) if f.mark == "fail"} == {"engine", "settings", "imports"}
    assert set(facts.ENGINES) == set(config.BACKENDS)


def test_engines_that_crash_or_hang(monkeypatch: Any) -> None:
    monkeypatch.setattr(facts, "_LIMIT", 0.2)
    programs = {
        "import os; os.abort()": "ended by signal 6",
        "raise ImportError('lib')": "ImportError: lib",
        "import time; time.sleep(9)": "took more than 0.2 s",
    }
    for program, words in programs.items():
        assert words in facts._probed("numpy", program).error
    assert facts._probed("json_" + 9 * "x").installed is False
