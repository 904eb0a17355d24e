"""Export: models in formats that other programs run."""

from __future__ import annotations

import importlib
import inspect
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, NamedTuple

from keraunos.core.errors import ArgumentError, ArgumentTypeError, suggestion
from keraunos.core.missing import answer_for
from keraunos.saving import files

if TYPE_CHECKING:
    from keraunos.export.archive import ExportArchive


class Format(NamedTuple):
    """A format: the module with its `export(model, path, input_signature, **options)`, which returns what is said of what it wrote; how its files' names
    end, and how a sentence on them begins. Without an ending it is a folder."""

    module: str
    ending: str = ""
    subject: str = ""


FORMATS = {
    "tf_saved_model": Format("saved_model"),
    "onnx": Format("onnx", ".onnx", "An ONNX model is"),
    "litert": Format("litert", ".tflite", "A LiteRT model is"),
    "stablehlo": Format("stablehlo", ".stablehlo", "A StableHLO artifact is"),
    "torch": Format("torch", ".pt2", "A PyTorch program is"),
    "openvino": Format("openvino", ".xml", "An OpenVINO model is"),
}


def export_model(model: Any, filepath: Any, format: str = "tf_saved_model", verbose: bool | None = None, input_signature: Any = None, **kwargs: Any) -> None:
    """Write a model, as it predicts, in a format that other programs run.

    The model may be on any engine, and stays as it is: a copy of it is traced on the engine that the format belongs to. The batch has any size.

    Args:
        model: The model or layer, built.
        filepath: Where to write it: a folder for "tf_saved_model"; else a file whose name ends as the format wants.
        format: "tf_saved_model" for TensorFlow and its servers; "onnx", whose file ends in ".onnx"; "litert" (TensorFlow Lite), ".tflite";
            "stablehlo" (`jax.export`), ".stablehlo"; "torch" (`torch.export`), ".pt2"; "openvino", ".xml", with the weights beside it in ".bin".
        verbose: Whether to say where it was written.
        input_signature: The inputs, each an `InputSpec`, a `KerasTensor`, a `tf.TensorSpec` or an array, in the structure in which the model takes
            them, or a dict by their names; for a `call` of several arguments a list of these, or a dict. By default those that it was built for.
        kwargs: The format's own options: for "onnx" `opset_version`, from 7 on, 18 by default; for "torch" `strict`, `dynamic_shapes` and what else
            `torch.export.export` takes; for "litert" `enable_select_tf_ops` and the attributes of `tf.lite.TFLiteConverter`; for "stablehlo" `platforms`,
            ("cpu", "cuda", "tpu") by default. "tf_saved_model" has none: Keras's `is_static` and `jax2tf_kwargs` are for a detour that is not made here.

    Raises:
        ArgumentError: There is no such format or option, or the file's name ends as another format's.
        StateError: The model is not built.
        BackendError: The format has no form of something that the model computes, or its package is not installed.

    Example:

    >>> import keraunos as keras, onnx, os, tempfile
    >>> model = keras.Sequential([keras.Input((4,), name="x"), keras.layers.Dense(2, name="y")])
    >>> path = os.path.join(tempfile.mkdtemp(), "model.onnx")
    >>> keras.export.export_model(model, path, format="onnx")  # as model.export(path, format="onnx")
    >>> [node.op_type for node in onnx.load(path).graph.node]
    ['MatMul', 'Add']
    """
    if format not in FORMATS:
        raise ArgumentError(f"There is no export format {format!r}.", where="export", fix=suggestion(str(format), FORMATS))
    form = FORMATS[format]
    path = files.new(filepath, form.ending, form.subject)
    meant = next((name for name, other in FORMATS.items() if other.ending and path.name.endswith(other.ending)), format)
    if meant != format:
        fact = f"The format '{format}' is a folder, and a name that ends in '{FORMATS[meant].ending}' that of another format's file."
        raise ArgumentError(fact, where="export", received=str(path), fix=f"model.export(filepath, format='{meant}')")
    export = importlib.import_module(f"{__name__}.{form.module}").export
    known = list(inspect.signature(export).parameters)
    if "options" not in known:
        no_more_options(format, kwargs, known[3:])
    written = export(model, path, input_signature, **kwargs)
    if verbose:
        print(f"Wrote '{path}': {model.name}, {written}.")


def no_more_options(format: str, given: Iterable[str], known: Iterable[str]) -> None:
    """Refuse options that a format does not have.

    Raises:
        ArgumentTypeError: There is one.
    """
    known = list(known)
    wrong = next((name for name in given if name not in known), None)
    if wrong is not None:
        fact = f"The {format} format has no option '{wrong}'."
        raise ArgumentTypeError(fact, where="export", fix=suggestion(wrong, known) if known else f"leave {wrong}= out: it has no options")


__all__ = ["ExportArchive", "export_model"]
answer_for(__name__, {"ExportArchive": "export.archive"})
