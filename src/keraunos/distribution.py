"""Models over several devices: which part of each tensor is where.

    keras.distribution.set_distribution(keras.distribution.DataParallel())

From then on variables are on all devices, and each takes its part of every batch. The step stays the program that it is on one device: the engine
divides it, and adds what the devices have to tell one another, so that losses, metrics and statistics are those of the whole batch.
"""

from __future__ import annotations

import contextlib
import functools
import math
import os
import re
import warnings
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from keraunos.core import config, tree
from keraunos.core.config import distribution
from keraunos.core.errors import ArgumentError, ArgumentTypeError, BackendError, ShapeError, StateError, SymbolicError, one_of, suggestion
from keraunos.core.errors import layout as message
from keraunos.core.graph import KerasTensor
from keraunos.core.missing import answer_for
from keraunos.core.patterns import Patterns
from keraunos.core.scope import within
from keraunos.core.spec import Spec, show

__all__ = [
    "DataParallel", "DeviceMesh", "LayoutMap", "ModelParallel", "TensorLayout", "distribute_tensor", "distribution", "get_device_count", "initialize",
    "list_devices", "set_distribution",
]  # fmt: skip


def _engine() -> Any:
    """The engine in force, which must be one that divides programs among devices."""
    engine = config.active()
    if not hasattr(engine, "mesh"):
        fix = getattr(engine, "several_devices", "keras.config.set_backend('jax')")
        raise BackendError(f"The {engine.name} backend does not divide a model among devices by itself.", where="distribution", fix=fix)
    return engine


def list_devices(device_type: str | None = None) -> list[str]:
    """The devices of the engine in force, those of all processes.

    Args:
        device_type: "cpu", "gpu" or "tpu"; all that the engine computes on by default.

    Example:

    >>> import keraunos as keras
    >>> "cpu:0" in keras.distribution.list_devices("cpu")
    True
    """
    kind = device_type if device_type is None else one_of("device_type", str(device_type).lower().replace("cuda", "gpu"), ("cpu", "gpu", "tpu"), "list_devices")
    engine = config.active()
    found = [text.split(" ")[0].replace("cuda", "gpu") for text in (engine.devices() if kind is None or not hasattr(engine, "mesh") else engine.devices(kind))]
    return [name if ":" in name else f"{name}:0" for name in found if kind is None or name.startswith(kind)]


def get_device_count(device_type: str | None = None) -> int:
    """How many devices there are; see `list_devices`.

    Example:

    >>> import keraunos as keras
    >>> keras.distribution.get_device_count("cpu") >= 1
    True
    """
    return len(list_devices(device_type))


def initialize(job_addresses: str | None = None, num_processes: int | None = None, process_id: int | None = None) -> None:
    """Make this process one of several, on one machine or many, whose devices work as one; before anything is computed.

    Each process runs the same program with the same `keras.utils.set_random_seed`. What is not given is read from the environment variables
    `KERAS_DISTRIBUTION_JOB_ADDRESSES`, `KERAS_DISTRIBUTION_NUM_PROCESSES` and `KERAS_DISTRIBUTION_PROCESS_ID`, else asked of the cluster's manager.

    Args:
        job_addresses: The addresses of the processes, separated by commas; only that of the first, with its port, is needed.
        num_processes: How many there are.
        process_id: Which of them this one is, counted from 0.

    Raises:
        BackendError: The engine does not divide models among devices.

    Example:

    >>> import keraunos as keras
    >>> keras.distribution.initialize("127.0.0.1:9876", num_processes=2, process_id=0)  # doctest: +SKIP
    """
    names = ("JOB_ADDRESSES", "NUM_PROCESSES", "PROCESS_ID")
    given = zip(names, (job_addresses, num_processes, process_id), strict=True)
    address, *numbers = (os.environ.get(f"KERAS_DISTRIBUTION_{name}") if value is None else value for name, value in given)
    _engine().join(None if address is None else str(address).split(",")[0], *(None if n is None else int(n) for n in numbers))


class DeviceMesh:
    """Devices in a grid whose axes have names.

    Args:
        shape: The sizes of the axes, such as `(2, 4)`.
        axis_names: Their names, such as `["batch", "model"]`.
        devices: The names of the devices, as `list_devices` gives them; all by default.

    Attributes:
        shape: The sizes of the axes.
        axis_names: Their names.
        devices: The names of the devices, an array of the mesh's shape.

    Raises:
        ArgumentError: The numbers of names or devices do not fit, or there is no such device.

    Example:

    >>> import keraunos as keras
    >>> keras.distribution.DeviceMesh((1,), ["batch"], ["cpu:0"]).devices
    array(['cpu:0'], dtype='<U5')
    """

    def __init__(self, shape: Sequence[int], axis_names: Sequence[str], devices: Any = None):
        self.shape, self.axis_names = tuple(int(size) for size in np.ravel(shape)), list(axis_names or ())
        known = list_devices()
        self.devices = np.array([str(d).replace("cuda", "gpu") for d in np.ravel(known if devices is None else devices)])
        if min(self.shape, default=0) < 1 or len(self.shape) != len(set(self.axis_names)):
            fact = "Each axis of a mesh has a size and a name of its own."
            raise ArgumentError(fact, where="DeviceMesh", received=f"shape={self.shape}, axis_names={self.axis_names}", fix="DeviceMesh((4,), ['batch'])")
        if not math.prod(self.shape) == (count := len(set(self.devices))) == self.devices.size:
            fact = f"A mesh of shape {self.shape} has {math.prod(self.shape)} places, and there are {count} devices."
            fix = "give devices=list_devices()[:n], or for devices that only are made up: XLA_FLAGS=--xla_force_host_platform_device_count=4"
            raise ArgumentError(fact, where="DeviceMesh", fix=fix)
        if unknown := next((d for d in self.devices if d not in known and d not in list_devices("cpu")), None):
            raise ArgumentError(f"There is no device '{unknown}'.", where="DeviceMesh", fix=suggestion(unknown, known))
        self.devices = self.devices.reshape(self.shape)

    @functools.cached_property
    def backend_mesh(self) -> Any:
        """The mesh as the engine has it."""
        return _engine().mesh(self.devices, tuple(self.axis_names))

    def size(self, axis: str) -> int:
        """The size of an axis."""
        return self.shape[self.axis_names.index(axis)]

    @classmethod
    def checked(cls, value: Any, where: str) -> DeviceMesh:
        """A value that must be a mesh."""
        if not isinstance(value, cls):
            raise ArgumentTypeError("This is no mesh.", where=where, received=repr(value), fix="DeviceMesh((4,), ['batch'])")
        return value

    def __repr__(self) -> str:
        return f"<DeviceMesh {', '.join(f'{name}={size}' for name, size in zip(self.axis_names, self.shape, strict=True))}>"


class TensorLayout:
    """How a tensor is divided: for each of its axes the axis of the mesh along which its parts lie, or None where it is whole.

    Args:
        axes: The names, such as `(None, "model")`; axes that are not named are whole.
        device_mesh: The mesh; a `LayoutMap` gives its own.

    Attributes:
        axes: The names, a list.
        device_mesh: The mesh, or None.

    Raises:
        ArgumentError: The mesh has no such axis.

    Example:

    >>> import keraunos as keras
    >>> mesh = keras.distribution.DeviceMesh((1,), ["model"], ["cpu:0"])
    >>> keras.distribution.TensorLayout((None, "model"), mesh)
    <TensorLayout [None, 'model']>
    """

    def __init__(self, axes: Sequence[str | None], device_mesh: DeviceMesh | None = None):
        self.axes, self.device_mesh = list(axes), device_mesh
        named = [axis for axis in self.axes if axis is not None]
        if device_mesh is not None and (unknown := next((axis for axis in named if axis not in device_mesh.axis_names), None)):
            raise ArgumentError(f"The mesh has no axis '{unknown}'.", where="TensorLayout", fix=suggestion(unknown, device_mesh.axis_names))
        if len(set(named)) < len(named):
            raise ArgumentError("Two axes of a tensor cannot lie along one axis of the mesh.", where="TensorLayout", received=str(self.axes), fix="leave None")

    @functools.cached_property
    def backend_layout(self) -> Any:
        """The layout as the engine has it."""
        if self.device_mesh is None:
            raise StateError("The layout has no mesh.", where="TensorLayout", fix="TensorLayout(axes, device_mesh)")
        return _engine().layout(self.device_mesh.backend_mesh, self.axes)

    def divides(self, shape: Sequence[Any]) -> bool:
        """Whether a tensor of a shape can be divided so."""
        mesh: Any = self.device_mesh
        return len(shape) >= len(self.axes) and all(a is None or n % mesh.size(a) == 0 for a, n in zip(self.axes, shape, strict=False))

    def check(self, shape: Sequence[Any], where: str) -> None:
        """Raise unless a tensor of a shape can be divided so."""
        if not self.divides(shape):
            fact = f"A tensor of shape {show(tuple(shape))} cannot be divided so: {self} over {self.device_mesh}."
            raise ShapeError(fact, where=where, fix="leave None where the devices do not divide the size")

    def applied(self, structure: Any, where: str, batch: bool = False) -> Any:
        """Tensors divided so; with `batch` whole along their first axis where the devices do not divide it, as in a last batch."""
        engine = _engine()

        def place(x: Any) -> Any:
            x = x if engine.is_tensor(x) else engine.array(x)
            layout = TensorLayout([None, *self.axes[1:]], self.device_mesh) if batch and not self.divides(x.shape) else self
            layout.check(x.shape, where)
            return engine.distribute(x, layout.backend_layout)

        return tree.map_structure(place, structure)

    def __repr__(self) -> str:
        return f"<TensorLayout {self.axes}>"


class LayoutMap(Patterns):
    """Layouts of variables by regular expressions that are searched for in their paths; of what layers give, by those of `path/output`.

    Args:
        device_mesh: The mesh.

    Raises:
        ArgumentError: A key is taken, or no regular expression, or two fit one path.

    Example:

    >>> import keraunos as keras
    >>> mesh = keras.distribution.DeviceMesh((1, 1), ["batch", "model"], ["cpu:0"])
    >>> layout_map = keras.distribution.LayoutMap(mesh)
    >>> layout_map["dense.*kernel"] = (None, "model")
    >>> layout_map["sequential/dense_3/kernel"]
    <TensorLayout [None, 'model']>
    """

    def __init__(self, device_mesh: DeviceMesh):
        super().__init__()
        self.device_mesh = DeviceMesh.checked(device_mesh, "LayoutMap")

    def __getitem__(self, key: str) -> Any:
        """The layout of a path, None where no expression fits."""
        return self.only(key, re.search)

    def checked(self, key: str, value: Any) -> TensorLayout:
        """A layout over the map's mesh."""
        if not isinstance(value, (TensorLayout, tuple, list)):
            raise ArgumentTypeError("A layout is a TensorLayout or a tuple.", where="LayoutMap", received=type(value).__name__, fix="(None, 'model')")
        axes, mesh = (value.axes, value.device_mesh) if isinstance(value, TensorLayout) else (value, None)
        if mesh not in (None, self.device_mesh):
            raise StateError("The layout has another mesh.", where="LayoutMap", fix="leave device_mesh out: the layout map has it")
        return TensorLayout(axes, self.device_mesh)


class Distribution:
    """Where variables and batches are; the base of `DataParallel` and `ModelParallel`.

    Args:
        device_mesh: The mesh.
        batch_dim_name: Its axis along which batches are divided; the first by default.
        auto_shard_dataset: With several processes, whether each is given all data, of whose batches it takes its part; else each is given its own.
    """

    def __init__(self, device_mesh: DeviceMesh, batch_dim_name: str | None = None, auto_shard_dataset: bool = True):
        self.device_mesh, self.auto_shard_dataset = device_mesh, auto_shard_dataset
        self.batch_dim_name = batch_dim_name or device_mesh.axis_names[0]
        self._batch = TensorLayout([self.batch_dim_name], device_mesh)
        self._whole = TensorLayout([], device_mesh)
        self.engine: Any = None  # once it is in force

    def get_data_layout(self, data_shape: Sequence[Any]) -> TensorLayout:
        """The layout of a batch of a shape: divided, or whole where the devices do not divide it."""
        return self._batch if data_shape and self._batch.divides(data_shape) else self._whole

    def get_variable_layout(self, variable: Any) -> TensorLayout:
        """The layout of a variable."""
        return self._whole

    def get_tensor_layout(self, path: str) -> TensorLayout | None:
        """The layout of what the layer of a path gives; None where that is left to the engine."""

    def replicas(self) -> int:
        """Into how many parts the devices divide what a process gives of a batch."""
        return max(1, self.device_mesh.size(self.batch_dim_name) // self._processes())

    def _processes(self) -> int:
        """How many processes give a part of each batch."""
        return 1 if self.auto_shard_dataset else self.engine.processes()

    def batch(self, x: Any) -> Any:
        """An array or tensor of a batch, where it belongs."""
        if self._processes() == 1:
            return self.engine.distribute_batch(x, self.get_data_layout(x.shape).backend_layout, False)
        self._batch.check((len(x) * self._processes(), *x.shape[1:]), "distribution")
        return self.engine.distribute_batch(x, self._batch.backend_layout, True)

    def whole(self, x: Any) -> Any:
        """An array or tensor on every device."""
        return self.engine.distribute(x, self._whole.backend_layout)

    def place(self, model: Any, variables: Any) -> None:
        """Bring what was made before to where it belongs."""
        for variable in variables:
            variable.place()
        for layer in model._flatten_layers():
            layer.__dict__.pop("_output_layout", None)
            if (found := self.get_tensor_layout(f"{layer.path}/output")) is not None:
                layer._output_layout, layer._plain = found, False

    @contextlib.contextmanager
    def scope(self) -> Iterator[None]:
        """A block in which this distribution is in force.

        Example:

        >>> import keraunos as keras
        >>> with keras.distribution.DataParallel(devices=["cpu:0"]).scope():
        ...     model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(1)])
        """
        self.engine = _engine()
        with within(distribution=self):
            yield

    def __repr__(self) -> str:
        return f"<{type(self).__name__} over {self.device_mesh!r}>"


class DataParallel(Distribution):
    """Each device has all variables, and takes its part of every batch.

    The size of a batch is that of all its parts. A last batch that the devices do not divide is computed by each of them.

    Args:
        device_mesh: A mesh of one axis.
        devices: The devices in place of a mesh; all by default.
        auto_shard_dataset: With several processes, whether each is given all data, of whose batches it takes its part; else each is given its own.

    Example:

    >>> import keraunos as keras
    >>> keras.distribution.DataParallel(devices=["cpu:0"])
    <DataParallel over <DeviceMesh batch=1>>
    """

    def __init__(self, device_mesh: DeviceMesh | None = None, devices: Any = None, auto_shard_dataset: bool = True):
        if device_mesh is None:
            devices = list_devices() if devices is None else list(np.ravel(devices))
            device_mesh = DeviceMesh((len(devices),), ["batch"], devices)
        elif devices is not None:
            raise ArgumentError("A mesh has its devices.", where="DataParallel", fix="pass device_mesh or devices")
        if len(DeviceMesh.checked(device_mesh, "DataParallel").shape) > 1:
            raise ArgumentError("DataParallel takes a mesh of one axis.", where="DataParallel", received=repr(device_mesh), fix="ModelParallel takes more")
        super().__init__(device_mesh, None, auto_shard_dataset)


class ModelParallel(Distribution):
    """Variables are divided as a map of layouts says, batches along one axis of the mesh; what the map does not name is on every device.

    The state of an optimizer is divided as the variables that it is of.

    Args:
        layout_map: The layouts of variables.
        batch_dim_name: The axis of the mesh along which batches are divided; the first by default.
        auto_shard_dataset: With several processes, whether each is given all data, of whose batches it takes its part; else each is given its own.

    Example:

    >>> import keraunos as keras
    >>> mesh = keras.distribution.DeviceMesh((1, 1), ["batch", "model"], ["cpu:0"])
    >>> layout_map = keras.distribution.LayoutMap(mesh)
    >>> layout_map["dense.*kernel"] = (None, "model")
    >>> keras.distribution.ModelParallel(layout_map=layout_map)
    <ModelParallel over <DeviceMesh batch=1, model=1>>
    """

    def __init__(self, *, layout_map: LayoutMap | None = None, batch_dim_name: str | None = None, auto_shard_dataset: bool = True, **kwargs: Any):
        mesh = kwargs.pop("device_mesh", None)
        if kwargs:
            raise ArgumentTypeError(f"ModelParallel has no argument '{next(iter(kwargs))}'.", where="ModelParallel", fix="layout_map=…, batch_dim_name=…")
        if not isinstance(layout_map, LayoutMap) or mesh not in (None, layout_map.device_mesh):
            fix = "ModelParallel(layout_map=LayoutMap(device_mesh))"
            raise ArgumentTypeError("ModelParallel takes a LayoutMap, which has the mesh.", where="ModelParallel", received=type(layout_map).__name__, fix=fix)
        if batch_dim_name is not None:
            one_of("batch_dim_name", batch_dim_name, layout_map.device_mesh.axis_names, "ModelParallel")
        super().__init__(layout_map.device_mesh, batch_dim_name, auto_shard_dataset)
        self.layout_map = layout_map

    def get_variable_layout(self, variable: Any) -> TensorLayout:
        """The layout of a variable."""
        return self.layout_map[variable.path] or self._whole

    def get_tensor_layout(self, path: str) -> TensorLayout | None:
        """The layout of what the layer of a path gives; None where that is left to the engine."""
        return self.layout_map[path]

    def place(self, model: Any, variables: Any) -> None:
        """Bring what was made before to where it belongs; a warning tells of an expression that fits nothing."""
        super().place(model, variables)
        paths = [*(v.path for v in variables), *(f"{layer.path}/output" for layer in model._flatten_layers())]
        for key in self.layout_map:
            if not any(key == path or re.search(key, path) for path in paths):
                fact = f"The layout of '{key}' fits no variable and no layer of the model."
                warnings.warn(message(fact, model.name, fix=suggestion(key, paths)), stacklevel=2)


def set_distribution(value: Distribution | None) -> None:
    """Distribute models over devices from now on: their variables and batches; None ends it.

    Models that were made before are brought to their places when they are next trained, evaluated or asked to predict; with None they stay where
    they are.

    Args:
        value: A `DataParallel` or `ModelParallel`, or None.

    Raises:
        BackendError: The engine in force does not divide models among devices.

    Example:

    >>> import keraunos as keras
    >>> keras.distribution.set_distribution(keras.distribution.DataParallel(devices=["cpu:0"]))
    >>> keras.distribution.set_distribution(None)
    """
    if value is not None:
        if not isinstance(value, Distribution):
            fix = "keras.distribution.DataParallel()"
            raise ArgumentTypeError("This is no distribution.", where="set_distribution", received=type(value).__name__, fix=fix)
        value.engine = _engine()
    config.set_distribution(value)


def distribute_tensor(tensor: Any, layout: TensorLayout) -> Any:
    """A tensor divided as a layout says; within a layer's `call` or a step, a demand on the engine.

    Args:
        tensor: The tensor.
        layout: A `TensorLayout` that has a mesh.

    Raises:
        ShapeError: The devices do not divide it.

    Example:

    >>> import keraunos as keras
    >>> mesh = keras.distribution.DeviceMesh((1,), ["batch"], ["cpu:0"])
    >>> x = keras.distribution.distribute_tensor(keras.ops.ones((4, 2)), keras.distribution.TensorLayout(["batch"], mesh))
    >>> x.shape
    (4, 2)
    """
    if isinstance(tensor, KerasTensor) and tensor.record_history:
        fix = "call it within the `call` of a layer of your own"
        raise SymbolicError("distribute_tensor is not recorded in a graph.", where="distribute_tensor", received=repr(tensor), fix=fix)
    if isinstance(tensor, Spec):  # a layer's `call` is being run on specs
        return tensor
    return layout.applied(tensor, "distribute_tensor")


answer_for(__name__)
