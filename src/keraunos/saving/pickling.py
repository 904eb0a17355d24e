"""Layers and models as `pickle` has them: by their config, compilation and variables, as files do; the user's classes and functions by reference."""

from __future__ import annotations

from typing import Any

import numpy as np

from keraunos.core import config
from keraunos.core.assets import assets_of, give_assets
from keraunos.core.scope import within
from keraunos.core.serialization import custom_object_scope, object_from, serialize_keras_object
from keraunos.random import SeedGenerator
from keraunos.saving.weights import saveables


def reduced(layer: Any) -> tuple[Any, tuple[Any, ...]]:
    """What `__reduce__` of a layer or model returns: a function, and the arguments with which it makes an equal one."""
    noted: dict[str, Any] = {}
    with within(sharing={}, noted=noted):
        described = serialize_keras_object(layer)
    fresh = getattr(layer, "optimizer", None)  # which has nothing to keep before it is built
    owners = [(place, owner) for place, owner in saveables(layer) if owner is not fresh or owner.built]
    seeds = [seed.state.numpy() for seed in _seeds(layer)]
    return restored, (layer._backend.name, described, noted, {place: _kept(owner) for place, owner in owners}, seeds)


def restored(backend: str, described: dict[str, Any], noted: dict[str, Any], kept: dict[str, Any], seeds: list[Any]) -> Any:
    """The layer or model, on the engine that it was on."""
    with config.backend_scope(backend):
        with custom_object_scope(noted), within(sharing={}, safe_mode=False):  # a pickle may hold code in any case
            made = object_from(described)
        for place, owner in saveables(made):
            if place in kept:
                store, files = kept[place]
                owner.load_own_variables(store)
                give_assets(owner, files)
        for seed, state in zip(_seeds(made), seeds, strict=True):
            seed.state.assign(state)
    return made


def _seeds(layer: Any) -> list[Any]:
    return [seed for part in layer._flatten_layers() for seed in part._held(SeedGenerator)]


def _kept(owner: Any) -> tuple[dict[str, Any], dict[str, bytes]]:
    """The variables and the files (vocabularies) of one object."""
    store: dict[str, Any] = {}
    owner.save_own_variables(store)
    return {key: np.asarray(value) for key, value in store.items()}, assets_of(owner)
