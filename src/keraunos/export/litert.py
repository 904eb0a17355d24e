"""Models as LiteRT (TensorFlow Lite) files, by TensorFlow's converter."""

from __future__ import annotations

import re
import tempfile
from typing import Any

from keraunos.core import config
from keraunos.core.errors import BackendError
from keraunos.export import no_more_options
from keraunos.export.saved_model import archive_of
from keraunos.export.tracing import without_host
from keraunos.saving import files


def export(model: Any, path: Any, input_signature: Any = None, enable_select_tf_ops: bool = False, **options: Any) -> str:
    """Write a model as a LiteRT file.

    The file's signature "serving_default" has the inputs by their names, and the outputs by their keys, or "output_0" and so on. The batch can be
    resized, and other sizes that are not known too.

    Args:
        model: The model or layer.
        path: The file.
        input_signature: The inputs.
        enable_select_tf_ops: Whether ops of TensorFlow may be in it, which run where the runtime has them built in.
        options: Attributes of `tf.lite.TFLiteConverter`, such as `optimizations` and `representative_dataset`, for quantization.
    """
    graphs = config.load_backend("tensorflow").graphs
    tf = graphs.tf
    without_host(model, "litert")
    with tempfile.TemporaryDirectory() as folder, graphs.without_chatter():
        with graphs.without_lists():
            archive_of(model, input_signature).write_out(folder, verbose=False)
        converter = tf.lite.TFLiteConverter.from_saved_model(folder, signature_keys=["serving_default"])
        no_more_options("litert", options, ["enable_select_tf_ops", *(name for name in vars(converter) if not name.startswith("_"))])
        vars(converter).update(options)
        if enable_select_tf_ops:
            converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS, tf.lite.OpsSet.SELECT_TF_OPS]
        try:
            content = converter.convert()
        except Exception as error:  # the converter's own class is not public
            lacking = sorted(set(re.findall(r"'(tf\.\w+)' op", str(error))))
            fact = f"LiteRT has no form of something that '{model.name}' computes{': ' if lacking else ''}{', '.join(lacking)}."
            half = any(layer.compute_dtype in ("float16", "bfloat16") for layer in model._flatten_layers())
            fix = None if enable_select_tf_ops else "enable_select_tf_ops=True, for runtimes with TensorFlow's ops"
            fix = "layers of the dtype 'float32': LiteRT computes with no floats of 16 bits" if half else fix
            raise BackendError(fact, where=model.name, received=str(error).partition("\n")[0], fix=fix) from error
    files.write(path, content)
    return f"{len(content):,} bytes"
