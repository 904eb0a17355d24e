"""Checkpoints in folders, by Orbax: what `callbacks.OrbaxCheckpoint` writes, in the layout that Keras 3 writes too."""

from __future__ import annotations

import json
import logging
import pathlib
from typing import Any

import numpy as np
import optree

from keraunos.core.errors import KeraunosError, StateError, needing
from keraunos.core.scope import within
from keraunos.core.serialization import serialize_keras_object
from keraunos.saving.files import problem, require

_WEIGHTS = ("trainable_variables", "non_trainable_variables")
_MARK = "_CHECKPOINT_METADATA"


def library() -> Any:
    """The package.

    Raises:
        BackendError: It is not installed.
    """
    with needing("Checkpoints of Orbax need its package.", "OrbaxCheckpoint", "orbax-checkpoint"):
        import orbax.checkpoint as orbax
    logging.getLogger("absl").addFilter(_worth_saying)
    return orbax


def _worth_saying(record: logging.LogRecord) -> bool:
    """Whether a warning is not one of those that are given of every checkpoint as we write and read it."""
    return not str(record.msg).startswith(("Metadata file does not exist", "[process=%s][thread=%s] Skipping merge of OCDBT"))


def is_checkpoint(path: pathlib.Path) -> bool:
    """Whether a folder is a checkpoint, or holds them by the number of their step."""
    return path.is_dir() and ((path / _MARK).exists() or bool(_steps(path)))


def _steps(path: pathlib.Path) -> list[int]:
    return sorted(int(p.name) for p in path.iterdir() if p.name.isdigit() and (p / _MARK).exists())


class Writer:
    """Writes the checkpoints of one folder, in the background if wanted; each is whole or not there.

    Args:
        directory: The folder.
        keep: How many checkpoints stay; None for all.
        background: Whether training goes on while one is written.
    """

    def __init__(self, directory: pathlib.Path, keep: int | None, background: bool):
        self._orbax = library()
        options = self._orbax.CheckpointManagerOptions(max_to_keep=keep, enable_async_checkpointing=background)
        self._manager = self._orbax.CheckpointManager(directory.absolute(), options=options)

    @property
    def latest(self) -> int:
        """The number of the last checkpoint; -1 before the first."""
        found = self._manager.latest_step()
        return -1 if found is None else found

    def write(self, model: Any, step: int, weights_only: bool) -> None:
        """Write the state as it is now: it is copied before this returns."""
        state, order = _state(model, weights_only)
        save = self._orbax.args.PyTreeSave
        items = {"pytree": save(state)}
        if not weights_only:
            with within(sharing={}):
                items["model_config"] = save({"config": json.dumps(serialize_keras_object(model))})
        self._manager.save(step, args=self._orbax.args.Composite(**items), custom_metadata={"keraunos": order}, force=True)

    def wait(self) -> None:
        """Wait until all is on the disk.

        Raises:
            Exception: What went wrong in the background.
        """
        self._manager.wait_until_finished()

    def close(self) -> None:
        """Wait, and let go of the folder."""
        self._manager.close()


def _groups(model: Any, weights_only: bool) -> dict[str, list[Any]]:
    return {group: variables for group, variables in model._variable_groups().items() if not weights_only or group in _WEIGHTS}


def _state(model: Any, weights_only: bool) -> tuple[dict[str, Any], dict[str, list[str]]]:
    """Copies of the values as nested dicts by the parts of their paths, and the paths in order."""
    state: dict[str, Any] = {}
    order: dict[str, list[str]] = {}
    for group, variables in _groups(model, weights_only).items():
        state[group], order[group] = {}, [v.path for v in variables]
        for variable in variables:
            *outer, name = variable.path.split("/")
            node = state[group]
            for part in outer:
                node = node.setdefault(part, {})
            if not isinstance(node, dict) or name in node:
                fact = f"Two variables of the model have the path '{variable.path}'."
                raise StateError(fact, where="OrbaxCheckpoint", fix="give the layers names that differ, or use ModelCheckpoint")
            if variable.size:  # Orbax has no empty arrays; they hold nothing
                node[name] = np.array(variable.numpy())
    return state, order


# ---- reading ----
def _restored(path: pathlib.Path) -> Any:
    """What is in a folder, its arrays as NumPy's wherever they were before."""
    orbax = library()
    with orbax.PyTreeCheckpointer() as reader:
        leaves = reader.metadata(path).item_metadata.tree
        texts = [isinstance(leaf, orbax.metadata.StringMetadata) for leaf in optree.tree_leaves(leaves)]
        kinds = [orbax.RestoreArgs(restore_type=str if text else np.ndarray) for text in texts]
        return reader.restore(path, restore_args=optree.tree_unflatten(optree.tree_structure(leaves), kinds))


class Checkpoint:
    """The contents of a checkpoint: of a folder of them, the last one.

    Args:
        path: The folder.

    Raises:
        ModelFileError: It cannot be read.
    """

    def __init__(self, path: pathlib.Path):
        path = path.absolute()
        self.path = path if (path / _MARK).exists() else path / str(_steps(path)[-1])
        try:
            self.state = _restored(self.path / "pytree")
            written = self.path / "model_config"
            self.config = json.loads(_restored(written)["config"]) if written.exists() else None
            about = json.loads((self.path / _MARK).read_text(encoding="utf-8")).get("custom_metadata") or {}
        except KeraunosError:
            raise
        except Exception as error:  # the files may hold anything
            raise problem(self.path, f"The checkpoint cannot be read: {type(error).__name__}: {str(error)[:200]}") from error
        self.order = about.get("keraunos", {})

    def _values(self, group: str, variables: list[Any]) -> list[Any] | None:
        """The values of a group's variables: in their order where it is known, by their paths in what Keras wrote; None if they do not fit."""
        paths = self.order.get(group) or [v.path for v in variables]
        values = []
        if len(paths) != len(variables):
            return None
        for path, variable in zip(paths, variables, strict=True):
            node: Any = self.state.get(group, {})
            for part in path.split("/"):
                node = node.get(part) if isinstance(node, dict) else None
            if node is None and not variable.size:
                node = np.zeros(variable.shape, variable.dtype)
            if node is None and group not in self.order and "seed" in path:  # Keras names the seeds of draws in another way
                node = variable.numpy()
            if node is None or tuple(node.shape) != tuple(variable.shape):
                return None
            values.append(np.asarray(node))
        return values

    def give(self, model: Any, weights_only: bool) -> None:
        """Give a model the state; nothing is assigned unless the weights fit. An optimizer of another kind is left as it is.

        Raises:
            ModelFileError: The weights do not fit.
        """
        pairs = []
        for group, variables in _groups(model, weights_only).items():
            values = self._values(group, variables)
            if values is None:
                fix = "load it whole: keras.models.load_model(path)" if self.config else "make the model as it was when the checkpoint was written"
                require(group not in _WEIGHTS, self.path, "The weights do not fit the model.", group, fix)
                continue
            pairs += zip(variables, values, strict=True)
        for variable, value in pairs:
            variable.assign(value)
