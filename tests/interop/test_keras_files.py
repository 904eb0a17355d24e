"""Files between Keraunos and the installed Keras, both ways; what is in them stands in `both.py`."""

from __future__ import annotations

import gc
import importlib.util
import json
import os
import pathlib
import subprocess
import sys
import zipfile

import numpy as np
import pytest
from tests.conftest import in_force
from tests.interop import both

import keraunos

pytestmark = [
    pytest.mark.skipif(importlib.util.find_spec("keras") is None, reason="Keras is not installed"),
    pytest.mark.filterwarnings("ignore:The mask of its input ends here"),
    pytest.mark.xdist_group("files of Keras"),  # all are written once
]
DIRECTIONS = {"theirs read by us": "theirs", "ours read by them": "ours"}
# What Keras has in a file and we have not, or the other way: ours is the later where Keras has not decided on axes and moments.
OUT = (
    "build_config",
    "kwargs",
    "activity_regularizer",
    "quantization_config",
    "renorm",
    "renorm_clipping",
    "renorm_momentum",
    "rms_scaling",
    "axis",
    "jit_compile",
    "seed",
)
UNLIKE = {  # what Keras leaves out of the config of a user's class, writes into that of an op though it is the default, or does not infer
    "Plain", "Graph", "Pair", "custom", "op pad", "op one_hot", "op average_pool", "attention",
}  # fmt: skip


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    """What each wrote, and what the other found in it: Keras in one process of its own, since importing it takes long."""
    theirs, ours = (tmp_path_factory.mktemp(name) for name in ("theirs", "ours"))
    gc.freeze()  # clear_session collects garbage each time
    with in_force("torch"):  # what needs no compilation
        both.write(keraunos, ours)
        root = pathlib.Path(__file__).parents[2]
        command, environment = [sys.executable, "-m", "tests.interop.both", str(theirs), str(ours)], {**os.environ, "OMP_NUM_THREADS": "1"}
        done = subprocess.run(command, cwd=root, env=environment, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr[-2000:]
        both.read(keraunos, theirs)
    gc.unfreeze()
    return {"theirs": theirs, "ours": ours}


@pytest.mark.parametrize("direction", DIRECTIONS)
@pytest.mark.parametrize("name", both.names())
def test_files(name, direction, folders):
    """Predictions, weights and the optimizer's state are as they were, and another step changes them alike."""
    folder = folders[DIRECTIONS[direction]]
    if (error := folder / f"{name}.error.txt").exists():
        pytest.fail(error.read_text())
    written, found = (np.load(folder / f"{name}.{kind}.npz") for kind in ("written", "read"))
    for key in found.files:
        kind, at = key[0], key[1:]
        rough = {"mixed": 5e-2}.get(name, 1e-4 if kind in "WO" else 1e-5)  # bfloat16 has 8 bits of precision
        expected = written[{"f": "w", "h": "w", "H": "o"}.get(kind, kind) + at]
        np.testing.assert_allclose(found[key], expected, rtol=rough if kind in "yWO" else 0, atol=rough if kind in "yWO" else 0, err_msg=key)
    assert set(written.files) <= set(found.files)


def without(config, *keys):
    """The config without what may differ: the ids of shared objects, and empty settings."""
    if isinstance(config, dict):
        return {k: without(v, *keys) for k, v in config.items() if k not in ("shared_object_id", *keys)}
    return [without(x, *keys) for x in config] if isinstance(config, list) else config


def config_of(path):
    with zipfile.ZipFile(path) as archive:
        return json.loads(archive.read("config.json"))


@pytest.mark.parametrize("name", [name for name in both.names() if name not in UNLIKE])
def test_configs_are_equal(name, folders):
    ours, theirs = (without(config_of(folders[side] / f"{name}.keras"), *OUT) for side in ("ours", "theirs"))
    for optimizer in (config["compile_config"].get("optimizer") for config in (ours, theirs)):
        for key in ("module", "registered_name") if optimizer else ():
            del optimizer[key]  # Keras names the class of its engine
    assert ours == theirs
