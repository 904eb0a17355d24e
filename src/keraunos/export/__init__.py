"""Export: models in formats that other programs run."""

from __future__ import annotations

import importlib
from typing import Any

from keraunos.core.errors import ArgumentError, suggestion
from keraunos.core.missing import answer_for

_FORMATS = {"onnx": "keraunos.export.onnx"}


def export_model(model: Any, filepath: Any, format: str = "onnx", verbose: bool | None = None, input_signature: Any = None, **kwargs: Any) -> None:
    """Write a model, as it predicts, in a format that other programs run.

    Args:
        model: The model or layer, built.
        filepath: Where to write it; the name ends in ".onnx".
        format: "onnx".
        verbose: Whether to say where it was written.
        input_signature: The inputs, each an `InputSpec`, a `KerasTensor` or an array, in the structure in which the model takes them; by default
            those that it was built for.
        kwargs: The format's own options: for "onnx" `opset_version`, from 9 on, 18 by default.

    Raises:
        ArgumentError: There is no such format or option.
        StateError: The model is not built.
        BackendError: The format has no form of something that the model computes.
    """
    if format not in _FORMATS:
        raise ArgumentError(f"There is no export format {format!r}.", where="export", fix=suggestion(str(format), _FORMATS))
    importlib.import_module(_FORMATS[format]).export(model, filepath, verbose, input_signature, **kwargs)


__all__ = ["export_model"]
answer_for(__name__)
