"""Weights as `.npz`: NumPy's arrays by name in a zip archive, which `numpy.load` reads too. Ours end with a seal, as the archive's comment."""

from __future__ import annotations

import json
import math
import os
import pathlib
import re
import zipfile
import zlib
from typing import Any

import numpy as np

from keraunos.core.errors import ArgumentError
from keraunos.saving.arrays import Tree, empty, flat, labels, layout_of, numpy_kind
from keraunos.saving.files import problem, require
from keraunos.saving.regions import MARK, SEAL, Region
from keraunos.saving.zipped import Archive

_NOTE = "__keraunos__"
_NEVER = "do not load it: numpy.savez writes no such weights"
_HEADER = re.compile(rb"\{'descr': '([<>|=][biufcV]\d{1,2})', 'fortran_order': (True|False), 'shape': \(([\d, ]{0,600})\), \}\s*")
_DAMAGE = (zipfile.BadZipFile, zlib.error, EOFError, RuntimeError, ValueError, OSError, OverflowError)


def write(tree: Tree, stream: Any) -> None:
    """Write arrays to a stream that can be read and written at any place.

    Args:
        tree: As `hdf5.write` takes it.
        stream: The stream.

    Raises:
        ArgumentError: What is to be written are no numbers.
    """
    kinds = {}
    with zipfile.ZipFile(stream, "w") as archive:
        for label, (group, key) in labels(tree).items():
            value = np.asarray(tree[group][1][key])
            if value.dtype.kind == "O":
                raise ArgumentError(f"'{label}' holds no numbers.", where="filepath", fix="model.save_weights('model.weights.h5')")
            if value.dtype.kind == "V":  # bfloat16 and float8, which NumPy's files do not know
                kinds[label] = value.dtype.name
            _put(archive, label, value)
        note = json.dumps({"layout": layout_of(tree), "dtypes": kinds}).encode()
        _put(archive, _NOTE, np.frombuffer(note, np.uint8))
        archive.comment = bytes(SEAL)
    region = Region(stream, pathlib.Path())
    seal = MARK + region.digest(SEAL).encode() + b"\n"
    stream.seek(-SEAL, os.SEEK_END)
    stream.write(seal)


def _put(archive: zipfile.ZipFile, label: str, value: Any) -> None:
    kind = np.dtype(f"V{value.dtype.itemsize}") if value.dtype.kind == "V" else value.dtype
    with archive.open(zipfile.ZipInfo(f"{label}.npy"), "w", force_zip64=True) as member:
        header = {"descr": np.lib.format.dtype_to_descr(kind), "fortran_order": False, "shape": value.shape}
        np.lib.format.write_array_header_1_0(member, header)
        member.write(flat(value))


class File(Archive):
    """The arrays of a file by name.

    Args:
        path: The path of an existing file.

    Raises:
        ModelFileError: It is damaged, or holds what are no arrays of numbers.
    """

    needed = ()

    def _check_origin(self) -> None:
        self.digests = {}
        self.sealed = Region(self.stream, self.path).sealed()
        require(self.sealed or not self.zip.comment, self.path, "The archive's comment is not as it was written.")
        total = sum(info.file_size for info in self.infos.values())
        fact = f"The archive would unpack to {total:,} bytes from {self.size:,}."
        require(total <= 2**26 + 2 * self.size, self.path, fact, fix="write it without compression: numpy.savez")
        self.arrays = {name.removesuffix(".npy"): Array(self, name) for name in self.infos}
        note = self._note() if _NOTE in self.arrays else {}
        self.layout = note.get("layout")
        for label, kind in note.get("dtypes", {}).items():
            self.arrays[label].dtype = kind

    def _note(self) -> dict[str, Any]:
        """What ours say of their arrays."""
        require(self.sealed, self.path, "The file was changed after it was written.", _NOTE, "save the weights again")
        return json.loads(np.asarray(self.arrays.pop(_NOTE)).tobytes())


class Array:
    """An array in a file: its shape and dtype are known, its values are read when they are asked for."""

    def __init__(self, file: File, name: str):
        self._file, self._name = file, name
        self.certain = file.sealed  # that it can be read
        info = file.infos[name]
        try:
            with file.zip.open(info) as member:
                start = member.read(12)
                known, large = start[:8] in (b"\x93NUMPY\1\0", b"\x93NUMPY\2\0"), start[6:7] == b"\2"
                size = int.from_bytes(start[8 : 12 if large else 10], "little") + (12 if large else 10)
                found = _HEADER.fullmatch((start + member.read(max(0, min(size, 10_000) - 12)))[12 if large else 10 :])
        except _DAMAGE as error:
            raise problem(file.path, f"A member is no array of NumPy: {str(error)[:200]}", name, _NEVER) from None
        fact = "A member is no array of numbers by NumPy; pickled objects are not read."
        if not known or found is None:  # the text is a literal of Python, which is not evaluated
            raise problem(file.path, fact, name, _NEVER)
        try:
            self.kind = np.dtype(found[1].decode())
        except TypeError:
            raise problem(file.path, fact, name, _NEVER) from None
        require(self.kind.kind in "biufcV" and self.kind.itemsize > 0, file.path, fact, name, _NEVER)
        sizes = found[3].replace(b" ", b"").removesuffix(b",").split(b",") if found[3] else []
        require(all(0 < len(n) < 19 for n in sizes) and len(sizes) <= 64, file.path, fact, name, _NEVER)
        self.shape, self._fortran, self._start = tuple(map(int, sizes)), found[2] == b"True", size
        needed = math.prod(self.shape) * self.kind.itemsize
        fine = self._start + needed == info.file_size
        require(fine, file.path, f"The array is said to have the shape {str(self.shape)[:60]}; the member has {info.file_size:,} bytes.", name)
        self.dtype = self.kind.name

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> Any:
        value = empty((math.prod(self.shape),), self.kind)
        try:
            with self._file.zip.open(self._name) as member:
                member.read(self._start)
                view = value.view(np.uint8)
                while view.size and (block := member.read(min(2**20, view.size))):
                    view[: len(block)] = np.frombuffer(block, np.uint8)
                    view = view[len(block) :]
                require(not view.size and not member.read(1), self._file.path, "The array is damaged.", self._name)
        except _DAMAGE as error:
            raise problem(self._file.path, f"The array is damaged: {error}", self._name) from None
        value = value.reshape(self.shape, order="F" if self._fortran else "C")
        value = value if value.dtype.isnative else value.astype(value.dtype.newbyteorder("="))
        return value.view(numpy_kind(self)) if value.dtype.kind == "V" else value
