"""`.safetensors` and `.npz` files, and indices of shards, that say what is not so. Each goes by the weights of the model in `run`."""

from __future__ import annotations

import io
import json
import pathlib
import pickle
import struct
import zipfile
from collections.abc import Callable
from typing import Any

import numpy as np

Path = pathlib.Path
GOOD = {
    "dense/kernel": {"dtype": "F32", "shape": [3, 2], "data_offsets": [0, 24]},
    "dense/bias": {"dtype": "F32", "shape": [2], "data_offsets": [24, 32]},
}


def _raw(header: bytes, data: bytes = bytes(32), size: int | None = None) -> Callable[[Path], Any]:
    return lambda path: path.write_bytes(struct.pack("<Q", len(header) if size is None else size) + header + data)


def _tensors(data: bytes = bytes(32), **changes: Any) -> Callable[[Path], Any]:
    """The file without fault, with other entries for the kernel (`kernel`), or all others."""
    header = {**GOOD, **changes.pop("more", {})}
    header["dense/kernel"] = {**header["dense/kernel"], **changes}
    return _raw(json.dumps(header).encode(), data)


def _ours(ending: str, change: Callable[[bytearray], Any]) -> Callable[[Path], Any]:
    def make(path: Path) -> None:
        import keraunos as keras

        keras.Sequential([keras.Input((3,)), keras.layers.Dense(2, name="dense")], name="model").save_weights(path)
        content = bytearray(path.read_bytes())
        path.write_bytes(change(content) or content)

    return make


def _flip(place: int | bytes) -> Callable[[bytearray], None]:
    def change(content: bytearray) -> None:
        content[place if isinstance(place, int) else content.index(place)] ^= 1

    return change


def _zip(members: dict[str, bytes], method: int = zipfile.ZIP_STORED, comment: bytes = b"") -> Callable[[Path], None]:
    def make(path: Path) -> None:
        with zipfile.ZipFile(path, "w", method) as archive:
            for name, content in members.items():
                archive.writestr(zipfile.ZipInfo(name), content, method)
            archive.comment = comment

    return make


def _npy(value: Any, **options: Any) -> bytes:
    np.save(stream := io.BytesIO(), value, **options)
    return stream.getvalue()


def _header(text: bytes, data: bytes = bytes(24), version: int = 1) -> bytes:
    size = struct.pack("<H" if version == 1 else "<I", len(text))
    return b"\x93NUMPY" + bytes([version, 0]) + size + text + data


class Evil:
    """What would do harm if it were unpickled."""

    def __reduce__(self) -> Any:
        return print, ("harm",)


def _described(shape: str, kind: str = "'<f4'") -> bytes:
    return _header(f"{{'descr': {kind}, 'fortran_order': False, 'shape': {shape}, }}\n".encode())


BIAS = {"dense/bias.npy": _npy(np.zeros(2, "f4"))}


def _index(content: Any, raw: bytes | None = None) -> Callable[[Path], Any]:
    return lambda path: path.write_bytes(json.dumps(content).encode() if raw is None else raw)


def _map(name: Any) -> Callable[[Path], Any]:
    return _index({"metadata": {}, "weight_map": {"/layers/dense/vars": [name]}})


_S = {
    "empty": lambda path: path.write_bytes(b""),
    "seven bytes": lambda path: path.write_bytes(b"1234567"),
    "header longer than the file": _raw(json.dumps(GOOD).encode(), size=10_000),
    "header over 100 MB": _raw(json.dumps(GOOD).encode(), size=100_000_001),
    "header of 2**63": _raw(json.dumps(GOOD).encode(), size=2**63),
    "header of 0": _raw(b"", size=0),
    "no JSON": _raw(b"{" * 50),
    "deep JSON": _raw(b'{"a":' * 100_000),
    "no UTF-8": _raw(b'{"\xff\xfe": 1}'),
    "list": _raw(b"[1, 2]"),
    "wide JSON": _raw(b'{"a": [' + b"[]," * 2_000_000 + b"1]}"),
    "named twice": _raw(json.dumps(GOOD).encode()[:-1] + b", " + json.dumps(GOOD).encode()[1:]),
    "overlap": _tensors(more={"dense/bias": {"dtype": "F32", "shape": [2], "data_offsets": [16, 24]}}, data=bytes(24)),
    "hole": _tensors(more={"dense/bias": {"dtype": "F32", "shape": [2], "data_offsets": [28, 36]}}, data=bytes(36)),
    "trailing bytes": _tensors(data=bytes(40)),
    "too few bytes": _tensors(data=bytes(30)),
    "other range": _tensors(shape=[3, 3]),
    "1 PiB": _tensors(shape=[2**24, 2**24]),
    "1 PiB throughout": _tensors(shape=[2**24, 2**24], data_offsets=[0, 2**50]),
    "overflow": _tensors(shape=[2**62, 4, 0]),
    "negative shape": _tensors(shape=[-3, -2]),
    "negative offsets": _tensors(data_offsets=[-24, 0]),
    "offsets the wrong way": _tensors(data_offsets=[24, 0]),
    "text for a shape": _tensors(shape="3, 2"),
    "fractions": _tensors(shape=[3.0, 2.0]),
    "true": _tensors(shape=[True, 6]),
    "a million axes": _tensors(shape=[1] * 1_000_000 + [6]),
    "unknown dtype": _tensors(dtype="F31"),
    "dtype that is a list": _tensors(dtype=["F32"]),
    "no entry": _tensors(more={"x": None}),
    "metadata that is no table": _tensors(more={"__metadata__": [1]}),
    "metadata of numbers": _tensors(more={"__metadata__": {"a": 1}}),
    "ours by its word": _tensors(more={"__metadata__": {"format": "keraunos", "layout": "{}", "sha256": "0" * 64}}),
    "ours without a digest": _tensors(more={"__metadata__": {"format": "keraunos"}}),
    "ours with changed data": _ours(".safetensors", _flip(-3)),
    "ours with a changed name": _ours(".safetensors", _flip(b"dense/kernel")),
    "ours with a changed digest": _ours(".safetensors", lambda content: content.__setitem__(content.index(b"sha256") + 20, content[content.index(b"sha256") + 20] ^ 1)),
    "ours with a changed mark": _ours(".safetensors", _flip(b"keraunos")),
    "wrong shape": _tensors(shape=[2, 3]),
    "integers": _tensors(dtype="I32"),
    "markup and escapes": _tensors(more={"\x1b[31m[red]x": {"dtype": "F31", "shape": [], "data_offsets": [0, 0]}}),
    "another model's": _raw(json.dumps({"other": {"dtype": "F32", "shape": [8], "data_offsets": [0, 32]}}).encode()),
}  # fmt: skip

_N = {
    "empty": lambda path: path.write_bytes(b""),
    "text": lambda path: path.write_bytes(b"hello"),
    "pickle in place of it": lambda path: path.write_bytes(pickle.dumps(Evil())),
    "pickled array": _zip({"dense/kernel.npy": _npy(np.array([Evil()] * 6, object).reshape(3, 2), allow_pickle=True), **BIAS}),
    "pickle as a member": _zip({"dense/kernel.npy": pickle.dumps(Evil()), **BIAS}),
    "objects declared": _zip({"dense/kernel.npy": _described("(3, 2)", "'|O'"), **BIAS}),
    "header bomb": _zip({"dense/kernel.npy": _header(b"(" * 60_000), **BIAS}),
    "header of 4 GiB": _zip({"dense/kernel.npy": b"\x93NUMPY\2\0" + struct.pack("<I", 2**32 - 1) + bytes(100), **BIAS}),
    "header that calls": _zip({"dense/kernel.npy": _header(b"__import__('os').system('true')\n"), **BIAS}),
    "1 PiB": _zip({"dense/kernel.npy": _described(f"({2**24}, {2**24})"), **BIAS}),
    "negative shape": _zip({"dense/kernel.npy": _described("(-3, -2)"), **BIAS}),
    "true for a shape": _zip({"dense/kernel.npy": _described("(True, 6)"), **BIAS}),
    "compound": _zip({"dense/kernel.npy": _described("(3,)", "[('a', '<f4'), ('b', '<f4')]"), **BIAS}),
    "sub-array": _zip({"dense/kernel.npy": _described("(3,)", "('<f4', (2,))"), **BIAS}),
    "times": _zip({"dense/kernel.npy": _described("(3,)", "'<M8[s]'"), **BIAS}),
    "cut": _zip({"dense/kernel.npy": _npy(np.zeros((3, 2), "f4"))[:-4], **BIAS}),
    "more": _zip({"dense/kernel.npy": _npy(np.zeros((3, 2), "f4")) + b"more", **BIAS}),
    "bomb": _zip({"dense/kernel.npy": _npy(np.zeros((2**12, 2**13), "f4")), **BIAS}, zipfile.ZIP_DEFLATED),
    "up": _zip({"../dense/kernel.npy": _npy(np.zeros((3, 2), "f4")), **BIAS}),
    "comment": _zip({"dense/kernel.npy": _npy(np.zeros((3, 2), "f4")), **BIAS}, comment=b"\nkeraunor sha256 " + b"0" * 64 + b"\n"),
    "note of another": _zip({"dense/kernel.npy": _npy(np.zeros((3, 2), "f4")), "__keraunos__.npy": _npy(np.zeros(3, "u1")), **BIAS}),
    "ours with a changed byte": _ours(".npz", _flip(200)),
    "ours with a changed seal": _ours(".npz", _flip(-80)),
    "ours with a changed digest": _ours(".npz", _flip(-8)),
    "wrong shape": _zip({"dense/kernel.npy": _npy(np.zeros((2, 3), "f4")), **BIAS}),
    "complex": _zip({"dense/kernel.npy": _npy(np.zeros((3, 2), "c8")), **BIAS}),
    "missing": _zip(BIAS),
}

_I = {
    "no JSON": _index(None, b"{"),
    "deep": _index(None, b"[" * 200_000),
    "list": _index([1]),
    "no map": _index({"metadata": {}}),
    "map of numbers": _index({"weight_map": {"/layers/dense/vars": 3}}),
    "up": _map("../m_00000.weights.h5"),
    "absolute": _map("/etc/passwd"),
    "absolute shard": _map("/tmp/m_00000.weights.h5"),
    "drive": _map("C:m_00000.weights.h5"),
    "backslash": _map("..\\m_00000.weights.h5"),
    "NUL": _map("m\0_00000.weights.h5"),
    "URL": _map("https://example.com/m_00000.weights.h5"),
    "missing": _map("gone_00000.weights.h5"),
    "itself": _map("shards itself.weights.json"),
    "other digest": _index({"metadata": {"sha256": "0" * 64}, "weight_map": {"/layers/dense/vars": ["m_00000.weights.h5"]}}),
    "a million": _index({"metadata": {}, "weight_map": {f"/{i}": ["m_00000.weights.h5"] for i in range(10_000)}}),
}

FILES: dict[str, Callable[[Path], Any]] = {
    **{f"tensors {name}.safetensors": make for name, make in _S.items()},
    **{f"npz {name}.npz": make for name, make in _N.items()},
    **{f"shards {name}.weights.json": make for name, make in _I.items()},
    "shards up.safetensors.index.json": _index({"metadata": {}, "weight_map": {"dense/kernel": "../m-00001-of-00001.safetensors"}}),
    "shards no layout.safetensors.index.json": _index({"metadata": {"layout": "3"}, "weight_map": {"dense/kernel": "gone.safetensors"}}),
}
