"""Zip archives that are read with distrust: all that an archive says of itself is checked before one byte of a member is used."""

from __future__ import annotations

import contextlib
import functools
import hashlib
import io
import json
import os
import pathlib
import re
import stat
import struct
import tempfile
import zipfile
import zlib
from collections.abc import Iterator
from typing import Any, BinaryIO, ClassVar, Self

from keraunos.saving.files import AGAIN, problem, require
from keraunos.saving.regions import Hashed, Region

METADATA, CONFIG, WEIGHTS, ASSETS = "metadata.json", "config.json", "model.weights.h5", "assets/"
HDF5 = b"\x89HDF\r\n\x1a\n"  # how an HDF5 file begins
BLOCK = 2**20
spool = functools.partial(tempfile.SpooledTemporaryFile, 32 * 2**20)  # in memory up to this size
_SEAL = b"keraunos sha256 "  # the comment of an archive of ours: this, and the digest of all that is no member's content
_DIGITS = 64
_DIRECTORY_LIMIT = 4 * 2**20  # bytes: some 40,000 members
_STRANGE = "do not load it: Keras writes no such members"
_DAMAGE = (zipfile.BadZipFile, zlib.error, struct.error, EOFError, NotImplementedError, RuntimeError, ValueError, OverflowError, OSError)
_COST = {b"[": 64, b"{": 176, b'"': 28, b",": 16, b":": 16, b"\n": 16}  # bytes of memory for each of these in a text that is read


class _Source(io.BufferedReader):
    """The file; a directory of millions of members is not read."""

    def read(self, size: int | None = -1, /) -> bytes:
        if size is not None and size > _DIRECTORY_LIMIT:
            raise zipfile.BadZipFile(f"a directory of {size:,} bytes, which Keras does not write")
        return super().read(size)


def demand(text: bytes) -> int:
    """About how many bytes of memory it takes to read a text as JSON, or line by line."""
    return 2 * len(text) + sum(cost * text.count(mark) for mark, cost in _COST.items())


def _frame(stream: BinaryIO, contents: list[tuple[int, int]], size: int) -> str:
    """The SHA-256 of a file without the members' contents, by place and size, and without the digest at its end."""
    digest, place = hashlib.sha256(), 0
    for start, packed in [*sorted(contents), (size - _DIGITS, 0)]:
        stream.seek(place)
        while place < start:
            digest.update(block := stream.read(min(BLOCK, start - place)))
            place += len(block) or start
        place = start + packed
    return digest.hexdigest()


@contextlib.contextmanager
def written(stream: BinaryIO) -> Iterator[zipfile.ZipFile]:
    """An archive that is written; at its end a digest of its directory, so that no bit of the file can change unseen."""
    with zipfile.ZipFile(stream, "w") as archive:
        yield archive
        archive.comment = _SEAL + b"0" * _DIGITS
    size = stream.seek(0, os.SEEK_END)
    digest = _frame(stream, [(_content(stream, info)[0], info.compress_size) for info in archive.infolist() if info.filename != METADATA], size)
    stream.seek(size - _DIGITS)
    stream.write(digest.encode())


def _content(stream: BinaryIO, info: zipfile.ZipInfo) -> tuple[int, bool]:
    """Where a member's content begins, and whether its own header says the same as the directory."""
    stream.seek(info.header_offset)
    mark, _, flags, method, _, _, crc, packed, size, name_size, extra_size = struct.unpack("<4s5H3L2H", stream.read(30))
    name, extra = stream.read(name_size), stream.read(extra_size)
    if packed == size == 2**32 - 1 and extra[:4] == struct.pack("<2H", 1, 16):
        size, packed = struct.unpack("<2Q", extra[4:20])
    same = (mark, flags, method, name) == (b"PK\3\4", info.flag_bits, info.compress_type, info.orig_filename.encode("utf-8" if flags & 0x800 else "cp437"))
    late = flags & 8 and (crc, packed, size) == (0, 0, 0)  # noted behind the content
    return info.header_offset + 30 + name_size + extra_size, same and bool(late or (crc, packed, size) == (info.CRC, info.compress_size, info.file_size))


class Archive:
    """A `.keras` file that is read; every door reads by it.

    Args:
        path: The path of an existing file.

    Raises:
        ModelFileError: It is damaged, or says of itself what no file by Keras does.
    """

    needed: ClassVar[tuple[str, ...]] = (CONFIG, WEIGHTS, METADATA)

    def __init__(self, path: pathlib.Path):
        self.path, self.size = path, path.stat().st_size
        self.stream: BinaryIO = _Source(io.FileIO(path))  # type: ignore[assignment]
        try:
            self._open()
        except BaseException:
            self.stream.close()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.zip.close()
        self.stream.close()

    def _open(self) -> None:
        try:
            self.zip = zipfile.ZipFile(self.stream)
        except _DAMAGE as error:
            raise self._no_archive(error) from None
        infos = self.zip.infolist()
        self.infos = {info.filename: info for info in infos}
        twice = next((info.filename for info, other in zip(infos, self.infos.values(), strict=False) if info is not other), None)
        require(len(self.infos) == len(infos), self.path, "The archive has a member twice.", twice, _STRANGE)
        for info in infos:
            self._check(info)
        self._starts = {info.filename: self._start(info) for info in infos}
        place, total = 0, 0
        for name, start in sorted(self._starts.items(), key=lambda item: item[1]):
            info = self.infos[name]
            require(place <= info.header_offset, self.path, "Members of the archive overlap.", name, _STRANGE)
            place, total = start + info.compress_size, total + info.file_size
        require(place <= self.zip.start_dir, self.path, "The members of the archive reach beyond its end.", fix=AGAIN)
        require(total <= 200 * max(self.size, 2**20), self.path, f"The archive would unpack to {total:,} bytes from {self.size:,}.", fix=_STRANGE)
        for name in self.needed:
            members = f"members {', '.join(list(self.infos)[:6]) or 'none'}"
            require(name in self.infos, self.path, f"The archive has no member '{name}'.", fix="this is no file that Keras 3 wrote", received=members)
        self._check_origin()

    def _no_archive(self, error: BaseException) -> Exception:
        self.stream.seek(0)
        start, name = self.stream.read(8), self.path.name
        fact, fix = f"'{name}' exists, {self.size:,} bytes, but is no zip archive.", "save the model with model.save('….keras')"
        if start.startswith(b"PK"):
            lost = "not a zip file" in str(error)
            fact = f"'{name}' exists, {self.size:,} bytes, but the zip directory is " + ("missing: truncated?" if lost else f"damaged: {error}")
            fix = AGAIN
        elif start == HDF5:
            fact, fix = "This is an HDF5 file, not a '.keras' archive.", "for weights, name it '….weights.h5' and call model.load_weights"
        return problem(self.path, fact, fix=fix)

    def _check(self, info: zipfile.ZipInfo) -> None:
        name = info.orig_filename
        parts = name.removesuffix("/").split("/")
        plain = name == info.filename and not re.search(r"[\\:\x00-\x1f\x7f]", name) and not {"", ".", ".."}.intersection(parts)
        require(plain, self.path, "The archive has a member whose name leads elsewhere.", repr(name)[:100], _STRANGE)
        kind = stat.S_IFMT(info.external_attr >> 16)
        require(kind in (0, stat.S_IFREG, stat.S_IFDIR), self.path, "The archive has a member that is a link, not a file.", name, _STRANGE)
        require(not info.flag_bits & 0x2061, self.path, "A member of the archive is encrypted.", name, "decrypt it first; Keras writes no such members")
        known = info.compress_type in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
        require(known, self.path, f"A member is compressed by a method that is not read: {info.compress_type}.", name, "pack it anew, stored or deflated")
        packed, size = info.compress_size, info.file_size
        fits = size == packed if info.compress_type == zipfile.ZIP_STORED else size <= 1032 * packed
        require(fits and packed <= self.size, self.path, f"A member is said to hold {size:,} bytes, in {packed:,}.", name, _STRANGE)

    def _start(self, info: zipfile.ZipInfo) -> int:
        try:
            start, same = _content(self.stream, info)
        except _DAMAGE:
            start, same = 0, False
        require(same, self.path, "What the archive's directory says of a member, its own header does not.", info.filename, AGAIN)
        return start

    def _check_origin(self) -> None:
        """Look at who wrote it: of ours, the directory and the metadata are compared with their digest."""
        self.digests: dict[str, Any] = {}
        found = self.metadata = self.json(METADATA)
        if isinstance(noted := found.get("sha256"), dict):
            self.digests = noted
        version = str(found.get("keras_version", ""))
        known = not version[:1].isdigit() or int(re.split(r"\D", version[:9])[0]) <= 3
        require(known, self.path, f"The file was written by Keras {version[:20]}, in a format newer than is known here.", METADATA, "update keraunos")
        if self.digests:
            end = b"PK\5\6"
            self.stream.seek(max(0, self.size - 22 - len(_SEAL) - _DIGITS))
            tail = self.stream.read(200)
            contents = [(self._starts[name], info.compress_size) for name, info in self.infos.items() if name != METADATA]
            same = tail.startswith(end) and tail[22:-_DIGITS] == _SEAL and tail[-_DIGITS:] == _frame(self.stream, contents, self.size).encode()
            require(same, self.path, "The archive's directory is not as it was written: its SHA-256 differs.")
        self.config = self.json(CONFIG)

    @property
    def verified(self) -> bool:
        """Whether the file notes the SHA-256 of what it holds, which is compared whenever that is read."""
        return bool(self.digests)

    def _same(self, name: str, found: str) -> None:
        if self.verified and name != METADATA:
            require(found == self.digests.get(name), self.path, f"The member '{name}' is not as it was written: its SHA-256 differs.", name)

    @contextlib.contextmanager
    def opened(self, name: str) -> Iterator[Any]:
        """A member, compared with its digest, as a stream that can be read from any place."""
        info = self.infos[name]
        if info.compress_type == zipfile.ZIP_STORED:
            region = Region(self.stream, self.path, self._starts[name], info.file_size)
            if self.verified:
                self._same(name, region.digest())
            else:
                require(region.crc() == info.CRC, self.path, f"The member '{name}' is damaged: its CRC-32 differs.", name)
            yield region
            return
        with spool() as target:
            self._unpack(name, target)
            yield Region(target, self.path)

    def _unpack(self, name: str, target: Any) -> None:
        """Copy a member to a stream, which is put back to its start."""
        try:
            with self.zip.open(name) as member, Hashed(target) as out:
                while block := member.read(BLOCK):
                    out.write(block)
        except _DAMAGE as error:
            raise problem(self.path, f"The member '{name}' is damaged: {error}", name) from None
        self._same(name, out.hexdigest())
        target.seek(0)

    def read(self, name: str) -> bytes:
        """The content of a member that is a text: no more than the file can be meant to hold."""
        info, budget = self.infos[name], 64 * 2**20 + 2 * self.size
        fact = f"The member '{name}' would take more memory than the file can need: {info.file_size:,} bytes, from {info.compress_size:,}."
        require(2 * info.file_size <= budget, self.path, fact, name, _STRANGE)
        target = io.BytesIO()
        self._unpack(name, target)
        require(demand(text := target.getvalue()) <= budget, self.path, fact, name, _STRANGE)
        return text

    def json(self, name: str) -> dict[str, Any]:
        """A member that is a JSON object."""
        text = self.read(name)
        try:
            value = json.loads(text.decode())
        except RecursionError:
            raise problem(self.path, f"The member '{name}' is nested too deeply.", name) from None
        except ValueError as error:
            raise problem(self.path, f"The member '{name}' is not valid JSON: {error}.", name) from None
        require(isinstance(value, dict), self.path, f"The member '{name}' is not a JSON object.", name)
        return value

    def assets(self, place: str) -> dict[str, bytes]:
        """The files in a folder of the assets, by name."""
        found = [name for name in self.infos if name.startswith(place) and "/" not in name[len(place) :] != ""]
        return {name[len(place) :]: self.read(name) for name in found}
