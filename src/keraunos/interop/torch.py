"""A model of Keraunos as a module of PyTorch, for loops, optimizers and wrappers of PyTorch's own."""

from __future__ import annotations

from typing import Any

import torch

from keraunos.core.errors import BackendError, StateError
from keraunos.core.functional import functional
from keraunos.core.scope import within

__all__ = ["Module", "as_module"]


class Module(torch.nn.Module):
    """A `torch.nn.Module` around a layer or model; made by `as_module`.

    The weights are its parameters and buffers, under the names of their paths ("model.dense.kernel"), in memory that it shares with the model: what a
    PyTorch optimizer changes is changed in the model. From then on, change weights through the module (`load_state_dict`) or in place.
    `module.train()` and `module.eval()` say whether the model runs as in training.

    Args:
        model: The layer or model, built on the torch engine.

    Example:

    >>> import torch
    >>> import keraunos as keras
    >>> from keraunos.interop.torch import Module
    >>> with keras.backend_scope("torch"):
    ...     layer = keras.layers.Dense(2)
    ...     layer.build((None, 3))
    >>> module = torch.nn.Sequential(Module(layer), torch.nn.ReLU())
    >>> sum(p.numel() for p in module.parameters()), module(torch.ones(4, 3)).shape
    (8, torch.Size([4, 2]))
    """

    def __init__(self, model: Any):
        super().__init__()
        self.model = model
        self._places: list[tuple[Any, torch.nn.Module, str]] = []
        for variable in model.weights:
            *folders, name = (part.replace(".", "_") for part in variable.path.split("/"))
            self._hold(variable, folders, name)
        held = {id(variable) for variable, _, _ in self._places}
        self._others = [v for v in model.variables if id(v) not in held]  # seeds and metrics

    def _hold(self, variable: Any, folders: list[str], name: str) -> None:
        holder: torch.nn.Module = self
        for folder in folders:
            if folder not in holder._modules:
                holder.add_module(folder, torch.nn.Module())
            holder = holder._modules[folder]  # type: ignore[assignment]
        unique, count = name, 0
        while unique in (*holder._parameters, *holder._buffers):
            count += 1
            unique = f"{name}_{count}"
        value = variable._value.detach()
        if variable.trainable:
            holder.register_parameter(unique, torch.nn.Parameter(value))
        else:
            holder.register_buffer(unique, value)
        self._places.append((variable, holder, unique))

    def _apply(self, *args: Any, **kwargs: Any) -> Any:
        """Move or convert the tensors, the model's with them."""
        out = super()._apply(*args, **kwargs)
        for variable, holder, name in self._places:
            variable._value = getattr(holder, name).detach()
        return out

    def forward(self, *args: Any, **kwargs: Any) -> Any:
        """Call the model."""
        variables = [variable for variable, _, _ in self._places]
        values = [getattr(holder, name) for _, holder, name in self._places]
        with within(backend=self.model._backend):
            run = functional(lambda: self.model(*args, training=self.training, **kwargs), variables, self._others)
            out, (new, others) = run([values, [v._value for v in self._others]])
        with torch.no_grad():
            for value, after in zip(values, new, strict=True):
                if after is not value:
                    value.copy_(after)
        for variable, after in zip(self._others, others, strict=True):
            variable._value = after.detach()
        return out


def as_module(model: Any) -> Module:
    """A layer or model on the torch engine as a real `torch.nn.Module`.

    Args:
        model: A layer or model that is built.

    Raises:
        BackendError: Its engine is not torch.
        StateError: It is not built.

    Example:

    >>> import torch
    >>> import keraunos as keras
    >>> from keraunos.interop.torch import as_module
    >>> with keras.backend_scope("torch"):
    ...     model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(1, name="last")], name="sequential")
    >>> module = as_module(model)
    >>> optimizer = torch.optim.SGD(module.parameters(), lr=0.1)
    >>> loss = module(torch.ones(4, 3)).square().mean()
    >>> loss.backward()
    >>> optimizer.step()
    >>> list(module.state_dict())
    ['sequential.last.kernel', 'sequential.last.bias']
    """
    if model._backend.name != "torch":
        fix = 'model.to_backend("torch"), or build it under keraunos.backend_scope("torch")'
        raise BackendError(f"Only a model on the torch engine is a module of PyTorch; this one is on {model._backend.name}.", where=model.name, fix=fix)
    if not model.built:
        raise StateError("A model without weights yet is no module.", where=model.name, fix="begin it with keras.Input(shape), or call it on data")
    return Module(model)
