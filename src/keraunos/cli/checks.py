"""What `keraunos doctor` looks for: each check is a function of the facts, and yields what it found."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import NamedTuple

from keraunos.cli.facts import ENGINES, Engine, Facts
from keraunos.core.errors import suggestion

_GIB = 2**30
_GPU = re.compile(r"cuda|gpu|rocm|tpu|mps", re.IGNORECASE)
_TENSORFLOWS = ("tensorflow", "tensorflow-cpu", "tensorflow-gpu", "tensorflow-macos", "intel-tensorflow", "tf-nightly", "tf-nightly-cpu")
_THREADS = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS", "BLIS_NUM_THREADS", "NUMEXPR_NUM_THREADS")
_FLOATS, _FORMATS = ("float16", "bfloat16", "float32", "float64"), ("channels_last", "channels_first")


class Finding(NamedTuple):
    """One thing that was looked at.

    Args:
        mark: "ok", "warn" or "fail".
        subject: What it is about.
        fact: What is so.
        remedy: What to do; empty where all is well.
    """

    mark: str
    subject: str
    fact: str
    remedy: str = ""


def examine(facts: Facts) -> list[Finding]:
    """All that the checks find, in their order."""
    return [finding for check in CHECKS for finding in check(facts)]


# ---- engines ----
def _engines(facts: Facts) -> Iterator[Finding]:
    for name, engine in facts.engines.items():
        needed = name in ("jax", "numpy")
        if not engine.installed:
            yield Finding("fail" if needed else "ok", name, "not installed", f"pip install {name}" if needed else f"pip install 'keraunos[{name}]', if wanted")
        elif engine.error:
            remedy = f"python -c 'import {name}' shows all of it; pip install --force-reinstall {name}"
            yield Finding("fail", name, f"{facts.packages.get(name, '')} cannot be used: {engine.error}".strip(), remedy)
        else:
            yield Finding("ok", name, f"{facts.packages.get(name, '')} on {', '.join(engine.devices)}; imported in {engine.seconds:.1f} s".strip())


def chosen(facts: Facts) -> tuple[str, str]:
    """The engine that is chosen, and where."""
    source = next((name for name in ("KERAUNOS_BACKEND", "KERAS_BACKEND") if facts.environment.get(name)), "")
    return (facts.environment[source], source) if source else ("jax", "")


def _choice(facts: Facts) -> Iterator[Finding]:
    name, source = chosen(facts)
    others = {facts.environment[key] for key in ("KERAUNOS_BACKEND", "KERAS_BACKEND") if facts.environment.get(key)}
    if name not in ENGINES:
        yield Finding("fail", "engine", f"{source}={name!r} names no engine.", suggestion(name, ENGINES))
    elif not facts.engines.get(name, Engine()).installed:
        remedy = f"pip install 'keraunos[{name}]', or export {source}=jax"
        yield Finding("fail", "engine", f"{source or 'the default'} names {name}, which is not installed.", remedy)
    elif len(others) > 1:
        fact = f"KERAUNOS_BACKEND={name} is in force; KERAS_BACKEND={facts.environment['KERAS_BACKEND']} is another."
        yield Finding("warn", "engine", fact, "unset one of them")
    else:
        yield Finding("ok", "engine", f"{name} is in force" + (f", by {source}" if source else ", which is the default"))


def _settings(facts: Facts) -> Iterator[Finding]:
    found, where = facts.settings, facts.settings_path
    if found is None:
        return
    if not isinstance(found, dict):
        fact = found if isinstance(found, str) else "it is no JSON object"
        remedy = 'mend or delete it; it may hold {"floatx": "float32", "image_data_format": "channels_last"}'
        yield Finding("fail", "settings", f"{where} cannot be read: {fact}", remedy)
        return
    epsilon = found.get("epsilon", 1e-7)
    wrong = [("floatx", _FLOATS)] if found.get("floatx", "float32") not in _FLOATS else []
    wrong += [("image_data_format", _FORMATS)] if found.get("image_data_format", "channels_last") not in _FORMATS else []
    for key, options in wrong:
        yield Finding("fail", "settings", f"{where}: {key} is {found[key]!r}.", suggestion(found[key], options))
    if isinstance(epsilon, bool) or not isinstance(epsilon, (int, float)) or not epsilon > 0:
        yield Finding("fail", "settings", f"{where}: epsilon is {epsilon!r}.", "give a small positive number, 1e-7")
        return
    named = found.get("backend")
    note = f"; its backend, {named}, is Keras's: ours is chosen by KERAUNOS_BACKEND or KERAS_BACKEND" if named not in (None, chosen(facts)[0]) else ""
    if not wrong:
        yield Finding("ok", "settings", f"{where}{note}")


# ---- packages ----
def _requirements(facts: Facts) -> Iterator[Finding]:
    for name, required, version in facts.unmet:
        yield Finding("fail", "packages", f"{name} needs {required}; {version or 'it is not'} installed.", f"pip install '{required}'")
    if facts.packages.get("numpy", "2").startswith(("0.", "1.")):
        yield Finding("fail", "packages", f"numpy {facts.packages['numpy']} is too old.", "pip install 'numpy>=2'")


def _jax_parts(facts: Facts) -> Iterator[Finding]:
    jax = facts.packages.get("jax")
    for name, version in sorted(facts.packages.items()):
        if jax and re.fullmatch(r"jaxlib|jax-cuda\d+-(plugin|pjrt)", name) and version.split(".")[:2] != jax.split(".")[:2]:
            yield Finding("fail", "packages", f"jax {jax} and {name} {version} do not belong together.", f"pip install -U 'jax=={jax}' '{name}=={jax}'")


def _tensorflows(facts: Facts) -> Iterator[Finding]:
    several = [name for name in _TENSORFLOWS if name in facts.packages]
    if len(several) > 1:
        remedy = f"pip uninstall {' '.join(several)}, then pip install tensorflow"
        yield Finding("fail", "packages", f"{', '.join(several)} share one folder and overwrite each other.", remedy)
    if facts.packages.get("keras", "3").split(".")[0] in ("1", "2"):
        fact = f"keras {facts.packages['keras']} is installed, of an API before Keras 3."
        yield Finding("warn", "packages", fact, "pip install -U keras, or pip uninstall keras")


def _shadows(facts: Facts) -> Iterator[Finding]:
    for name in facts.shadows:
        yield Finding("fail", "imports", f"'{name}' in this folder is imported in place of the package of that name.", "rename it, and delete __pycache__")


# ---- GPUs ----
def cuda_versions(packages: dict[str, str]) -> dict[str, list[str]]:
    """The packages that bring CUDA libraries, by its major version."""
    found: dict[str, list[str]] = {}
    for name, version in sorted(packages.items()):
        number = re.search(r"^nvidia-.*-cu(\d\d)$|^jax-cuda(\d\d)-plugin$|^cupy-cuda(\d\d)", name)
        number = number or (name == "torch" and re.search(r"\+cu(\d\d)", version)) or (name == "nvidia-cuda-runtime" and re.match(r"(\d\d)\.", version))
        if number:
            found.setdefault(next(group for group in number.groups() if group), []).append(name)
    return found


def _cuda(facts: Facts) -> Iterator[Finding]:
    versions = cuda_versions(facts.packages)
    if len(versions) > 1:
        listed = "; ".join(f"CUDA {major}: {', '.join(names[:3])}{', …' if len(names) > 3 else ''}" for major, names in versions.items())
        fact = f"Libraries of {len(versions)} versions are installed. {listed}"
        yield Finding("warn", "CUDA", fact, "give each engine an environment of its own, or builds of one CUDA")
    newest = max(map(int, versions), default=0)
    if facts.driver_cuda and newest > float(facts.driver_cuda):
        fact = f"The driver runs CUDA up to {facts.driver_cuda}; builds for CUDA {newest} are installed."
        yield Finding("fail", "CUDA", fact, f"update the driver, or install builds for CUDA {facts.driver_cuda.split('.')[0]}")
    path = facts.environment.get("LD_LIBRARY_PATH", "")
    if versions and "cuda" in path.lower():
        yield Finding("warn", "CUDA", f"LD_LIBRARY_PATH={path} comes before the libraries that pip installed.", "unset LD_LIBRARY_PATH")


def _built_for_gpus(name: str, facts: Facts) -> bool:
    packages, version = facts.packages, facts.packages.get(name, "")
    if name == "torch":  # the usual wheels for Linux bring CUDA as packages
        return "+cu" in version or "+rocm" in version or ("+" not in version and any(p.startswith("nvidia-cu") for p in packages))
    if name == "jax":
        return any(re.match(r"jax-(cuda|rocm)\d+-plugin", p) for p in packages)
    return name == "tensorflow" and "tensorflow-cpu" not in packages and any(p.startswith("nvidia-cudnn") for p in packages)


_INSTALLED = {
    "jax": "pip install -U 'jax[cuda12]'",
    "torch": "pip install torch, as pytorch.org says for your CUDA",
    "tensorflow": "pip install 'tensorflow[and-cuda]'",
}


def _gpus(facts: Facts) -> Iterator[Finding]:
    hidden = facts.environment.get("CUDA_VISIBLE_DEVICES")
    if facts.gpus and hidden in ("", "-1"):
        yield Finding("warn", "GPU", f"CUDA_VISIBLE_DEVICES={hidden!r} hides the GPU from all engines.", "unset CUDA_VISIBLE_DEVICES")
        return
    if facts.gpus:
        yield Finding("ok", "GPU", ", ".join(facts.gpus) + (f"; the driver runs CUDA {facts.driver_cuda}" if facts.driver_cuda else ""))
    for name, remedy in _INSTALLED.items():
        engine = facts.engines.get(name, Engine(installed=False))
        if not engine.installed or engine.error or any(map(_GPU.search, engine.devices)):
            continue
        if facts.gpus and _built_for_gpus(name, facts):
            fact = f"{name} is a build for GPUs, but does not see the one that is there."
            yield Finding("fail", "GPU", fact, f"install a build for the driver's CUDA: {remedy}")
        elif facts.gpus:
            yield Finding("warn", "GPU", f"{name} is a build for CPUs; the GPU is not used.", remedy)
        elif _built_for_gpus(name, facts):
            fact = f"{name} is a build for GPUs, but no driver shows one; it computes on the CPU."
            yield Finding("warn", "GPU", fact, "nvidia-smi must list the GPU; start a container with --gpus all")


def _preallocation(facts: Facts) -> Iterator[Finding]:
    on_gpu = [name for name, engine in facts.engines.items() if any(map(_GPU.search, engine.devices))]
    if "jax" in on_gpu and len(on_gpu) > 1 and facts.environment.get("XLA_PYTHON_CLIENT_PREALLOCATE", "true").lower() not in ("false", "0"):
        others = " and ".join(name for name in on_gpu if name != "jax")
        fact = f"JAX takes three quarters of the GPU's memory when it starts; {others} in the same process may find none."
        yield Finding("warn", "GPU", fact, "export XLA_PYTHON_CLIENT_PREALLOCATE=false")


# ---- the machine ----
def _threads(facts: Facts) -> Iterator[Finding]:
    allowed = max(1, int(facts.quota + 0.5)) if facts.quota else facts.cpus
    given = {name: facts.environment[name] for name in _THREADS if facts.environment.get(name)}
    wrong = {name: value for name, value in given.items() if not re.fullmatch(r"[1-9]\d*(,[1-9]\d*)*", value)}
    counts = {name: int(value.split(",")[0]) for name, value in given.items() if name not in wrong}
    for name, value in wrong.items():
        yield Finding("fail", "threads", f"{name}={value!r} is no number of threads.", f"export {name}={allowed}")
    listed = ", ".join(f"{name}={count}" for name, count in counts.items())
    remedy = f"export {' '.join(f'{name}={allowed}' for name in counts)}"
    if len(set(counts.values())) > 1:
        yield Finding("warn", "threads", f"{listed} differ.", remedy)
    elif counts and max(counts.values()) > allowed:
        yield Finding("warn", "threads", f"{listed}, on {allowed} CPUs: threads will wait for each other.", remedy)
    elif counts and max(counts.values()) == 1 and allowed > 1:
        yield Finding("warn", "threads", f"{listed} leaves {allowed - 1} of {allowed} CPUs idle.", f"unset {' '.join(counts)}")
    elif facts.quota and allowed < facts.cpus and not counts:
        fact = f"The container grants {facts.quota:g} of {facts.cpus} CPUs; libraries start a thread for each."
        yield Finding("warn", "threads", fact, f"export OMP_NUM_THREADS={allowed}")
    elif not wrong:
        pools = {f"{name}: {count}" for engine in facts.engines.values() for name, count in engine.threads}
        yield Finding("ok", "threads", f"{allowed} CPUs{'; ' + ', '.join(sorted(pools)) if pools else ''}")
    if "KMP_DUPLICATE_LIB_OK" in facts.environment:
        fact = "KMP_DUPLICATE_LIB_OK hides that two OpenMP libraries are loaded, which may compute wrong."
        yield Finding("warn", "threads", fact, "unset it; install all packages by pip, or all by conda")


def _memory(facts: Facts) -> Iterator[Finding]:
    limit = facts.memory_limit if 0 < facts.memory_limit < facts.memory else 0
    usable = limit or facts.memory
    fact = f"{usable / _GIB:.1f} GiB" + (f", of {facts.memory / _GIB:.1f} by the container's limit" if limit else "")
    if 0 < usable < 2 * _GIB:
        yield Finding("warn", "memory", f"{fact}: an engine alone takes about one.", "raise the container's limit, or use the numpy engine to predict")
    elif usable:
        yield Finding("ok", "memory", fact)


_ELSEWHERE = {
    "data sets and settings": "export KERAS_HOME to a folder that can be",
    "temporary files": "export TMPDIR to a folder that can be",
    "this folder": "cd to one that can be",
}


def _folders(facts: Facts) -> Iterator[Finding]:
    for purpose, folder in facts.folders.items():
        place, size = f"{folder.path} ({purpose})", f"{folder.used / _GIB:.1f} GiB used, " if folder.used >= 0.1 * _GIB else ""
        if not folder.writable:
            mark = "warn" if purpose == "this folder" else "fail"
            yield Finding(mark, "folders", f"{place} cannot be written.", _ELSEWHERE.get(purpose, "let it be written, or name another"))
        elif folder.free < _GIB:
            mark = "fail" if folder.free < _GIB / 10 else "warn"
            remedy = "delete what is not needed; a model is written beside the old one, so it needs as much again"
            yield Finding(mark, "folders", f"{place}: {size}{folder.free / _GIB:.2f} GiB free.", remedy)
        else:
            yield Finding("ok", "folders", f"{place}: {size}{folder.free / _GIB:.0f} GiB free")


CHECKS: tuple[Callable[[Facts], Iterator[Finding]], ...] = (
    _choice, _engines, _settings, _requirements, _jax_parts, _tensorflows, _shadows, _gpus, _cuda, _preallocation, _threads, _memory, _folders,
)  # fmt: skip
