"""Models as OpenVINO's intermediate representation: an `.xml` file with the graph and a `.bin` beside it with the weights."""

from __future__ import annotations

import pathlib
import shutil
import sys
import tempfile
from typing import Any

from keraunos.core.errors import needing
from keraunos.export import onnx
from keraunos.saving.files import replacing


def export(model: Any, path: Any, input_signature: Any = None) -> str:
    """Write a model for OpenVINO, by way of its ONNX graph.

    The weights keep their dtype. Both files are whole before they take the places of old ones, the weights first and at once behind them the graph.
    """
    openvino = _package()
    with tempfile.TemporaryDirectory() as folder:
        graph, written = pathlib.Path(folder, "model.onnx"), pathlib.Path(folder, "model.xml")
        onnx.export(model, graph, input_signature)
        openvino.save_model(openvino.Core().read_model(graph), written, compress_to_fp16=False)
        with replacing(path, overwrite=True) as stream:
            stream.write(written.read_bytes())
            with replacing(path.parent / f"{path.stem}.bin", overwrite=True) as weights, written.with_suffix(".bin").open("rb") as content:
                shutil.copyfileobj(content, weights)
    return f"for OpenVINO {openvino.__version__.partition('-')[0]}"


def _package() -> Any:
    """OpenVINO, which tells its makers of its use from its import on, by a process of its own; here it is imported without that."""
    blocked = "openvino" not in sys.modules and "openvino_telemetry" not in sys.modules
    if blocked:
        sys.modules["openvino_telemetry"] = None  # pyright: ignore[reportArgumentType]
    try:
        with needing("Exporting to OpenVINO needs the openvino and onnx packages.", "export", "'keraunos[openvino]'"):
            import openvino
        return openvino
    finally:
        if blocked:
            del sys.modules["openvino_telemetry"]
