"""HDF5 files that lead elsewhere, declare what they do not hold, or were damaged. Each goes by the weights of the model in `run`."""

from __future__ import annotations

import pathlib
import struct
from collections.abc import Callable
from typing import Any

import h5py
import numpy as np

Path = pathlib.Path
PLACE = "layers/dense/vars/0"
CANARY = b"THE-CANARY-SINGS"


def good(path: Path) -> None:
    """The weights without fault, as Keras writes them: no seal."""
    with h5py.File(path, "w") as file:
        for group, name in (("vars", "model"), ("layers/dense/vars", "dense")):
            file.create_group(group).attrs["name"] = name
        file[PLACE] = np.ones((3, 2), "f4")
        file["layers/dense/vars/1"] = np.ones(2, "f4")


def _changed(change: Callable[[Any, Path], Any]) -> Callable[[Path], None]:
    """The good file, without its kernel, after a change."""

    def make(path: Path) -> None:
        good(path)
        with h5py.File(path, "r+") as file:
            kept = file[PLACE][()]
            del file[PLACE]
            change(file, path)
            if change in (_many, _deep, _named_type, _wide):
                file[PLACE] = kept

    return make


def ours(path: Path) -> None:
    """A file of ours, whole."""
    import keraunos as keras

    keras.Sequential([keras.Input((3,)), keras.layers.Dense(2, name="dense")], name="model").save_weights(path)


def _bytes(change: Callable[[bytearray], Any], start: Callable[[Path], None] = good) -> Callable[[Path], None]:
    """The bytes of a file, after a change."""

    def make(path: Path) -> None:
        start(path)
        content = bytearray(path.read_bytes())
        path.write_bytes(change(content) or content)

    return make


def _set(kind: Any, shape: tuple[int, ...] = (3, 2), **options: Any) -> Callable[[Path], None]:
    return _changed(lambda file, _: file.create_dataset(PLACE, shape=shape, dtype=kind, **options))


def _elsewhere(file: Any, path: Path) -> None:
    canary = path.with_name("canary.bin")
    canary.write_bytes(CANARY * 8)
    file.create_dataset(PLACE, shape=(3, 2), dtype="f4", external=[(str(canary), 0, 24)])


def _external(file: Any, path: Path) -> None:
    good(other := path.with_name("other.h5"))
    file[PLACE] = h5py.ExternalLink(str(other), f"/{PLACE}")


def _virtual(file: Any, path: Path) -> None:
    good(other := path.with_name("other.h5"))
    layout = h5py.VirtualLayout((3, 2), "f4")
    layout[:] = h5py.VirtualSource(str(other), PLACE, (3, 2))
    file.create_virtual_dataset(PLACE, layout)


def _soft(file: Any, _: Path) -> None:
    file[PLACE] = h5py.SoftLink("/layers/dense/vars/1")


def _soft_group(file: Any, _: Path) -> None:
    file[PLACE] = np.ones((3, 2), "f4")
    file["layers/other"] = h5py.SoftLink("/layers")


def _circle(file: Any, _: Path) -> None:
    file["layers/dense/layers"] = file["layers"]


def _doubling(file: Any, _: Path) -> None:
    """Groups that each stand twice in the one before: 2**60 paths."""
    inner = file.create_group("bottom/vars").parent
    for i in range(60):
        outer = file.create_group(f"level_{i}")
        outer["a"] = outer["b"] = inner
        inner = outer


def _shared(file: Any, _: Path) -> None:
    """One array under a thousand names."""
    data = file.create_dataset("layers/big/vars/0", data=np.zeros(2**20, "u1"))
    for i in range(1, 1000):
        file[f"layers/big/vars/{i}"] = data


def _thousand(file: Any, _: Path) -> None:
    for i in range(1000):
        file.create_dataset(f"layers/dense_{i}/vars/0", shape=(2**28,), dtype="f4")


def _large_attribute(path: Path) -> None:
    """An attribute that is larger than a name can be, kept outside of the header."""
    with h5py.File(path, "w", libver="latest") as file:
        file.create_group("vars").attrs["name"] = np.zeros(2**22, "S16")
        file[PLACE] = np.ones((3, 2), "f4")
        file["layers/dense/vars/1"] = np.ones(2, "f4")


def _named_type(file: Any, _: Path) -> None:
    file["layers/dense/type"] = np.dtype("f4")


def _many(file: Any, _: Path) -> None:
    for i in range(1000):
        file.create_group(f"extra/{i}/vars").create_dataset("0", data=np.zeros(1, "f4"))


def _deep(file: Any, _: Path) -> None:
    group = file
    for _ in range(1000):
        group = group.create_group("a")
    group.create_group("vars")["0"] = np.zeros(1, "f4")


def _wide(file: Any, _: Path) -> None:
    file[f"layers/{'x' * 60_000}/vars/0"] = np.zeros(1, "f4")


def _inflating(file: Any, _: Path) -> None:
    """A chunk that unpacks to far more than the array."""
    import zlib

    data = file.create_dataset(PLACE, shape=(3, 2), maxshape=(None, None), chunks=(2**10, 2**8), dtype="f4", compression="gzip")
    data.id.write_direct_chunk((0, 0), zlib.compress(bytes(2**26), 9))


def _hollow_chunk(file: Any, _: Path) -> None:
    import zlib

    data = file.create_dataset(PLACE, shape=(3, 2), chunks=(3, 2), dtype="f4", compression="gzip")
    data.id.write_direct_chunk((0, 0), zlib.compress(bytes(5)))


def _no_stream(file: Any, _: Path) -> None:
    data = file.create_dataset(PLACE, shape=(3, 2), chunks=(3, 2), dtype="f4", compression="gzip")
    data.id.write_direct_chunk((0, 0), b"no stream of zlib")


def _filter(file: Any, _: Path) -> None:
    """A filter that no one knows, as an optional one, so that it can be written."""
    made = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
    made.set_chunk((3, 2))
    made.set_filter(32015, h5py.h5z.FLAG_OPTIONAL, (3,))
    kind, space = h5py.h5t.py_create(np.dtype("f4")), h5py.h5s.create_simple((3, 2))
    h5py.h5d.create(file["layers/dense/vars"].id, b"0", kind, space, made)


def _huge_chunk(file: Any, _: Path) -> None:
    data = file.create_dataset(PLACE, shape=(3, 2), maxshape=(None, None), chunks=(2**15, 2**14), dtype="f4", compression="gzip")
    data.id.write_direct_chunk((0, 0), b"\x78\x9c\x03\x00\x00\x00\x00\x01")


def _object(file: Any, _: Path) -> None:
    file.create_dataset(PLACE, data=np.array([["a", "b"]] * 3, dtype=object), dtype=h5py.string_dtype())


def _bfloat16(name: Any) -> Callable[[Path], None]:
    def change(file: Any, _: Path) -> None:
        file.create_dataset(PLACE, data=np.zeros((3, 2), "V2")).attrs["dtype"] = name

    return _changed(change)


def _value(value: Any) -> Callable[[Path], None]:
    return _changed(lambda file, _: file.create_dataset(PLACE, data=value))


def _end(content: bytearray) -> None:
    content[40:48] = struct.pack("<Q", 2**62)


def _start(content: bytearray) -> None:
    content[24:32] = struct.pack("<Q", 2**40)


def _endless(content: bytearray) -> None:
    """The first text in the heap of texts has so large a size that adding to it gives 0: the library would look at it for ever."""
    place = content.index(b"GCOL") + 16 + 8
    content[place : place + 8] = struct.pack("<Q", 2**64 - 16)


def _short_addresses(content: bytearray) -> None:
    content[13] = 4


def _lone_user_block(path: Path) -> None:
    with h5py.File(path, "w", userblock_size=512) as file:
        file["layers/dense/vars/0"] = np.ones((3, 2), "f4")


FILES: dict[str, Callable[[Path], Any]] = {
    f"h5 {name}.weights.h5": make
    for name, make in {
        "zero bytes": lambda path: path.write_bytes(b""),
        "text": lambda path: path.write_bytes(b"hello " * 100),
        "mark alone": lambda path: path.write_bytes(b"\x89HDF\r\n\x1a\n"),
        "zeros behind the mark": lambda path: path.write_bytes(b"\x89HDF\r\n\x1a\n" + bytes(4000)),
        "cut at half": _bytes(lambda content: content[: len(content) // 2]),
        "cut by one byte": _bytes(lambda content: content[:-1]),
        "more behind the end": _bytes(lambda content: content + b"and more"),
        "end beyond the end": _bytes(_end),
        "base elsewhere": _bytes(_start),
        "user block": _lone_user_block,
        "text without end": _bytes(_endless),
        "short addresses": _bytes(_short_addresses),
        "ours with a changed byte": _bytes(lambda content: content.__setitem__(len(content) // 2, content[len(content) // 2] ^ 4), ours),
        "ours with a changed seal": _bytes(lambda content: content.__setitem__(-70, content[-70] ^ 1), ours),
        "ours with another digest": _bytes(lambda content: content.__setitem__(-9, content[-9] ^ 1), ours),
        "ours cut in the seal": _bytes(lambda content: content[:-3], ours),
        "4 GiB declared": _set("f4", (2**15, 2**15)),
        "1 PiB declared": _set("f4", (2**24, 2**24)),
        "more than can be counted": _set("f4", (2**31, 2**30)),
        "1 PiB in chunks": _set("f4", (2**24, 2**24), chunks=(64, 64)),
        "1 PiB compressed": _set("f4", (2**24, 2**24), chunks=(64, 64), compression="gzip"),
        "right shape with nothing stored": _set("f4"),
        "thousand of a gigabyte": _changed(_thousand),
        "one array under a thousand names": _changed(_shared),
        "external link": _changed(_external),
        "soft link": _changed(_soft),
        "soft link to a group": _changed(_soft_group),
        "external storage": _changed(_elsewhere),
        "virtual": _changed(_virtual),
        "circle": _changed(_circle),
        "doubling": _changed(_doubling),
        "named type": _changed(_named_type),
        "many groups": _changed(_many),
        "deep groups": _changed(_deep),
        "long name": _changed(_wide),
        "attribute of 64 MiB": _large_attribute,
        "chunk that inflates": _changed(_inflating),
        "chunk that is too short": _changed(_hollow_chunk),
        "chunk without a stream": _changed(_no_stream),
        "chunk of 2 GiB": _changed(_huge_chunk),
        "unknown filter": _changed(_filter),
        "checksum filter": _set("f4", chunks=(3, 2), fletcher32=True),
        "objects": _changed(_object),
        "references": _set(h5py.ref_dtype),
        "compound": _set(np.dtype([("a", "f4"), ("b", "f4")])),
        "array type": _set(np.dtype(("f4", (2**20,)))),
        "strings": _value(np.full((3, 2), b"text")),
        "complex": _value(np.ones((3, 2), "c8")),
        "int64": _value(np.ones((3, 2), "i8")),
        "opaque without a name": _changed(lambda file, _: file.create_dataset(PLACE, data=np.zeros((3, 2), "V2"))),
        "opaque of a class that is no dtype": _bfloat16("finfo"),
        "opaque of another size": _bfloat16("float8_e4m3fn"),
        "opaque with numbers for a name": _bfloat16(np.arange(5)),
        "wrong shape": _value(np.ones((2, 3), "f4")),
        "wrong rank": _value(np.ones(6, "f4")),
        "no array": _value(h5py.Empty("f4")),
        "missing variable": _changed(lambda file, _: None),
        "missing layer": _changed(lambda file, _: file.__delitem__("layers/dense")),
        "one layer more": _value(np.ones((3, 2), "f4")) and _changed(lambda file, _: file.__setitem__("layers/dense_1/vars/0", np.ones(1, "f4"))),
        "group in place of an array": _changed(lambda file, _: file.create_group(PLACE)),
        "array in place of a group": _changed(lambda file, _: (file.__delitem__("layers/dense"), file.__setitem__("layers/dense", np.ones((3, 2), "f4")))),
    }.items()
}
