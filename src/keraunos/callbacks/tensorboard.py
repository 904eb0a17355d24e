"""A callback that writes what TensorBoard shows, by TensorBoard's own writer: no TensorFlow is needed."""

from __future__ import annotations

import io
import pathlib
import time
from numbers import Real
from typing import Any

import numpy as np

from keraunos.callbacks.callback import BatchCounter, is_count
from keraunos.core.errors import ArgumentError, needing

_BUCKETS = 30  # of a histogram, as TensorBoard's own


class _Writer:
    """An event file of a folder; it is made when the first value is written."""

    def __init__(self, folder: pathlib.Path):
        with needing("TensorBoard's package is not installed.", "TensorBoard", "tensorboard"):
            from tensorboard.compat.proto import event_pb2, summary_pb2
            from tensorboard.plugins.histogram import metadata as histogram
            from tensorboard.plugins.image import metadata as image
            from tensorboard.plugins.scalar import metadata as scalar
            from tensorboard.summary.writer.event_file_writer import EventFileWriter
            from tensorboard.util import tensor_util
        protocol: Any = summary_pb2  # whose classes are made when it is loaded
        events: Any = event_pb2
        self._event, self._summary, self._tensor = events.Event, protocol, tensor_util.make_tensor_proto
        kinds = (("scalar", scalar), ("histogram", histogram), ("image", image))
        self._about = {kind: module.create_summary_metadata(display_name=None, description=None) for kind, module in kinds}
        self._about["graph"] = protocol.SummaryMetadata(plugin_data=protocol.SummaryMetadata.PluginData(plugin_name="graph_keras_model"))
        folder.mkdir(parents=True, exist_ok=True)
        self._file = EventFileWriter(str(folder))

    def write(self, kind: str, tag: str, value: Any, step: int) -> None:
        """Write a value of a kind."""
        tensor = self._tensor(np.asarray(value, object if isinstance(value, (bytes, list)) else None))
        entry = self._summary.Summary.Value(tag=tag, tensor=tensor, metadata=self._about[kind])
        self._file.add_event(self._event(wall_time=time.time(), step=step, summary=self._summary.Summary(value=[entry])))

    def flush(self) -> None:
        """Let what was written be read."""
        self._file.flush()

    def close(self) -> None:
        """Close the file."""
        self._file.close()


class TensorBoard(BatchCounter):
    """Write event files for TensorBoard (`tensorboard --logdir=logs`), which needs the package `tensorboard` alone.

    The logs of training are in `train`, those of validation in `validation`.

    Args:
        log_dir: The folder, for this run alone.
        histogram_freq: After how many epochs histograms of the weights are written; 0 for none.
        write_graph: Whether the model's graph is written.
        write_images: Whether matrices of weights are written as images, where histograms are; this needs the package `pillow`.
        write_steps_per_second: Whether the speed is written.
        update_freq: "epoch", "batch", or after how many batches the logs are written.
        profile_batch: Not supported: profilers are the engines'.
        embeddings_freq: After how many epochs tables of embeddings are written for the projector; 0 for none.
        embeddings_metadata: The file with a line for each entry of a table, or a dict of them by layer.

    Raises:
        ArgumentError: An option cannot be used.
        BackendError: The package is not installed.

    Example:

    >>> import keraunos as keras
    >>> log = keras.callbacks.TensorBoard("logs", histogram_freq=1)
    """

    def __init__(self, log_dir: Any = "logs", histogram_freq: int = 0, write_graph: bool = True, write_images: bool = False,
                 write_steps_per_second: bool = False, update_freq: Any = "epoch", profile_batch: Any = 0, embeddings_freq: int = 0,
                 embeddings_metadata: Any = None):  # fmt: skip
        if profile_batch:
            fix = "profile with the engine: jax.profiler.trace(log_dir), torch.profiler.profile()"
            raise ArgumentError("profile_batch is not supported.", where="TensorBoard", received=f"profile_batch={profile_batch!r}", fix=fix)
        if update_freq not in ("epoch", "batch") and not is_count(update_freq):
            fact = "update_freq is 'epoch', 'batch' or a positive number of batches."
            raise ArgumentError(fact, where="TensorBoard", received=f"update_freq={update_freq!r}", fix="update_freq='epoch'")
        self.log_dir, self.histogram_freq, self.write_graph, self.write_images = pathlib.Path(log_dir), histogram_freq, write_graph, write_images
        self.write_steps_per_second = write_steps_per_second
        self.update_freq: Any = 1 if update_freq == "batch" else update_freq
        self.by_batch = update_freq != "epoch"
        self.embeddings_freq, self.embeddings_metadata = embeddings_freq, embeddings_metadata
        self._writers: dict[str, _Writer] = {}
        self._written = self._epoch_step = 0  # the batch after which the speed was written, and that with which the epoch began
        self._at = self._epoch_at = 0.0
        self._training = False

    def _writer(self, name: str) -> _Writer:
        if name not in self._writers:
            self._writers[name] = _Writer(self.log_dir / name)
        return self._writers[name]

    def _write_all(self, name: str, prefix: str, logs: Any, step: int, suffix: str = "") -> None:
        for key, value in (logs or {}).items():
            if isinstance(value, Real):
                self._writer(name).write("scalar", f"{prefix}_{key}{suffix}", np.float32(value), step)

    @property
    def _iterations(self) -> int:
        optimizer = self.model.optimizer
        return 0 if optimizer is None else int(np.asarray(optimizer._iterations.numpy()))

    # ---- training ----
    def on_train_begin(self, logs: Any = None) -> None:
        self._training = True
        if self.write_graph:
            self._write_graph()

    def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
        self._epoch_at = self._at = time.perf_counter()
        self._epoch_step = self._written = self._seen = self._iterations

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        if self.update_freq == "epoch" or not self._count(batch, self.update_freq):
            return
        if self.write_steps_per_second:
            now = time.perf_counter()
            self._writer("train").write("scalar", "batch_steps_per_second", np.float32((self._seen - self._written) / (now - self._at)), self._seen)
            self._at, self._written = now, self._seen
        self._write_all("train", "batch", logs, self._seen)

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        logs = dict(logs or {})
        held_out = {name[4:]: logs.pop(name) for name in list(logs) if name.startswith("val_")}
        rate = getattr(getattr(self.model, "optimizer", None), "learning_rate", None)
        if rate is not None:
            logs["learning_rate"] = float(np.asarray(rate.numpy() if hasattr(rate, "numpy") else self.model._backend.to_numpy(rate)))
        self._write_all("train", "epoch", logs, epoch)
        self._write_all("validation", "epoch", held_out, epoch)
        if self.write_steps_per_second:
            speed = (self._iterations - self._epoch_step) / (time.perf_counter() - self._epoch_at)
            self._writer("train").write("scalar", "epoch_steps_per_second", np.float32(speed), epoch)
        if self.histogram_freq and epoch % self.histogram_freq == 0:
            self._write_weights(epoch)
        if self.embeddings_freq and epoch % self.embeddings_freq == 0:
            self._write_embeddings()
        for writer in self._writers.values():
            writer.flush()

    def on_test_end(self, logs: Any = None) -> None:
        if self.model.optimizer is not None:
            self._write_all("validation", "evaluation", logs, self._iterations, "_vs_iterations")
        if not self._training and "validation" in self._writers:
            self._writers.pop("validation").close()

    def on_train_end(self, logs: Any = None) -> None:
        self._training = False
        while self._writers:
            self._writers.popitem()[1].close()

    # ---- the model ----
    def _write_graph(self) -> None:
        try:
            text = self.model.to_json()
        except Exception:  # a model of the user's may have no config; it has no graph to show then
            return
        self._writer("train").write("graph", "keras", text.encode(), 0)

    def _write_weights(self, epoch: int) -> None:
        writer = self._writer("train")
        for variable in self.model.weights:
            value = np.asarray(variable.numpy(), "float32")
            fine = value[np.isfinite(value)]
            if not fine.size:  # there is no axis to draw
                continue
            counts, edges = np.histogram(fine, _BUCKETS)
            writer.write("histogram", f"{variable.path}/histogram", np.stack([edges[:-1], edges[1:], counts], 1), epoch)
            if self.write_images and 2 <= value.ndim <= 3:
                writer.write("image", f"{variable.path}/image", _image(np.nan_to_num(value, nan=fine.min(), posinf=fine.max(), neginf=fine.min())), epoch)

    def _write_embeddings(self) -> None:
        """The tables of embeddings as the projector reads them: a file of tabs for each, and a list of the files."""
        from keraunos.layers import Embedding

        entries = []
        for layer in self.model._flatten_layers():
            if isinstance(layer, Embedding):
                path = self.log_dir / "train" / f"{layer.name}.tsv"
                path.parent.mkdir(parents=True, exist_ok=True)
                np.savetxt(path, np.asarray(layer.embeddings.numpy(), "float32"), delimiter="\t")
                words = self.embeddings_metadata.get(layer.name) if isinstance(self.embeddings_metadata, dict) else self.embeddings_metadata
                labels = f'  metadata_path: "{words}"\n' if words else ""
                entries.append(f'embeddings {{\n  tensor_name: "{layer.name}"\n  tensor_path: "{path.name}"\n{labels}}}\n')
        if entries:
            (self.log_dir / "train" / "projector_config.pbtxt").write_text("".join(entries), encoding="utf-8")


def _image(value: np.ndarray) -> list[bytes]:
    """A matrix, or several behind one another, as a summary of images in shades of grey."""
    with needing("Images need the package pillow.", "TensorBoard: write_images", "pillow"):
        from PIL import Image
    planes = value[..., None] if value.ndim == 2 else value
    low, high = planes.min(), planes.max()
    grey = (255 * (planes - low) / max(high - low, 1e-12)).astype("uint8")
    pictures = []
    for plane in np.moveaxis(grey, -1, 0):
        stream = io.BytesIO()
        Image.fromarray(plane).save(stream, "PNG")
        pictures.append(stream.getvalue())
    return [str(grey.shape[1]).encode(), str(grey.shape[0]).encode(), *pictures]
