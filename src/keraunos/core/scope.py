"""What holds for the code that runs now, per thread: engine, training flag, autocast, recorder.

One object, so that the hot path of an op or a layer pays for one thread-local look-up.
"""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator
from typing import Any


class Scope(threading.local):
    """The thread's current settings; the class attributes are what a new thread starts with."""

    backend: Any = None  # the engine that `backend_scope` or a model put in force
    training: bool | None = None  # what an outer layer was called with
    autocast: str | None = None  # the compute dtype that float variables are read in
    trace: Any = None  # the values that variables have in a function being made pure
    symbolic: bool = False  # a layer's `call` is being run on specs
    layer: Any = None  # the outermost layer call in progress
    running: Any = None  # the model that goes through data: its logs are read late, its variables are looked up once
    prepared: Any = None  # the model whose data the host has prepared, in its compiled step
    names: str = ""  # the names of the enclosing `name_scope`s, and of the layers that are being built or called
    names_of: Any = None  # the object that opened it
    device: Any = None  # the engine's form of the device that `device` chose
    distribution: Any = None  # what `Distribution.scope` put in force
    stateless: Any = None  # the enclosing `StatelessScope`
    remat: Any = None  # the enclosing `RematScope`
    monitor: Any = None  # debugging hook that sees each layer's output
    calls: Any = None  # the calls on specs that a model's layers make while it is first built: the layer, what it takes, what it gives
    custom_objects: dict[str, Any] | None = None  # what `custom_object_scope` made known
    waiting: Any = None  # the variables of a model that is read from a file, which are made without values
    safe_mode: bool = True  # whether configs with code in them are refused
    noise: dict[int, Any] | None = None  # what recurrent cells drop in all steps of a sequence
    noted: dict[str, Any] | None = None  # the user's classes and functions in what is being pickled, by the names that it has for them
    sharing: dict[Any, Any] | None = None  # the objects that one file holds, so that shared ones stay shared


scope = Scope()


@contextlib.contextmanager
def within(**settings: Any) -> Iterator[None]:
    """Run a block with these settings of the scope; the former ones come back afterwards."""
    former = {name: getattr(scope, name) for name in settings}
    for name, value in settings.items():
        setattr(scope, name, value)
    try:
        yield
    finally:
        for name, value in former.items():
            setattr(scope, name, value)
