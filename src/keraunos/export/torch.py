"""Models as PyTorch's exported programs: `.pt2` files, which `torch.export.load(path).module()` runs without Keraunos."""

from __future__ import annotations

import itertools
from typing import Any

from keraunos import ops
from keraunos.core import config, tree
from keraunos.core.errors import BackendError, needing
from keraunos.core.functional import functional
from keraunos.core.scope import within
from keraunos.core.spec import UNKNOWN, Spec
from keraunos.export import no_more_options
from keraunos.export.tracing import OnEngine, is_own
from keraunos.saving.files import replacing

OPTIONS = ("dynamic_shapes", "prefer_deferred_runtime_asserts_over_guards", "preserve_module_call_signature", "strict")
_SIZES = (67, 71, 73, 79, 83, 89, 97)  # of dimensions that are not known, while they are traced: halved some times, they are still no 1, and not alike


def export(model: Any, path: Any, input_signature: Any = None, **options: Any) -> str:
    """Write a model as a PyTorch program.

    The options are `torch.export.export`'s of these names. The file's tensors are on the CPU; `torch.export.passes.move_to_device_pass` moves a program.
    """
    no_more_options("torch", options, OPTIONS)
    with needing("Exporting to PyTorch needs the torch package.", "export", "torch"):
        import torch
    with config.backend_scope("torch"), config.device("cpu"), within(training=False, trace=None):
        source = OnEngine(model, "torch", "torch", input_signature)
        program = _program(source, options)
    with replacing(path, overwrite=True) as stream:
        torch.export.save(program, stream)
    return f"a program of PyTorch {torch.__version__}"


def _program(source: OnEngine, options: dict[str, Any]) -> Any:
    """The program of a model: a function of its arguments, those that have keywords behind the others."""
    import torch

    from keraunos.interop.torch import Module

    class Predicting(Module):
        """The model as it predicts: the states of its random numbers stay as they are."""

        def forward(self, *inputs: Any) -> Any:
            run = functional(source, [variable for variable, _, _ in self._places])
            out, _ = run([[getattr(holder, name) for _, holder, name in self._places]], *tree.flatten(inputs))
            if any(isinstance(x, Spec) for x in tree.flatten(out)):
                fix = "give all sizes, the batch's too: input_signature=[InputSpec(shape=(1, 8))]"
                raise BackendError(f"'{self.model.name}' makes a tensor of a size that is not known before the run.", where=self.model.name, fix=fix)
            return out

    args, kwargs = source.structure
    specs, sizes = (*args, *(kwargs[key] for key in sorted(kwargs))), itertools.cycle(_SIZES)

    def example(spec: Any) -> Any:
        return ops.zeros([d if d is not UNKNOWN else 3 if i == 0 else next(sizes) for i, d in enumerate(spec.shape)], spec.dtype)

    inputs, dynamic = tree.map_structure(example, specs), (tree.map_structure(_dynamic, specs),)
    try:
        with torch.no_grad():
            program = torch.export.export(Predicting(source.model).eval(), inputs, **{"strict": False, "dynamic_shapes": dynamic, **options})
    except Exception as error:
        if is_own(error):
            raise
        raise _refusal(source.model.name, specs, options, error) from error
    for node in program.graph.nodes:
        node.meta.pop("stack_trace", None)  # which names the folders of this machine
    return program


def _dynamic(spec: Any) -> dict[int, Any]:
    """What PyTorch is told of the sizes of an input that are not known: the batch's is the same for all inputs."""
    from torch.export import Dim

    return {i: Dim("batch") if i == 0 else Dim.DYNAMIC for i, d in enumerate(spec.shape) if d is UNKNOWN}


def _refusal(name: str, specs: Any, options: dict[str, Any], error: Exception) -> BackendError:
    """What is said where PyTorch cannot trace a model."""
    several = any(UNKNOWN in s.shape[1:] for s in tree.flatten(specs))
    fix = "input_signature=[InputSpec(shape=(None, 10, 8))], with all sizes but the batch's" if several else "compute with keraunos.ops alone"
    fix = "leave strict out: layers are traced, not analysed" if options.get("strict") else fix
    received = f"{type(error).__name__}: {str(error).strip().partition(chr(10))[0]}"
    return BackendError(f"PyTorch cannot export '{name}'{' with sizes that are not known' if several else ''}.", where=name, received=received, fix=fix)
