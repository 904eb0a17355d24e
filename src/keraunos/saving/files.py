"""Files: written whole or not at all, and checked before they are read."""

from __future__ import annotations

import contextlib
import errno
import glob
import io
import os
import pathlib
import re
import secrets
import shutil
import time
from collections.abc import Iterator
from typing import Any, BinaryIO

from keraunos.core.errors import ArgumentError, ArgumentTypeError, FileWriteError, KeraunosError, ModelFileError
from keraunos.saving.remote import URL, is_url, refuse_taken

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None

AGAIN = "copy the file again, or save the model again"
_AT_ONCE = 16 * 2**20


def as_path(filepath: Any) -> Any:
    """`filepath` as a path, in which `~` is the home folder; as a `URL` where it is one."""
    if is_url(filepath):
        return URL(str(filepath))
    try:
        name = os.fsdecode(filepath)
    except TypeError:
        fact = "A file is named by a string or a path."
        raise ArgumentTypeError(fact, where="filepath", received=type(filepath).__name__, fix="model.save('model.keras')") from None
    path = pathlib.Path(name.removeprefix("file://").removeprefix("local://")).expanduser()
    if len(path.parts) > 1 and re.fullmatch(r"[a-z][a-z0-9]+:", path.parts[0]) and not path.parent.exists():
        fix = f"a string: '{path.parts[0]}//{'/'.join(path.parts[1:])}'"
        raise ArgumentError("A path has lost a slash of this URL.", where="filepath", received=str(path), fix=fix)
    return path


@contextlib.contextmanager
def local(filepath: Any) -> Iterator[pathlib.Path]:
    """The path of a file that is read in the block: where it is elsewhere, of a copy of it."""
    path = as_path(filepath)
    with path.local() if isinstance(path, URL) else contextlib.nullcontext(path) as found:
        yield found


def problem(path: pathlib.Path, fact: str, member: str | None = None, fix: str | None = AGAIN, **details: Any) -> ModelFileError:
    """The error for what is wrong with a file, or with a member of it."""
    return ModelFileError(fact, where=f"{path.name}: {member}" if member else str(path), fix=fix, **{"code": "KR602", **details})


def require(fine: bool, *said: Any, **details: Any) -> None:
    """Raise `problem(*said, **details)` unless a file is fine."""
    if not fine:
        raise problem(*said, **details)


def new(filepath: Any, ending: str, subject: str, alternative: str = "") -> Any:
    """The path of a file to be written.

    Raises:
        ArgumentError: Its name does not end as it must.
    """
    path = as_path(filepath)
    if not path.name.endswith(ending):
        fix = f"'{path.stem.removesuffix('.weights')}{ending}'{alternative}"
        raise ArgumentError(f"{subject} saved to a file whose name ends in '{ending}', not '{path.suffix}'.", where="filepath", received=str(path), fix=fix)
    return path


def existing(filepath: Any) -> pathlib.Path:
    """The path of a file that exists and is not empty.

    Raises:
        ModelFileError: It does not exist, or is a folder, or empty.
    """
    path = as_path(filepath)
    require(not isinstance(path, URL), path, "A file of this machine is wanted here, not one elsewhere.", fix="copy it first, and name the copy")
    if not path.exists():
        near = sorted(p.name for p in path.parent.glob(f"*{path.suffix}"))[:5] if path.parent.is_dir() and path.suffix else []
        fix = f"check the path: '{path.parent.absolute()}' has no such file"
        if near:
            fix = f"in that folder there is: {', '.join(near)}"
        elif not path.parent.is_dir():
            fix = f"the folder '{path.parent}' does not exist"
        raise problem(path, f"The file '{path}' does not exist.", fix=fix, code="KR600")
    require(not path.is_dir(), path, f"'{path}' is a folder, not a model file.", fix="name the '.keras' or '.weights.h5' file; SavedModel folders are not read")
    require(path.stat().st_size > 0, path, f"'{path.name}' exists, but is empty (0 bytes).")
    return path


def _not_written(path: pathlib.Path, error: OSError, needed: int) -> FileWriteError:
    """What is said of a file that could not be written."""
    kept = f"What '{path.name}' held before is untouched" if path.exists() else f"There is no '{path.name}'"
    reason, fix = error.strerror or str(error), "write it elsewhere, or mend what the reason names, and save again"
    if error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
        free = 0
        with contextlib.suppress(OSError):
            free = shutil.disk_usage(path.parent).free
        reason, fix = f"{reason}: at least {needed:,} bytes are needed, {free:,} are free", "free some space, or save to another disk"
    elif error.errno in (errno.EACCES, errno.EPERM, errno.EROFS):
        fix = f"see who may write to the folder '{path.parent}', or save elsewhere"
    made = FileWriteError(f"The file could not be written: {reason}. {kept}.", where=str(path), fix=fix)
    made.errno = error.errno
    return made


def _sweep(path: pathlib.Path) -> None:
    """Delete what processes that were killed left of their writing to `path`; who still writes holds a lock."""
    for left in path.parent.glob(f".{glob.escape(path.name)}.????????.tmp"):
        with contextlib.suppress(OSError):
            if time.time() - left.stat().st_mtime > 60:
                with open(left, "rb") as stream:
                    lock(stream)
                left.unlink()


def lock(stream: BinaryIO) -> None:
    """Hold a lock until the file is closed.

    Raises:
        OSError: Another process has it.
    """
    if fcntl is not None:  # Windows deletes no file that is open
        fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)


class _Eager(io.FileIO):
    """A file that begins its way to the disk while it is written, so that little is left to wait for at the end."""

    _waiting = 0

    def write(self, data: Any, /) -> int:
        """Write some bytes, and let the system begin with what has gathered, which it keeps in memory as well."""
        count = super().write(memoryview(data)[:_AT_ONCE])
        self._waiting += count
        if self._waiting >= _AT_ONCE and hasattr(os, "posix_fadvise"):
            with contextlib.suppress(OSError):  # it is a wish
                os.posix_fadvise(self.fileno(), self.tell() - self._waiting, self._waiting, os.POSIX_FADV_DONTNEED)
            self._waiting = 0
        return count


def write(path: pathlib.Path | URL, content: bytes | bytearray, overwrite: bool = True) -> None:
    """Write a whole file as `replacing` does."""
    with replacing(path, overwrite) as stream:
        stream.write(content)


@contextlib.contextmanager
def replacing(path: pathlib.Path | URL, overwrite: bool, needed: int = 0) -> Iterator[BinaryIO]:
    """A stream whose content takes the place of the file at `path` at the end of the block, at once.

    It is written beside the file, flushed to the disk, and renamed; on any failure the old file stays.

    Args:
        path: The path.
        overwrite: Whether an existing file may be replaced.
        needed: How many bytes will be written at least, if that is known: for the message where the disk is full.

    Raises:
        ArgumentError: The file exists and may not be overwritten, or there is no such folder.
        FileWriteError: The system refuses: the disk is full, the folder is not to be written to, …
    """
    if isinstance(path, URL):
        with path.replacing(overwrite) as stream:
            yield stream
        return
    path = pathlib.Path(os.path.realpath(path))  # a link keeps its place; what it points to is replaced
    if path.is_dir():
        raise ArgumentError(f"'{path}' is a folder.", where="filepath", fix="name a file in it")
    refuse_taken(path, overwrite)
    if not path.parent.is_dir():
        raise ArgumentError(f"The folder '{path.parent}' does not exist.", where="filepath", fix=f"os.makedirs({str(path.parent)!r})")
    _sweep(path)
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(4)}.tmp")
    try:
        with io.BufferedRandom(_Eager(temporary, "x+")) as stream:
            with contextlib.suppress(OSError):  # there are file systems without locks
                lock(stream)
            yield stream
            stream.flush()
            os.fsync(stream.fileno())
        if path.exists():
            shutil.copymode(path, temporary)
        os.replace(temporary, path)
    except BaseException as error:
        size = temporary.stat().st_size if temporary.exists() else 0
        with contextlib.suppress(OSError):
            temporary.unlink(missing_ok=True)
        if isinstance(error, OSError) and not isinstance(error, KeraunosError):
            raise _not_written(path, error, max(size, needed)) from error
        raise
    with contextlib.suppress(OSError):  # a folder cannot be opened on Windows, nor synced on some file systems
        folder = os.open(path.parent, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)
