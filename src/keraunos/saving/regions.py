"""Parts of files that are read as files of their own, and the SHA-256 that our files end with.

The digest of more than 16 MiB is the SHA-256 of the SHA-256s of its pieces of 16 MiB: so several cores find it together, and one finds it
beside the writing. A seal is what stands behind a file's last byte, where a format allows for it: a mark, and the digest of all before it.
"""

from __future__ import annotations

import concurrent.futures
import hashlib
import io
import os
import pathlib
import threading
import zlib
from typing import Any

from keraunos.saving.files import require

PIECE = 16 * 2**20
_BLOCK = 2**20
_WORKERS = min(4, os.cpu_count() or 1)
MARK = b"\nkeraunos sha256 "
SEAL = len(MARK) + 65  # its length


def _joined(pieces: list[Any]) -> str:
    """The digest of what consists of pieces with these."""
    return pieces[0].hexdigest() if len(pieces) == 1 else hashlib.sha256(b"".join(piece.digest() for piece in pieces)).hexdigest()


def digest(content: bytes) -> str:
    """The digest of bytes."""
    return _joined([hashlib.sha256(content[at : at + PIECE]) for at in range(0, len(content) or 1, PIECE)])


class Hashed:
    """A stream that is written to, of which the digest is found beside the writing. Used as a context.

    Args:
        stream: Where all goes. What is written must stay as it is until the digest is asked for.
    """

    def __init__(self, stream: Any):
        self._stream, self._free = stream, PIECE
        self._parts: list[memoryview] = []  # of the piece that is not full yet
        self._pieces: list[concurrent.futures.Future[Any]] = []
        self._workers = concurrent.futures.ThreadPoolExecutor(_WORKERS)

    def __enter__(self) -> Hashed:
        return self

    def __exit__(self, *_: object) -> None:
        self._workers.shutdown()

    def write(self, data: Any) -> None:
        """Write bytes, or the bytes of a contiguous array."""
        data = memoryview(data)
        rest = data = data.cast("B") if data.nbytes else memoryview(b"")
        while len(rest):
            part = rest[: self._free]
            rest, self._free = rest[len(part) :], self._free - len(part)
            self._parts.append(part)
            if not self._free:
                self._pieces.append(self._workers.submit(_hashed, self._parts))
                self._parts, self._free = [], PIECE
        self._stream.write(data)
        if len(self._pieces) > 2 * _WORKERS:  # else what is written could be held until the end
            self._pieces[-2 * _WORKERS].result()

    def hexdigest(self) -> str:
        """The digest of all that was written."""
        last = [_hashed(self._parts)] if self._parts or not self._pieces else []
        return _joined([*(piece.result() for piece in self._pieces), *last])

    def seal(self) -> bytes:
        """The seal of all that was written."""
        return MARK + self.hexdigest().encode() + b"\n"


def _hashed(parts: list[memoryview]) -> Any:
    found = hashlib.sha256()
    for part in parts:
        found.update(part)
    return found


class Region(io.RawIOBase):
    """A part of a file, read as a file; threads may read from it at the same time.

    Args:
        stream: The file, open for reading.
        path: Its path, for messages.
        start: Where the part begins.
        size: Its length; by default to the end.
    """

    def __init__(self, stream: Any, path: pathlib.Path, start: int = 0, size: int | None = None):
        self.path, self._stream, self._start, self._at, self._lock = path, stream, start, 0, threading.Lock()
        self.size = stream.seek(0, os.SEEK_END) - start if size is None else size

    def readable(self) -> bool:
        """True."""
        return True

    def seekable(self) -> bool:
        """True."""
        return True

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        """Go to a place."""
        self._at = offset + (0, self._at, self.size)[whence]
        return self._at

    def readinto(self, buffer: Any) -> int:
        """Read into a buffer, as far as there is something."""
        view = memoryview(buffer).cast("B")
        view = view[: max(0, self.size - self._at)]
        self.fill(self._at, view)
        self._at += len(view)
        return len(view)

    def fill(self, offset: int, buffer: Any) -> None:
        """Read a whole buffer from a place.

        Raises:
            ModelFileError: The file ends before.
        """
        view = memoryview(buffer)
        if not view.nbytes:
            return
        view = view.cast("B")
        require(0 <= offset <= self.size - len(view), self.path, f"The file ends too early: {self.size:,} bytes, {offset + len(view):,} are needed.")
        with self._lock:
            self._stream.seek(self._start + offset)
            while len(view):
                count = self._stream.readinto(view)
                require(bool(count), self.path, f"The file ends too early, after {self.size - len(view):,} bytes.")
                view = view[count:]

    def bytes(self, offset: int, size: int) -> bytearray:
        """Some bytes."""
        require(0 <= size <= self.size, self.path, f"The file ends too early: {self.size:,} bytes, {size:,} are needed.")
        self.fill(offset, content := bytearray(size))
        return content

    def digest(self, but: int = 0) -> str:
        """The digest of all but the last bytes."""
        size = self.size - but
        buffered = min(_BLOCK, size)

        def piece(start: int, size: int = size) -> Any:
            found, buffer = hashlib.sha256(), memoryview(bytearray(buffered))
            for at in range(start, min(start + PIECE, size), _BLOCK):
                part = buffer[: min(_BLOCK, size - at, start + PIECE - at)]
                self.fill(at, part)
                found.update(part)
            return found

        if size <= PIECE:
            return _joined([piece(0)])
        with concurrent.futures.ThreadPoolExecutor(_WORKERS) as workers:
            return _joined(list(workers.map(piece, range(0, size, PIECE))))

    def crc(self) -> int:
        """The CRC-32 of all, as zip archives note it."""
        found, buffer = 0, memoryview(bytearray(min(_BLOCK, self.size)))
        for at in range(0, self.size, _BLOCK):
            part = buffer[: self.size - at]
            self.fill(at, part)
            found = zlib.crc32(part, found)
        return found

    def sealed(self) -> bool:
        """Whether the region ends with a seal, which then is right.

        Raises:
            ModelFileError: It is not: a byte is not as it was written.
        """
        if self.size < SEAL or not (end := bytes(self.bytes(self.size - SEAL, SEAL))).startswith(MARK):
            return False
        same = end == MARK + self.digest(SEAL).encode() + b"\n"
        require(same, self.path, f"'{self.path.name}' is not as it was written: its SHA-256 differs.")
        return True
