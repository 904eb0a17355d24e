"""The one reader of HDF5: nothing outside of the file is looked at, and nothing is read before its declared size is known to be there.

The HDF5 library finds the parts of a file; their bytes are read here, so that no filter, plug-in or type of a file's own is run.
"""

from __future__ import annotations

import bisect
import contextlib
import io
import math
import os
import struct
import tempfile
import zlib
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import h5py
import numpy as np
from h5py import h5a, h5d, h5g, h5l, h5o, h5p, h5s, h5t  # pyright: ignore[reportAttributeAccessIssue]

from keraunos.core.errors import KeraunosError, clean
from keraunos.saving.arrays import Tree, empty, flat, numpy_kind
from keraunos.saving.files import problem, require
from keraunos.saving.hdf5_texts import lengths
from keraunos.saving.regions import SEAL, Hashed, Region

MAGIC = b"\x89HDF\r\n\x1a\n"
_NEVER = "do not load it: Keras writes no such files"
_UNPACK = "unpack it first: h5repack -f NONE old.h5 new.h5"
_DEFLATE, _SHUFFLE = 1, 2
_HEAP, _PIECE = b"GCOL\1\0\0\0", 2**22  # how a heap of texts begins, and how much is looked through at a time
_SMALL = 2**24  # what is read as a whole, since the library reads small parts
_PLAIN = 64 * 2**20  # what a file may declare whatever its size


class Data:
    """An array in a file: its shape and dtype are known, its values are read when they are asked for."""

    def __init__(self, data: Any, region: Region, place: str):
        self._data, self._region, self.place = data, region, place
        self._type, self._made = data.get_type(), data.get_create_plist()
        self.shape, self.kind = tuple(data.shape or ()), np.dtype(self._type.dtype)
        self._check(self.kind)
        self.dtype = self._named() if self.kind.kind == "V" else self.kind.str if self.kind.kind == "S" else self.kind.name
        self.nbytes = self.kind.itemsize * math.prod(self.shape)

    def _check(self, kind: np.dtype[Any]) -> None:
        same = kind.kind == "V" or (kind.kind in "biufcS" and self._type.equal(h5t.py_create(kind, logical=True)))
        same = same and kind.fields is None and self._data.shape is not None
        require(same, self._region.path, "The file holds data that are no numbers of a known kind.", self.place, _NEVER)
        made = self._made
        inside = made.get_layout() != h5d.VIRTUAL and not made.get_external_count()
        require(inside, self._region.path, "The file holds data that lies in other files, which are not read.", self.place, _NEVER)
        filters = [made.get_filter(i) for i in range(made.get_nfilters())]
        for code, _, _, name in filters:
            fact = f"The data are packed by the filter '{name.decode(errors='replace')}' ({code}), which is not known here."
            require(code in (_DEFLATE, _SHUFFLE), self._region.path, fact, self.place, _UNPACK)
        self._filters, self._layout = [code for code, *_ in filters], made.get_layout()
        self.certain = self._layout != h5d.CHUNKED  # that it can be read

    def _named(self) -> str:
        """The dtype that NumPy does not have, by the name that stands beside the data."""
        import ml_dtypes

        name = attribute(h5py.Dataset(self._data), "dtype", self._region)
        known = getattr(ml_dtypes, str(name), None)
        right = isinstance(known, type) and np.dtype(known).itemsize == self.kind.itemsize
        require(right, self._region.path, f"The file holds data of an unknown dtype, {str(name)!r}.", self.place, _NEVER)
        return str(name)

    def declared(self) -> int:
        """How many bytes reading takes.

        Raises:
            ModelFileError: More is declared than the file holds.
        """
        stored, needed = self._data.get_storage_size(), self.nbytes
        if self._layout == h5d.CHUNKED:
            count = math.prod(-(-size // part) for size, part in zip(self.shape, self._made.get_chunk(), strict=True))
            whole = count * math.prod(self._made.get_chunk()) * self.kind.itemsize
            fits = not needed or (0 < stored <= self._region.size and count <= self._region.size)
            fits, needed = fits and (bool(self._filters) or stored == whole), 2 * whole if needed else 0
        else:
            fits = stored == needed <= self._region.size
        require(fits, self._region.path, f"The file declares more than it holds: {self.nbytes:,} bytes are declared, {stored:,} stored.", self.place)
        return needed

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> Any:
        """The values, as a new array.

        Raises:
            ModelFileError: They cannot be read.
        """
        try:
            self.declared()
            value = empty(self.shape, self.kind)
            flat = value.reshape(-1).view(f"V{self.kind.itemsize}") if value.size else value
            if self._layout == h5d.CONTIGUOUS and value.size:
                self._region.fill(self._data.get_offset(), flat.view(np.uint8))
            elif self._layout == h5d.COMPACT and value.size:  # within the description of the data
                self._data.read(h5s.ALL, h5s.ALL, value)
            elif value.size:
                self._unpack(value)
        except (OSError, RuntimeError, ValueError, zlib.error) as error:
            if isinstance(error, KeraunosError):
                raise
            raise problem(self._region.path, f"The data are damaged: {error}", self.place) from error
        if self.kind.kind == "V":
            import ml_dtypes

            return value.view(getattr(ml_dtypes, self.dtype))
        return value if value.dtype.isnative else value.astype(value.dtype.newbyteorder("="))

    def _unpack(self, value: Any) -> None:
        """Read the chunks of data that are stored in chunks, one after the other; none may unpack to more than its size."""
        sizes, found = self._made.get_chunk(), []
        self._data.chunk_iter(found.append)
        room = math.prod(sizes) * self.kind.itemsize
        require(len(found) == math.prod(-(-a // b) for a, b in zip(self.shape, sizes, strict=True)), self._region.path, "Chunks are missing.", self.place)
        for chunk in found:
            content: Any = self._region.bytes(chunk.byte_offset, chunk.size)
            for place in reversed(range(len(self._filters))):
                if chunk.filter_mask >> place & 1:
                    continue
                if self._filters[place] == _DEFLATE:
                    content = (stream := zlib.decompressobj()).decompress(content, room + 1)
                    require(stream.eof and len(content) <= room, self._region.path, "A chunk unpacks to more than its size.", self.place, _NEVER)
                else:
                    content = np.frombuffer(content, np.uint8).reshape(self.kind.itemsize, -1).T.tobytes()
            block = np.frombuffer(content, self.kind).reshape(sizes)
            inside = tuple(slice(at, at + size) for at, size in zip(chunk.chunk_offset, sizes, strict=True))
            part = value[inside]
            part[...] = block[tuple(slice(size) for size in part.shape)]


def attribute(item: Any, name: str, region: Region, limit: int = 2**16) -> Any:
    """An attribute of a group, or of data, as Python has it: text, a number, a list; None if there is none.

    Raises:
        ModelFileError: It is larger than `limit`, or of a kind that Keras does not write.
    """
    key = name.encode()
    if not h5a.exists(item.id, key):
        return None
    found = h5a.open(item.id, key)
    kind = found.get_type()
    text = isinstance(kind, h5t.TypeStringID)
    single = text and kind.is_variable_str()
    fine = found.get_storage_size() <= limit and (math.prod(found.shape) == 1 if single else text or isinstance(kind, (h5t.TypeIntegerID, h5t.TypeFloatID)))
    if fine and single:
        fine = max(lengths(region, h5o.get_info(item.id).addr, name), default=0) <= min(limit, region.size)
    require(fine, region.path, f"The attribute '{clean(name)}' is too large, or of an unknown kind.", item.name, _NEVER)
    value = item.attrs[name]
    value = value.tolist() if isinstance(value, (np.ndarray, np.generic)) else value
    plain = lambda x: x.decode("utf-8", "replace") if isinstance(x, bytes) else x  # noqa: E731
    return [plain(x) for x in value] if isinstance(value, list) else plain(value)


class _Shown(Region):
    """A file as the library sees it: zeros in the place of the data, which it need not read."""

    hidden: Sequence[tuple[int, int]] = ()

    def __init__(self, region: Region):
        super().__init__(region._stream, region.path, region._start, region.size)

    def readinto(self, buffer: Any) -> int:
        """Read into a buffer, as far as there is something."""
        start = self._at
        count = super().readinto(buffer)
        view = memoryview(buffer).cast("B")
        for begin, end in self.hidden[max(0, bisect.bisect(self.hidden, (start,)) - 1) :]:
            if begin >= start + count:
                break
            low, high = max(begin - start, 0), min(end - start, count)
            if low < high:
                view[low:high] = bytes(high - low)
        return count


class File(Mapping[str, Data]):
    """What an HDF5 file holds: its data by their places, `layers/dense/vars/0`.

    Args:
        region: The file, or the part of one.

    Raises:
        ModelFileError: It is no HDF5 file, damaged, or unsafe.
    """

    def __init__(self, region: Region):
        self.region, self.path, self.groups = region, region.path, dict[str, Any]()
        self._sets: dict[str, Data] = {}
        require(region.size > 0, self.path, f"'{self.path.name}' exists, but is empty (0 bytes).")
        require(bytes(region.bytes(0, min(8, region.size))) == MAGIC, self.path, "The weights are no HDF5 file.")
        self.sealed = region.sealed()
        sizes = bytes(region.bytes({0: 13, 1: 13}.get(region.bytes(8, 1)[0], 9), 2)) if region.size > 16 else b""
        require(sizes == b"\x08\x08", self.path, "The file is damaged: it has addresses of an unusual length.")
        self._shown = _Shown(region) if region.size > _SMALL else io.BytesIO(region.bytes(0, region.size))
        with self.blamed():
            self._file = h5py.File(self._shown, "r")
            self._walk()
        end = self._end() + (SEAL if self.sealed else 0)
        require(region.size == end, self.path, f"The file is damaged: it has {region.size:,} bytes, and says that it has {end:,}.")

    def __enter__(self) -> File:
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()

    def __getitem__(self, place: str) -> Data:
        return self._sets[place]

    def __iter__(self) -> Iterator[str]:
        return iter(self._sets)

    def __len__(self) -> int:
        return len(self._sets)

    def has(self, place: str, name: str) -> bool:
        """Whether a group, or the file where `place` is "", has an attribute."""
        with self.blamed():
            return bool(h5a.exists(self.groups[place].id, name.encode()))

    def attribute(self, place: str, name: str, limit: int = 2**16) -> Any:
        """An attribute of a group, or of the file where `place` is "", or of data."""
        with self.blamed():
            return attribute(self.groups[place] if place in self.groups else h5py.Dataset(self._sets[place]._data), name, self.region, limit)

    @contextlib.contextmanager
    def blamed(self) -> Iterator[None]:
        """What the library raises for damaged files is told as such."""
        try:
            yield
        except KeraunosError:
            raise
        except (OSError, RuntimeError, KeyError, AttributeError, ValueError, TypeError, OverflowError, SystemError, struct.error) as error:
            raise problem(self.path, f"The weights are a damaged HDF5 file: {error}") from error

    def _end(self) -> int:
        """Where the file ends, as it says itself."""
        version = self.region.bytes(8, 1)[0]
        return struct.unpack("<Q", self.region.bytes({0: 40, 1: 44}.get(version, 28), 8))[0]

    def _walk(self) -> None:
        """Find all groups and data; raises for what would lead out of the file, or around in it."""
        waiting = [("", self._file.id if isinstance(self._file.id, h5g.GroupID) else h5o.open(self._file.id, b"/"))]
        self._seen, total = {h5o.get_info(waiting[0][1]).addr}, 0
        sets: list[tuple[str, Any]] = []
        while waiting:
            place, group = waiting.pop()
            self.groups[place] = h5py.Group(group)
            found: list[tuple[bytes, int]] = []
            within: list[tuple[str, Any]] = []
            group.links.iterate(lambda name, info: found.append((name, info.type)), info=True)  # noqa: B023
            for name, kind in found:
                item = self._item(group, name, kind, inner := f"{place}/{name.decode()}".lstrip("/"))
                if isinstance(item, h5g.GroupID):
                    within.append((inner, item))
                    continue
                sets.append((inner, item))
            waiting += reversed(within)
        self._hide(sorted((start, start + item.get_storage_size()) for _, item in sets if (start := item.get_offset()) is not None))
        for inner, item in sets:
            self._sets[inner] = data = Data(item, self.region, inner)
            total += data.declared()
            fact = f"The file declares more than it holds: more than {total:,} bytes in {self.region.size:,}."
            require(total <= _PLAIN + 2 * self.region.size, self.path, fact, inner, _UNPACK)

    def _hide(self, ranges: list[tuple[int, int]]) -> None:
        """Show the library no bytes of data that lie in a row; of the others, see that none is a heap of texts in which it would not find an end."""
        if isinstance(self._shown, _Shown):
            self._shown.hidden = ranges
        else:
            with self._shown.getbuffer() as view:
                for start, end in ranges:
                    view[start:end] = bytes(max(0, min(end, len(view)) - start))
        place = 0
        for start, end in [*ranges, (self.region.size, 0)]:
            for at in range(place, start, _PIECE):
                piece = self.region.bytes(at, min(_PIECE + len(_HEAP), start + len(_HEAP) - at, self.region.size - at))
                found = piece.find(_HEAP)
                while found >= 0:
                    self._check_heap(at + found)
                    found = piece.find(_HEAP, found + 1)
            place = max(place, end)

    def _check_heap(self, place: int) -> None:
        size = struct.unpack("<Q", self.region.bytes(place + 8, 8))[0]
        require(16 <= size <= self.region.size - place, self.path, "The file is damaged: a heap of texts is larger than the file.")
        heap, at = self.region.bytes(place, size), 16
        while size - at >= 16:
            index, _, _, length = struct.unpack_from("<2HIQ", heap, at)
            step = length if index == 0 else 16 + (length + 7 & ~7)
            require(16 <= step <= size - at, self.path, "The file is damaged: a text in it has no end.")
            at += step

    def _item(self, group: Any, name: bytes, kind: int, place: str) -> Any:
        """A group or data that has not been found before, by a link within the file."""
        require(kind == h5l.TYPE_HARD, self.path, "The file holds a link to another place, which is not followed.", place, _NEVER)
        item = h5o.open(group, name)
        require(isinstance(item, (h5g.GroupID, h5d.DatasetID)), self.path, "The file holds a type, which Keras does not write.", place, _NEVER)
        address = h5o.get_info(item).addr
        require(address not in self._seen, self.path, "The file's groups form a circle, or share data.", place, _NEVER)
        self._seen.add(address)
        return item


# ---- writing ----
def write(tree: Tree, stream: Any, sealed: bool = True) -> str:
    """Write arrays as an HDF5 file; returns its digest.

    The library writes the description alone, with places for the data; the data go to the stream as they lie in memory.

    Args:
        tree: By group: the name of the object, and its arrays by key; each has a shape and a dtype, and is made an array when it is written.
        stream: Where the bytes go, one after the other.
        sealed: Whether a seal follows.
    """
    with tempfile.TemporaryFile() as description, Hashed(stream) as out:
        with h5py.File(description, "w", alignment_threshold=2**12, alignment_interval=64) as file:
            places = [place for group, (name, store) in tree.items() for place in _laid_out(file.create_group(group), name, store)]
        size, at = description.seek(0, os.SEEK_END), 0
        for start, value in [*sorted(places, key=lambda place: place[0]), (size, None)]:
            description.seek(at)
            out.write(description.read(start - at))
            if value is not None:
                out.write(raw := flat(value))
                at = start + raw.nbytes
        if sealed:
            stream.write(out.seal())
        return out.hexdigest()


def _laid_out(group: Any, name: str, store: Mapping[str, Any]) -> Iterator[tuple[int, Any]]:
    """Make places for the arrays of a group; yields where they are, and what belongs there."""
    group.attrs["name"] = name
    for key, value in store.items():
        value = value if hasattr(value, "dtype") and hasattr(value, "shape") else np.asarray(value)
        kind = numpy_kind(value)
        if kind.kind not in "biufcV":
            group.create_dataset(key, data=np.asarray(value))
            continue
        made = h5p.create(h5p.DATASET_CREATE)
        made.set_alloc_time(h5d.ALLOC_TIME_EARLY)
        made.set_fill_time(h5d.FILL_TIME_NEVER)
        kept = np.dtype(f"V{kind.itemsize}") if kind.kind == "V" else kind
        shape = h5s.create_simple(tuple(value.shape)) if value.shape else h5s.create(h5s.SCALAR)
        group[key] = data = h5py.Dataset(h5d.create(group.id, None, h5t.py_create(kept, logical=True), shape, made))
        if kind.kind == "V":  # bfloat16 and float8, which HDF5 does not know
            data.attrs["dtype"] = kind.name
        if (start := data.id.get_offset()) is not None:
            yield start, value
