"""Weights as `.safetensors`: a header in JSON that names the tensors, then their bytes ([the format](https://github.com/huggingface/safetensors)).

The header of ours notes where in the model each tensor belongs, and a SHA-256: that of the digest of the bytes and of the header itself, with zeros in its place.
"""

from __future__ import annotations

import hashlib
import json
import math
from typing import Any

import numpy as np

from keraunos.core.errors import ArgumentError
from keraunos.saving.arrays import Tree, empty, flat, labels, layout_of, numpy_dtype, numpy_kind
from keraunos.saving.files import problem, require
from keraunos.saving.regions import Hashed, Region
from keraunos.saving.zipped import demand

DTYPES = {
    "BOOL": "bool", "F64": "float64", "F32": "float32", "F16": "float16", "BF16": "bfloat16", "F8_E4M3": "float8_e4m3fn", "F8_E5M2": "float8_e5m2",
    "I64": "int64", "I32": "int32", "I16": "int16", "I8": "int8", "U64": "uint64", "U32": "uint32", "U16": "uint16", "U8": "uint8", "C64": "complex64",
}  # fmt: skip
_CODES = {name: code for code, name in DTYPES.items()}
_LIMIT = 100_000_000  # of a header, by the format
_OURS, _UNKNOWN = "keraunos", "0" * 64
_NEVER = "do not load it: no library writes such files"


def write(tree: Tree, stream: Any) -> None:
    """Write arrays to a stream that can be written at any place.

    Args:
        tree: As `hdf5.write` takes it.
        stream: The stream.

    Raises:
        ArgumentError: An array has a dtype that the format does not have.
    """
    values, entries, place = {}, {}, 0
    for label, (group, key) in labels(tree).items():
        value = values[label] = tree[group][1][key] if hasattr(tree[group][1][key], "dtype") else np.asarray(tree[group][1][key])
        kind = numpy_kind(value)
        if kind.name not in _CODES:
            fix = "model.save_weights('model.weights.h5')"
            raise ArgumentError(f"'{label}' has a dtype that '.safetensors' files cannot hold: {kind.name}.", where="filepath", fix=fix)
        size = kind.itemsize * math.prod(value.shape)
        entries[label] = {"dtype": _CODES[kind.name], "shape": list(value.shape), "data_offsets": [place, place + size]}
        place += size
    noted = {"format": _OURS, "sha256": _UNKNOWN, "layout": json.dumps(layout_of(tree))}
    text = json.dumps({"__metadata__": noted, **entries}).encode()
    text += b" " * (-(8 + len(text)) % 64)
    start = len(text).to_bytes(8, "little") + text
    stream.write(start)
    with Hashed(stream) as out:
        for value in values.values():
            out.write(flat(value))
    stream.seek(start.index(_UNKNOWN.encode()))
    stream.write(_digest(start, out.hexdigest()).encode())


def _digest(start: bytes, data: str) -> str:
    return hashlib.sha256(data.encode() + start).hexdigest()


class Tensor:
    """A tensor in a file: its shape and dtype are known, its values are read when they are asked for."""

    certain = True  # that it can be read

    def __init__(self, region: Region, dtype: str, shape: tuple[int, ...], place: int):
        self._region, self.dtype, self.shape, self._place = region, dtype, shape, place

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> Any:
        value = empty(self.shape, numpy_dtype(self.dtype))
        self._region.fill(self._place, flat(value) if value.ndim else value.reshape(1).view(np.uint8))
        return value


class File(dict[str, Tensor]):
    """The tensors of a file by name.

    Args:
        region: The file.

    Raises:
        ModelFileError: It is damaged, or no file of this format.
    """

    def __init__(self, region: Region):
        super().__init__()
        self.region, self.path = region, region.path
        require(region.size > 8, self.path, f"'{self.path.name}' is no '.safetensors' file: it has {region.size:,} bytes.")
        start = region.bytes(0, 8)
        size = int.from_bytes(start, "little")
        fact = f"The header is said to have {size:,} bytes; the file has {region.size:,}."
        require(2 <= size <= min(_LIMIT, region.size - 8), self.path, fact, fix=_NEVER if size > _LIMIT else "copy the file again")
        text = bytes(region.bytes(8, size))
        header = self._parsed(text)
        noted = header.pop("__metadata__", {})
        fine = isinstance(noted, dict) and all(isinstance(value, str) for value in noted.values())
        require(fine, self.path, "The header's '__metadata__' is not a table of texts.", "header", _NEVER)
        self._fill(header, 8 + size)
        self.sealed = noted.get("format") == _OURS or ("sha256" in noted and "layout" in noted)
        self.layout = self._layout(noted, bytes(start) + text) if self.sealed else None

    def _parsed(self, text: bytes) -> dict[str, Any]:
        fact = "The header would take more memory than the file can need."
        require(text[:1] == b"{" and demand(text) <= 2**26 + 2 * self.region.size, self.path, fact, "header", _NEVER)
        try:
            return json.loads(text, object_pairs_hook=self._once)
        except (ValueError, RecursionError) as error:
            raise problem(self.path, f"The header is not valid JSON: {str(error)[:100]}.", "header") from None

    def _once(self, pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        require(len(dict(pairs)) == len(pairs), self.path, "The header names something twice.", "header", _NEVER)
        return dict(pairs)

    def _fill(self, header: dict[str, Any], start: int) -> None:
        """Find the tensors; they must fill the rest of the file without a hole."""
        found: list[tuple[int, int]] = []
        for name, entry in header.items():
            entry = entry if isinstance(entry, dict) else {}
            kind, shape, ends = entry.get("dtype"), entry.get("shape"), entry.get("data_offsets")
            kind, received = kind if isinstance(kind, str) else "", kind
            require(kind in DTYPES, self.path, f"The dtype of '{name}' is unknown: {str(received)[:40]}.", name, f"known: {', '.join(DTYPES)}")
            shape = shape if isinstance(shape, list) and len(shape) <= 64 else [-1]
            ends = ends if isinstance(ends, list) and len(ends) == 2 else [-1]
            require(all(type(n) is int and 0 <= n < 2**63 for n in [*shape, *ends]), self.path, f"The header says nothing sound of '{name}'.", name, _NEVER)
            tensor = Tensor(self.region, DTYPES[kind], tuple(shape), start + ends[0])
            needed = math.prod(shape) * numpy_dtype(tensor.dtype).itemsize
            fact = f"'{name}' has the shape {tuple(shape)} in {kind}, {needed:,} bytes, but {ends[1] - ends[0]:,} are set aside."
            require(needed == ends[1] - ends[0], self.path, fact, name)
            self[name] = tensor
            found.append((ends[0], ends[1]))
        place = 0
        for begin, end in sorted(found):
            require(begin == place, self.path, f"The tensors {'overlap' if begin < place else 'leave a hole'} at byte {place:,}.", fix=_NEVER)
            place = end
        require(place == self.region.size - start, self.path, f"The file has {self.region.size - start:,} bytes of tensors; its header names {place:,}.")

    def _layout(self, noted: dict[str, str], start: bytes) -> Any:
        """Where the tensors belong, by a file of ours, which is compared with its digest."""
        digest = noted.get("sha256", "")
        data = Region(self.region, self.path, len(start)).digest()
        same = len(digest) == 64 and _digest(start.replace(digest.encode(), _UNKNOWN.encode(), 1), data) == digest
        require(same, self.path, f"'{self.path.name}' is not as it was written: its SHA-256 differs.")
        return json.loads(noted["layout"])
