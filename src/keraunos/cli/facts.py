"""What `keraunos doctor` and `keraunos info` know of a machine: gathered once, without importing an engine in this process."""

from __future__ import annotations

import contextlib
import dataclasses
import importlib.metadata
import importlib.util
import json
import os
import pathlib
import platform
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

ENGINES = ("jax", "torch", "tensorflow", "pytensor", "numpy")
_LIMIT = 120  # seconds until an engine counts as hanging
# JAX and TensorFlow would take most of a GPU's memory, and tell much that is of no use here.
_QUIET = {"XLA_PYTHON_CLIENT_PREALLOCATE": "false", "TF_FORCE_GPU_ALLOW_GROWTH": "true", "TF_CPP_MIN_LOG_LEVEL": "3"}
_PLAIN = {"KERAS_HOME": os.devnull}  # no settings, which may be broken
_KEPT = re.compile(r"(KERA|OMP_|MKL_|OPENBLAS_|BLIS_|VECLIB_|NUMEXPR_|KMP_|XLA_|JAX_|TF_|TORCH|PYTORCH|CUDA|NVIDIA|HIP_|ROCR_|LD_LIBRARY_PATH|PYTHON)")
_GIB = 2**30


@dataclasses.dataclass
class Engine:
    """What became of importing an engine in a process of its own.

    Args:
        installed: Whether its package is there.
        seconds: How long the import took.
        devices: What it computes on, in words.
        error: What it failed by; empty if it works.
        threads: The libraries that compute with several threads: name and number of threads.
    """

    installed: bool = True
    seconds: float = 0.0
    devices: list[str] = dataclasses.field(default_factory=list)
    error: str = ""
    threads: list[tuple[str, int]] = dataclasses.field(default_factory=list)


@dataclasses.dataclass
class Folder:
    """A folder that is written to: its path, whether that can be done, and bytes free and used."""

    path: str
    writable: bool = True
    free: int = 100 * _GIB
    used: int = 0


@dataclasses.dataclass
class Facts:
    """All that the checks look at.

    Args:
        python: The version of Python.
        system: The operating system, in words.
        engines: The engines by name.
        packages: The versions of installed packages, by name in small letters with dashes.
        unmet: Requirements of packages that are not met: package, requirement, installed version.
        environment: The environment variables that matter.
        gpus: The names of the NVIDIA GPUs that the driver shows.
        driver_cuda: The newest CUDA that the driver can run, such as "12.4"; empty if not known.
        settings: The content of `keras.json`, a text if it cannot be read, None without one.
        settings_path: Where that file is, or would be.
        folders: The folders that are written to, by what for.
        shadows: Files of the working folder that would be imported in place of packages.
        cpus: The number of CPUs that this process may use.
        quota: How many CPUs the container grants; 0 without a limit.
        memory: The bytes of memory of the machine.
        memory_limit: What the container grants of it; 0 without a limit.
    """

    python: str = platform.python_version()
    system: str = platform.platform(terse=True)
    engines: dict[str, Engine] = dataclasses.field(default_factory=dict)
    packages: dict[str, str] = dataclasses.field(default_factory=dict)
    unmet: list[tuple[str, str, str]] = dataclasses.field(default_factory=list)
    environment: dict[str, str] = dataclasses.field(default_factory=dict)
    gpus: list[str] = dataclasses.field(default_factory=list)
    driver_cuda: str = ""
    settings: Any = None
    settings_path: str = "~/.keras/keras.json"
    folders: dict[str, Folder] = dataclasses.field(default_factory=dict)
    shadows: list[str] = dataclasses.field(default_factory=list)
    cpus: int = 1
    quota: float = 0.0
    memory: int = 0
    memory_limit: int = 0


def gather(engines: Iterable[str] = ENGINES) -> Facts:
    """Look at this machine."""
    home = pathlib.Path(os.environ.get("KERAS_HOME") or pathlib.Path("~/.keras").expanduser())
    packages = {d.metadata["Name"].lower().replace("_", "-"): d.version for d in importlib.metadata.distributions() if d.metadata["Name"]}
    gpus, driver = _gpus()
    return Facts(
        engines=probed(engines),
        packages=packages,
        unmet=_unmet(packages),
        environment={name: value for name, value in os.environ.items() if _KEPT.match(name)},
        gpus=gpus,
        driver_cuda=driver,
        settings=_settings(home / "keras.json"),
        settings_path=str(home / "keras.json"),
        folders={purpose: _folder(path, purpose in _CACHES) for purpose, path in _folders(home).items()},
        shadows=[p.name for name in ("keras", "keraunos", *ENGINES) for p in (pathlib.Path(f"{name}.py"), pathlib.Path(name, "__init__.py")) if p.is_file()],
        cpus=len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1,
        quota=_quota(),
        memory=os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") if hasattr(os, "sysconf") else 0,
        memory_limit=_number(_read("/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes")),
    )


# ---- engines ----
def probed(engines: Iterable[str]) -> dict[str, Engine]:
    """Import each engine in a process of its own, so that one that crashes or hangs is a fact as others are."""
    engines = list(engines)
    with ThreadPoolExecutor(2) as pool:
        return dict(zip(engines, pool.map(_probed, engines), strict=True))


def _probed(name: str, program: str = "from keraunos.cli.facts import probe; probe({!r})") -> Engine:
    if importlib.util.find_spec(name) is None:
        return Engine(installed=False)
    command = [sys.executable, "-c", program.format(name)]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=_LIMIT, env={**_QUIET, **os.environ, **_PLAIN}, errors="replace")
    except subprocess.TimeoutExpired:
        return Engine(error=f"importing it took more than {_LIMIT} s")
    if done.returncode == 0:
        return Engine(**json.loads(done.stdout.splitlines()[-1]))
    said = [line for line in done.stderr.splitlines() if line.strip() and not line.startswith("More:")]
    last = said[-1] if said else ""
    return Engine(error=last[:300] if last and done.returncode > 0 else f"the process ended by signal {-done.returncode}: {last[:200]}")


def probe(name: str) -> None:
    """Import an engine, compute on it, and print what an `Engine` holds, as JSON."""
    started = time.perf_counter()
    from keraunos import ops
    from keraunos.core import config

    engine = config.load_backend(name)
    seconds = time.perf_counter() - started
    with config.backend_scope(name):
        ops.add(engine.array([1.0]), engine.array([1.0]))
    threads = []
    if importlib.util.find_spec("threadpoolctl"):
        import threadpoolctl  # pyright: ignore[reportMissingImports]

        threads = [(pool["internal_api"], pool["num_threads"]) for pool in threadpoolctl.threadpool_info()]
    print("\n" + json.dumps({"seconds": seconds, "devices": list(engine.devices()), "threads": threads}))


# ---- packages, GPUs, files, limits ----
def _unmet(packages: dict[str, str]) -> list[tuple[str, str, str]]:
    """What the packages that matter require of others, and is not so."""
    if importlib.util.find_spec("packaging") is None:
        return []
    from packaging.requirements import Requirement

    found = []
    for name in ("keraunos", *ENGINES, "jaxlib", "keras", "h5py", "ml-dtypes", "onnx", "onnxruntime"):
        for text in (importlib.metadata.requires(name) or []) if name in packages else []:
            required = Requirement(text)
            version = packages.get(required.name.lower().replace("_", "-"), "")
            wanted = required.marker is None or required.marker.evaluate({"extra": ""})
            if wanted and not (version and required.specifier.contains(version, prereleases=True)):
                found.append((name, f"{required.name}{required.specifier}", version))
    return found


def _gpus() -> tuple[list[str], str]:
    """The NVIDIA GPUs, and the CUDA of the driver."""
    if shutil.which("nvidia-smi"):
        try:
            said = subprocess.run(["nvidia-smi"], capture_output=True, text=True, timeout=30, errors="replace").stdout
            names = subprocess.run(["nvidia-smi", "--query-gpu=name", "--format=csv,noheader"], capture_output=True, text=True, timeout=30, errors="replace")
        except (OSError, subprocess.TimeoutExpired):
            return [], ""
        version = re.search(r"CUDA Version:\s*([\d.]+)", said)
        return [line.strip() for line in names.stdout.splitlines() if line.strip()] if names.returncode == 0 else [], version[1] if version else ""
    folder = pathlib.Path("/proc/driver/nvidia/gpus")
    return [p.name for p in folder.iterdir()] if folder.is_dir() else [], ""


def _settings(path: pathlib.Path) -> Any:
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return None
    except (OSError, ValueError) as error:
        return f"{type(error).__name__}: {error}"


_CACHES = ("data sets and settings", "JAX's compiled programs", "PyTensor's compiled programs")


def _folders(home: pathlib.Path) -> dict[str, pathlib.Path]:
    """The folders that are written to, by what for."""
    found = {"data sets and settings": home, "temporary files": pathlib.Path(tempfile.gettempdir()), "this folder": pathlib.Path()}
    if os.environ.get("JAX_COMPILATION_CACHE_DIR"):
        found["JAX's compiled programs"] = pathlib.Path(os.environ["JAX_COMPILATION_CACHE_DIR"])
    pytensor = pathlib.Path("~/.pytensor").expanduser()
    return {**found, "PyTensor's compiled programs": pytensor} if pytensor.is_dir() else found


def _folder(path: pathlib.Path, measured: bool) -> Folder:
    there = next(p for p in (path.absolute(), *path.absolute().parents) if p.exists())
    try:
        with tempfile.TemporaryFile(dir=there):
            writable = True
    except OSError:
        writable = False
    used = 0
    for folder, _, names in os.walk(path) if measured else ():
        for name in names:
            with contextlib.suppress(OSError):
                used += os.lstat(os.path.join(folder, name)).st_size
    return Folder(str(path.absolute()), writable, shutil.disk_usage(there).free, used)


def _read(*paths: str) -> str:
    for path in paths:
        try:
            return pathlib.Path(path).read_text(encoding="ascii").strip()
        except OSError:
            continue
    return ""


def _number(text: str) -> int:
    return int(text) if text.isdigit() and int(text) < 2**60 else 0


def _quota() -> float:
    quota, _, period = _read("/sys/fs/cgroup/cpu.max").partition(" ")
    if not period:
        quota, period = _read("/sys/fs/cgroup/cpu/cpu.cfs_quota_us"), _read("/sys/fs/cgroup/cpu/cpu.cfs_period_us")
    return _number(quota) / (_number(period) or 1)
