"""Files elsewhere, named by URLs such as `s3://bucket/model.keras`: what is needed of a path, done by fsspec."""

from __future__ import annotations

import contextlib
import dataclasses
import pathlib
import re
import shutil
import tempfile
from collections.abc import Iterator
from typing import Any, BinaryIO

from keraunos.core.errors import ArgumentError, KeraunosError, ModelFileError, needing

_URL = re.compile(r"([A-Za-z][\w+.-]+::)*[A-Za-z][\w+.-]+://")  # a drive of Windows is a single letter


def is_url(filepath: Any) -> bool:
    """Whether `filepath` names a file by a URL; those of this machine, `file://…`, count as paths."""
    text = str(filepath)
    return bool(_URL.match(text)) and not text.startswith(("file://", "local://"))


def refuse_taken(path: Any, overwrite: bool) -> None:
    """Refuse to write over what is there.

    Args:
        path: The path, or the `URL`.
        overwrite: Whether that is allowed.

    Raises:
        ArgumentError: It is not.
    """
    if not overwrite and path.exists():
        raise ArgumentError(f"The file '{path}' exists already.", where="overwrite=False", fix="choose another name, or pass overwrite=True")


@dataclasses.dataclass(frozen=True)
class URL:
    """A file elsewhere; has of `pathlib.Path` what saving needs. Chains such as `simplecache::s3://…` are fsspec's.

    Args:
        text: The URL.
    """

    text: str

    def __str__(self) -> str:
        return self.text

    def __truediv__(self, name: str) -> URL:
        return URL(f"{self.text.rstrip('/')}/{name}")

    @property
    def name(self) -> str:
        """What stands after the last slash."""
        return self.text.rpartition("/")[2]

    @property
    def stem(self) -> str:
        """The name without its suffix."""
        return pathlib.PurePosixPath(self.name).stem

    @property
    def suffix(self) -> str:
        """The end of the name, from its last dot."""
        return pathlib.PurePosixPath(self.name).suffix

    @property
    def parent(self) -> URL:
        """The folder, or the bucket, that it is in."""
        return URL(self.text.rpartition("/")[0])

    def with_suffix(self, suffix: str) -> URL:
        """The file beside it with another suffix."""
        return self.parent / (self.stem + suffix)

    def exists(self) -> bool:
        """Whether there is such a file or folder."""
        with self._reached() as (system, place):
            return bool(system.exists(place))

    def is_dir(self) -> bool:
        """Whether it is a folder."""
        with self._reached() as (system, place):
            return bool(system.isdir(place))

    def mkdir(self, mode: int = 0o777, parents: bool = False, exist_ok: bool = False) -> None:
        """Make a folder, where the file system has folders and lets us; if one is wanted after all, writing a file will tell."""
        with contextlib.suppress(ModelFileError), self._reached() as (system, place):
            system.makedirs(place, exist_ok=True)

    def unlink(self, missing_ok: bool = False) -> None:
        """Delete the file."""
        with self._reached() as (system, place), contextlib.suppress(*([FileNotFoundError] if missing_ok else [])):
            system.rm_file(place)

    def rmdir(self) -> None:
        """Folders stay: many a file system has none, and its highest are not ours to delete."""

    def replace(self, target: URL) -> None:
        """Give the file another name, in place of a file that has it."""
        with self._reached() as (system, place):
            system.mv(place, system._strip_protocol(target.text))

    @contextlib.contextmanager
    def local(self) -> Iterator[pathlib.Path]:
        """A copy of the file, of the same name, in a temporary folder; errors of the block name the URL.

        Raises:
            ModelFileError: It is not there, or cannot be read.
        """
        with tempfile.TemporaryDirectory() as folder:
            path = pathlib.Path(folder, pathlib.PurePath(self.name).name)
            with self._reached() as (system, place):
                system.get_file(place, str(path))
            try:
                yield path
            except KeraunosError as error:
                error.where = None if error.where is None else str(error.where).replace(str(path), path.name)
                raise error.inside(self.text) from None

    @contextlib.contextmanager
    def replacing(self, overwrite: bool) -> Iterator[BinaryIO]:
        """A stream whose content becomes the file at the end of the block: sent whole, and only then put in its place.

        Raises:
            ArgumentError: The file exists and may not be overwritten.
        """
        refuse_taken(self, overwrite)
        with tempfile.TemporaryFile() as stream:
            yield stream
            stream.seek(0)
            with self._reached(own=True) as (system, place):
                with system.transaction, system.open(place, "wb") as target:
                    shutil.copyfileobj(stream, target, 2**22)

    @contextlib.contextmanager
    def _reached(self, own: bool = False) -> Iterator[tuple[Any, str]]:
        """Its file system, `own` to this use, and its place there; what goes wrong in the block is told as a fault of the place."""
        with needing("Files elsewhere are reached by fsspec, which is not installed.", self.text, "fsspec"):
            import fsspec.core
        try:
            yield fsspec.core.url_to_fs(self.text, **({"skip_instance_cache": True} if own else {}))
        except FileNotFoundError:
            raise ModelFileError(f"The file '{self}' does not exist.", where=self.text, fix="compare the name with what is there") from None
        except Exception as error:  # each file system has errors of its own, for what is not installed, not known and not allowed as well
            fix = "compare the URL, the credentials and the connection, and try again"
            raise ModelFileError(f"'{self}' cannot be reached: {type(error).__name__}: {error}", where=self.text, fix=fix) from error
