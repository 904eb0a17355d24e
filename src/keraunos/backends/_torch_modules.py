"""PyTorch's own modules as parts of a model: their tensors, their run with other values, and their bytes."""

from __future__ import annotations

import contextlib
import io
from typing import Any

import torch

__all__ = ["module_from", "module_tensors", "run_module", "tie_module", "written_module"]


def module_tensors(module: Any) -> dict[str, tuple[Any, bool, bool]]:
    """The parameters, then the buffers, by name: each with whether it is a parameter that is trained, and whether files hold it.

    Raises:
        TypeError: It is no module.
        ValueError: It is lazy, and has no shapes yet.
    """
    if not isinstance(module, torch.nn.Module):
        raise TypeError(f"a torch.nn.Module is wanted, not {type(module).__name__}")
    if any(map(torch.nn.parameter.is_lazy, module.parameters())):
        raise ValueError("the module is lazy: run it once, module(batch), before it is wrapped")
    saved = module.state_dict()
    parameters = {name: (p, p.requires_grad, name in saved) for name, p in module.named_parameters()}
    return parameters | {name: (b, False, name in saved) for name, b in module.named_buffers()}


def tie_module(module: Any, values: dict[str, Any]) -> None:
    """Let the module's tensors share the memory of these."""
    for name, (tensor, _, _) in module_tensors(module).items():
        if tensor.data_ptr() != values[name].data_ptr() or tensor.dtype != values[name].dtype:
            tensor.data = values[name].detach()


def run_module(module: Any, values: dict[str, Any], kept: bool, training: bool, compute: str | None, args: Any, kwargs: Any) -> tuple[Any, dict[str, Any]]:
    """The module's result with these values of its tensors, and what its buffers became.

    Args:
        module: The module.
        values: By name.
        kept: Whether the values must stay; else buffers are changed in place, as PyTorch does.
        training: The mode that it is put in.
        compute: The dtype of PyTorch's autocast, if it is on.
        args: Of the call.
        kwargs: Likewise.
    """
    if module.training != training:
        module.train(training)
    buffers = {name: values[name].clone() if kept else values[name] for name, _ in module.named_buffers()}
    given = {**values, **buffers}
    device = next(iter(values.values()), torch.empty(0)).device.type
    with torch.autocast(device, getattr(torch, compute)) if compute else contextlib.nullcontext():
        out = torch.func.functional_call(module, given, args, kwargs)
    return out, {name: given[name] for name, x in buffers.items() if kept or given[name] is not x}


def written_module(module: Any) -> bytes:
    """The module with its class's name and its tensors, as `torch.save` writes it."""
    stream = io.BytesIO()
    torch.save(module, stream)
    return stream.getvalue()


def module_from(data: bytes) -> Any:
    """A module that `written_module` wrote; this runs code that the bytes name."""
    return torch.load(io.BytesIO(data), map_location="cpu", weights_only=False)
