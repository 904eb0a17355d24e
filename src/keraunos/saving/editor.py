"""`KerasFileEditor`: look into a file of weights, compare it with a model, and change it."""

from __future__ import annotations

from typing import Any

import numpy as np

from keraunos.core.errors import ArgumentError, ArgumentTypeError, clean, suggestion
from keraunos.saving import hdf5, weight_files, weights
from keraunos.saving.arrays import Stored
from keraunos.saving.files import as_path, existing, local, problem

Weights = dict[str, Any]


class KerasFileEditor:
    """Look into a file of weights, compare it with a model, and change it; the file itself stays until `save` writes over it.

    An object is named by its path, `layers/dense_1`, or by its last part where that is the only one. Unlike Keras's, it keeps the names that the
    user gave to layers, knows the layers within layers, refuses to replace an object by another one, and writes `.safetensors` and `.npz` too.

    Args:
        filepath: The path of a `.keras`, `.weights.h5`, `.safetensors` or `.npz` file, or of the index of shards.

    Raises:
        ModelFileError: There is no such file, or it is damaged or unsafe.

    Example:

    >>> import keraunos as keras, tempfile, os
    >>> path = os.path.join(tempfile.mkdtemp(), "model.weights.h5")
    >>> keras.Sequential([keras.Input((2,)), keras.layers.Dense(3)]).save_weights(path)
    >>> editor = keras.saving.KerasFileEditor(path)
    >>> editor.rename_object("dense", "first"); editor.save(path)
    >>> sorted(keras.saving.KerasFileEditor(path).weights_dict)
    ['layers/first']
    """

    def __init__(self, filepath: Any):
        self.filepath = str(filepath)
        with local(filepath) as path, weight_files.opened(existing(path)) as stored:
            if isinstance(stored, hdf5.File):
                raise problem(path, "This file is in the format of Keras 1 and 2.", fix="keras.models.load_model(path).save('model.keras') first")
            self._objects = {group.removesuffix("vars").rstrip("/"): {key: np.asarray(x) for key, x in held.items()} for group, held in stored.groups.items()}
            self._names = {group.removesuffix("vars").rstrip("/"): name for group, name in stored.names.items()}

    @property
    def weights_dict(self) -> dict[str, Weights]:
        """The arrays by the paths of the objects that have some, and by key."""
        return {path: held for path, held in self._objects.items() if held}

    # ---- looking ----
    def summary(self) -> None:
        """Print the objects of the file, with the shape and dtype of each array."""
        self._print(self._tree())

    def _tree(self) -> Any:
        from rich.text import Text
        from rich.tree import Tree

        root = Tree("Weights structure")
        nodes = {"": root}
        for path, held in self.weights_dict.items():
            parts = path.split("/") if path else []
            for depth in range(1, len(parts) + 1):
                place = "/".join(parts[:depth])
                name = self._names.get(place)
                label = clean(parts[depth - 1], 80) + (f" ({clean(name, 80)})" if name and name != parts[depth - 1] else "")
                if place not in nodes:
                    nodes[place] = nodes["/".join(parts[: depth - 1])].add(Text(label))
            for key, value in held.items():
                nodes[path].add(Text(f"{clean(key, 80)}: shape={value.shape}, dtype={value.dtype.name}"))
        return root

    def compare(self, reference_model: Any) -> dict[str, Any]:
        """Compare the file with what a model has, and print what does not fit.

        Args:
            reference_model: The model; it must be built.

        Returns:
            A dict with "status", "success" or "error", "error_count", and "match_count", the number of arrays that fit.
        """
        wanted = {group.removesuffix("vars").rstrip("/"): store for group, (_, store) in weights.collected(reference_model).items() if store}
        said, matches = [], 0
        for path, held in wanted.items():
            if path not in self.weights_dict:
                said.append(f"{path}: missing from the file; the model has {', '.join(held)}")
            for key, value in held.items() if path in self.weights_dict else ():
                found = self._objects[path].get(key)
                matches += found is not None and found.shape == tuple(value.shape)
                if found is None or found.shape != tuple(value.shape):
                    said.append(f"{path}/{key}: expected {tuple(value.shape)}; found {'nothing' if found is None else found.shape}")
        for path, held in self.weights_dict.items():
            said += [f"{path}: missing from the model; the file has {', '.join(held)}"] if path not in wanted else []
            said += [f"{path}/{key}: missing from the model" for key in held if path in wanted and key not in wanted[path]]
        fits = f"The file fits the model: {matches} weights match."
        self._print("\n".join(clean(line, 300) for line in said) or fits)
        return {"status": "error" if said else "success", "error_count": len(said), "match_count": matches}

    @staticmethod
    def _print(content: Any) -> None:
        from rich.console import Console

        Console(markup=False, highlight=False, soft_wrap=True).print(content)

    # ---- changing ----
    def rename_object(self, object_name: str, new_name: str) -> None:
        """Give an object, and so what is in it, another name at its place.

        Args:
            object_name: Its name or path.
            new_name: The last part of its new path.
        """
        old = self._found(object_name)
        if "/" in new_name or not new_name:
            raise ArgumentError("An object is renamed at its place.", where="new_name", received=new_name, fix=f"'{new_name.rpartition('/')[2]}'")
        new = "/".join([*old.split("/")[:-1], new_name])
        self._free(new)
        for held in self._tables():
            moved = {new + path[len(old) :] if self._within(path, old) else path: value for path, value in held.items()}
            held.clear()
            held.update(moved)

    def delete_object(self, object_name: str) -> None:
        """Take an object, and what is in it, out of the file."""
        old = self._found(object_name)
        for held in self._tables():
            for path in [path for path in held if self._within(path, old)]:
                del held[path]

    def add_object(self, object_path: str, weights: dict[str, Any]) -> None:
        """Put an object into the file.

        Args:
            object_path: Where: within one that there is, or at the top.
            weights: Its arrays by key, `{"0": kernel, "1": bias}`; dicts are objects within it.
        """
        above = object_path.rpartition("/")[0]
        if above:
            self._found(above)
        self._free(object_path)
        self._objects.update(self._read(object_path, weights))

    def delete_weight(self, object_name: str, weight_name: str) -> None:
        """Take one array of an object out of the file."""
        held = self._objects.get(path := self._found(object_name), {})
        if str(weight_name) not in held:
            raise ArgumentError(f"'{path}' has no weight '{weight_name}'.", where="weight_name", fix=f"it has: {', '.join(held) or 'none'}")
        del held[str(weight_name)]

    def add_weights(self, object_name: str, weights: dict[str, Any]) -> None:
        """Put arrays, by key, into an object; those that it has under the same keys are replaced."""
        path = self._found(object_name)
        for place, held in self._read(path, weights).items():
            self._objects.setdefault(place, {}).update(held)

    def _found(self, name: str) -> str:
        """The path of an object."""
        paths = {"/".join(path.split("/")[: i + 1]) for path in self._objects for i in range(path.count("/") + 1)} - {""}
        if (name := str(name)) in paths:
            return name
        same = sorted(path for path in paths if path.rpartition("/")[2] == name)
        if len(same) == 1:
            return same[0]
        fact = f"Several objects of the file are called '{name}'." if same else f"The file has no object '{name}'."
        raise ArgumentError(fact, where="object_name", fix=f"name its path: {', '.join(same[:6])}" if same else suggestion(name, sorted(paths)))

    def _free(self, path: str) -> None:
        if any(self._within(other, path) for other in self._objects):
            raise ArgumentError(f"The file has an object '{path}' already.", where="name", fix=f"editor.delete_object('{path}') first")

    def _tables(self) -> tuple[dict[str, Any], ...]:
        return self._objects, self._names

    @staticmethod
    def _within(path: str, outer: str) -> bool:
        return f"{path}/".startswith(f"{outer}/")

    def _read(self, path: str, given: Any) -> dict[str, Weights]:
        """The arrays that a user gave, by the paths of the objects."""
        fix = '{"0": kernel, "1": bias}'
        if not isinstance(given, dict) or not path or {"", "vars", ".", ".."} & set(path.split("/")):
            raise ArgumentTypeError("Weights are a dict of arrays by key.", where=f"weights of '{path}'", received=type(given).__name__, fix=fix)
        found: dict[str, Weights] = {path: {}}
        for key, value in given.items():
            if isinstance(value, dict):
                found |= self._read(f"{path}/{key}", value)
                continue
            found[path][str(key)] = array = np.asarray(value)
            if array.dtype.kind not in "biufcV" or "/" in str(key) or array.dtype.fields is not None:
                raise ArgumentTypeError("Weights are arrays of numbers.", where=f"weights['{key}']", received=array.dtype.name, fix=fix)
        return found

    # ---- writing ----
    def save(self, filepath: Any) -> None:
        """Write the weights as they are now, at once as `model.save_weights` does.

        Args:
            filepath: The path, ending in `.weights.h5`, `.safetensors` or `.npz`.
        """
        path = as_path(filepath)
        if not path.name.endswith(weight_files.WHOLE):
            fact = f"Weights are written to a file whose name ends in {', '.join(weight_files.WHOLE)}."
            raise ArgumentError(fact, where="filepath", received=str(path), fix=f"editor.save('{path.stem}.weights.h5')")
        groups = {f"{place}/vars".lstrip("/"): held for place, held in self._objects.items()}
        names = {f"{place}/vars".lstrip("/"): name for place, name in self._names.items() if place in self._objects}
        weight_files.write(Stored(groups, names).tree(), path)

    def resave_weights(self, filepath: Any) -> None:
        """`save`, by its other name."""
        self.save(filepath)
