"""Archives that say of themselves what is not so."""

from __future__ import annotations

import dataclasses
import functools
import io
import json
import pathlib
import struct
import tempfile
import zipfile
import zlib
from collections.abc import Iterable
from typing import Any

METADATA, CONFIG, WEIGHTS = "metadata.json", "config.json", "model.weights.h5"


@functools.cache
def good() -> dict[str, bytes]:
    """The members of a file without fault, as Keras writes it: no digests."""
    import keraunos as keras

    model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(2, name="dense")], name="model")
    with tempfile.TemporaryDirectory() as folder:
        model.save(path := pathlib.Path(folder, "m.keras"))
        with zipfile.ZipFile(path) as archive:
            members = {name: archive.read(name) for name in archive.namelist()}
    return {**members, METADATA: json.dumps({"keras_version": "3.15.1", "date_saved": "2026-01-01@00:00:00"}).encode()}


def ours() -> bytes:
    """A file of ours, whole."""
    import keraunos as keras

    with tempfile.TemporaryDirectory() as folder:
        keras.Sequential([keras.Input((3,)), keras.layers.Dense(2, name="dense")], name="model").save(path := pathlib.Path(folder, "m.keras"))
        return path.read_bytes()


@dataclasses.dataclass
class Entry:
    """A member, and what the directory and the member's own header say of it."""

    name: bytes
    content: bytes
    method: int = 0
    flags: int = 0
    mode: int = 0
    crc: int | None = None
    size: int | None = None
    own: dict[str, Any] = dataclasses.field(default_factory=dict)  # what its own header says otherwise
    at: int | None = None  # where the directory says that it is
    extra: bytes = b""

    def header(self, place: int, local: bool) -> bytes:
        packed = self.packed
        said = {"name": self.name, "crc": zlib.crc32(self.content) if self.crc is None else self.crc, "size": self.size, **(self.own if local else {})}
        size = len(self.content) if said["size"] is None else said["size"]
        common = struct.pack("<4H3L2H", self.flags, self.method, 0, 33, said["crc"], min(len(packed), 2**32 - 1), size, len(said["name"]), len(self.extra))
        if local:
            return b"PK\3\4" + struct.pack("<H", 20) + common + said["name"] + self.extra
        place = place if self.at is None else self.at
        return b"PK\1\2" + struct.pack("<2H", 20 | 3 << 8, 20) + common + struct.pack("<3H2L", 0, 0, 0, self.mode << 16, place) + said["name"] + self.extra

    @functools.cached_property
    def packed(self) -> bytes:
        if self.method != 8:
            return self.content
        deflate = zlib.compressobj(6, zlib.DEFLATED, -15)
        return deflate.compress(self.content) + deflate.flush()


def raw(entries: Iterable[Entry]) -> bytes:
    """An archive of entries, whatever they say."""
    out, directory, count = io.BytesIO(), io.BytesIO(), 0
    for entry in entries:
        directory.write(entry.header(out.tell(), False))
        out.write(entry.header(out.tell(), True) + entry.packed)
        count += 1
    size, place = directory.tell(), out.tell()
    return out.getvalue() + directory.getvalue() + b"PK\5\6" + struct.pack("<4H2LH", 0, 0, count, count, size, place, 0)


def entries(**changes: Any) -> list[Entry]:
    """The members without fault, with `changes` to the config."""
    found = [Entry(name.encode(), content) for name, content in good().items()]
    return [found[0], dataclasses.replace(found[1], **changes), *found[2:]]


def _more(*more: Entry) -> Any:
    return lambda path: path.write_bytes(raw([*entries(), *more]))


def _without(name: str) -> Any:
    return lambda path: path.write_bytes(raw(entry for entry in entries() if entry.name != name.encode()))


def _changed(**changes: Any) -> Any:
    return lambda path: path.write_bytes(raw(entries(**changes)))


def _named(name: bytes) -> Any:
    return _more(Entry(name, b"evil"))


def half(path: pathlib.Path) -> None:
    """Cut off in the middle."""
    content = raw(entries())
    path.write_bytes(content[: len(content) // 2])


def overlapping(path: pathlib.Path) -> None:
    """Two members in the same bytes, so that few bytes unpack to many."""
    start, inner = raw(entries()).index(b"PK\1\2"), Entry(b"assets/b", b"x" * 40)
    outer = Entry(b"assets/a", b"x" * 22 + inner.header(0, True) + inner.content)
    path.write_bytes(raw([*entries(), outer, dataclasses.replace(inner, at=start + 30 + len(outer.name) + 22)]))


@functools.cache
def zeros(megabytes: int) -> tuple[bytes, int]:
    """Zeros, deflated, and their CRC-32."""
    deflate, crc, block = zlib.compressobj(6, zlib.DEFLATED, -15), 0, bytes(2**20)
    for _ in range(megabytes):
        crc = zlib.crc32(block, crc)
    return b"".join(deflate.compress(block) for _ in range(megabytes)) + deflate.flush(), crc


def bomb(name: str, megabytes: int) -> Any:
    """A member of zeros, deflated."""

    def write(path: pathlib.Path) -> None:
        packed, crc = zeros(megabytes)
        entry = Entry(name.encode(), b"", method=8, crc=crc, size=megabytes * 2**20)
        entry.packed = packed
        path.write_bytes(raw([*(e for e in entries() if e.name != entry.name), entry]))

    return write


def dense_config(path: pathlib.Path) -> None:
    """A config of millions of lists, which take a hundred times as much memory."""
    content = b'{"config":[' + b"[]," * (2 * 2**20) + b"[]]}"
    path.write_bytes(raw([e for e in entries() if e.name != CONFIG.encode()] + [Entry(CONFIG.encode(), content, method=8)]))


def crowd(path: pathlib.Path) -> None:
    """A million members."""
    entry = Entry(b"assets/a", b"")
    own, listed = entry.header(0, True), entry.header(0, False)
    place, size = len(own) * 10**6, len(listed) * 10**6
    end = b"PK\6\6" + struct.pack("<Q2H2L4Q", 44, 45, 45, 0, 0, 10**6, 10**6, size, place) + b"PK\6\7" + struct.pack("<LQL", 0, place + size, 1)
    last = b"PK\5\6" + struct.pack("<4H2LH", 0, 0, 65535, 65535, 2**32 - 1, 2**32 - 1, 0)
    path.write_bytes(own * 10**6 + listed * 10**6 + end + last)


def flipped(path: pathlib.Path) -> None:
    """One bit of the content."""
    content = bytearray(raw(entries()))
    content[content.index(b'"Dense"') + 2] ^= 1
    path.write_bytes(content)


def flipped_sealed(path: pathlib.Path) -> None:
    """One bit of the directory of a file of ours: the time of a member."""
    content = bytearray(ours())
    content[content.rindex(b"PK\1\2") + 12] ^= 1
    path.write_bytes(content)


def unsealed(path: pathlib.Path) -> None:
    """A file of ours whose config was changed, and packed anew."""
    with zipfile.ZipFile(io.BytesIO(ours())) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    members[CONFIG] = members[CONFIG].replace(b'"linear"', b'"tanh"')
    path.write_bytes(raw(Entry(name.encode(), content) for name, content in members.items()))


def zip64(path: pathlib.Path) -> None:
    """Sizes of an exabyte, in the field for large files."""
    field = struct.pack("<2H2Q", 1, 16, 2**60, 2**60)
    content = bytearray(raw([*entries(), Entry(b"assets/a", b"x", size=2**32 - 1, extra=field)]))
    for mark, offset in ((b"PK\3\4", 18), (b"PK\1\2", 20)):
        place = content.rindex(mark) + offset
        content[place : place + 8] = b"\xff" * 8
    path.write_bytes(content)


FILES = {
    "zero.keras": lambda path: path.write_bytes(b""),
    "half.keras": half,
    "text.keras": lambda path: path.write_text("This is no archive."),
    "only_end.keras": lambda path: path.write_bytes(raw([])),
    "no_config.keras": _without(CONFIG),
    "no_weights.keras": _without(WEIGHTS),
    "no_metadata.keras": _without(METADATA),
    "two_configs.keras": _more(Entry(CONFIG.encode(), b"{}")),
    "other_own_name.keras": _changed(own={"name": b"config.jsoX"}),
    "other_own_size.keras": _changed(own={"size": 7}),
    "other_own_crc.keras": _changed(own={"crc": 7}),
    "overlapping.keras": overlapping,
    "bomb_asset.keras": bomb("assets/vocabulary.txt", 210),
    "bomb_config.keras": bomb(CONFIG, 100),
    "bomb_metadata.keras": bomb(METADATA, 100),
    "bomb_weights.keras": bomb(WEIGHTS, 210),
    "dense_config.keras": dense_config,
    "unknown_method.keras": _changed(method=99),
    "bzip2.keras": _changed(method=12),
    "lzma.keras": _changed(method=14),
    "encrypted.keras": _changed(flags=1),
    "strongly_encrypted.keras": _changed(flags=0x2040),
    "patched.keras": _changed(flags=0x20),
    "up.keras": _named(b"../../evil"),
    "up_within.keras": _named(b"assets/../../evil"),
    "absolute.keras": _named(b"/tmp/evil"),
    "drive.keras": _named(b"C:/evil"),
    "nul.keras": _named(b"assets/evil\0.txt"),
    "backslash.keras": _named(b"assets\\..\\evil"),
    "escape.keras": _named(b"assets/\x1b[2Jevil"),
    "no_name.keras": _named(b""),
    "link.keras": _more(Entry(b"assets/link", b"/etc/passwd", mode=0o120777)),
    "link_config.keras": _changed(mode=0o120777),
    "device.keras": _more(Entry(b"assets/null", b"", mode=0o020666)),
    "crowd.keras": crowd,
    "stale_crc.keras": _changed(crc=12345),
    "flipped.keras": flipped,
    "flipped_sealed.keras": flipped_sealed,
    "unsealed.keras": unsealed,
    "zip64.keras": zip64,
    "larger_than_file.keras": _changed(size=2**31),
    "outside.keras": _changed(at=2**31),
    "newer.keras": lambda path: path.write_bytes(raw([Entry(METADATA.encode(), b'{"keras_version": "9.0.0"}'), *entries()[1:]])),
    "metadata_list.keras": lambda path: path.write_bytes(raw([Entry(METADATA.encode(), b"[]"), *entries()[1:]])),
}
