"""Files from the net, kept on disk."""

from __future__ import annotations

import hashlib
import http.client
import os
import pathlib
import shutil
import tarfile
import threading
import urllib.parse
import urllib.request
import zipfile
from typing import Any

from keraunos.core.errors import ArgumentError, DataError, one_of

_BLOCK = 1 << 20
_ENDINGS = (".tar.gz", ".tar.bz2", ".tar.xz", ".tar", ".tgz", ".tbz", ".zip")


def get_file(
    fname: str | None = None, origin: str | None = None, untar: bool = False, md5_hash: str | None = None, file_hash: str | None = None,
    cache_subdir: str = "datasets", hash_algorithm: str = "auto", extract: bool = False, archive_format: Any = "auto", cache_dir: Any = None,
    force_download: bool = False,
) -> str:  # fmt: skip
    """Download a file once; later calls find it on disk.

    It is written beside its place and takes it when it is complete and its hash is right. Files and folders have the names that Keras gives them, which finds
    them too: an archive `a.zip` is unpacked into `a_extracted`; one that is `a` here, or has no `fname`, is kept as `a_archive` and unpacked into `a`.

    Args:
        fname: The name of the file; the last part of `origin` by default. An absolute path is where it goes.
        origin: The URL.
        untar: As `extract`, for archives of `tar`.
        md5_hash: The MD5 hash that the file must have.
        file_hash: The hash that the file must have.
        cache_subdir: The folder in `cache_dir`.
        hash_algorithm: "auto" (by the hash's length), "md5" or "sha256".
        extract: Whether the file is an archive to be unpacked into a folder beside it, anew in each call.
        archive_format: "auto", "tar", "zip", None (not an archive), or a list of these.
        cache_dir: Where files are kept; `~/.keras`, or `KERAS_HOME`, by default.
        force_download: Whether it is downloaded although it is there.

    Returns:
        The path of the file; of the folder, if it was unpacked.

    Raises:
        ArgumentError: There is no URL, or an argument is wrong.
        DataError: It cannot be downloaded, has another hash, or is no such archive.

    Example:

    >>> import keraunos as keras, pathlib, tempfile
    >>> source = pathlib.Path(tempfile.mkdtemp(), "table.csv")
    >>> size = source.write_text("a,b")
    >>> path = keras.utils.get_file(origin=source.as_uri(), cache_dir=tempfile.mkdtemp(), md5_hash="b345e1dc09f20fdefdea469f09167892")
    >>> pathlib.Path(path).read_text()
    'a,b'
    """
    if origin is None:
        raise ArgumentError("get_file needs the URL of the file.", where="origin", fix="get_file(origin='https://…')")
    name = fname or os.path.basename(urllib.parse.urlparse(origin).path)
    if not name:
        raise ArgumentError("The URL does not name the file.", where="fname", received=origin, fix="pass fname")
    wanted, algorithm = (file_hash or md5_hash or "").lower(), "md5" if file_hash is None and md5_hash else hash_algorithm
    one_of("hash_algorithm", algorithm, ("auto", "md5", "sha256"))
    home = pathlib.Path(cache_dir or os.environ.get("KERAS_HOME") or pathlib.Path.home() / ".keras").expanduser()
    path = home / cache_subdir / name
    formats = _formats("tar" if untar else archive_format)
    folder = None
    if extract or untar:
        stem = next((name.removesuffix(ending) for ending in _ENDINGS if fname and name.endswith(ending)), None)
        path, folder = (path.with_name(f"{path.name}_archive"), path) if stem is None else (path, path.with_name(f"{pathlib.Path(stem).name}_extracted"))
    if force_download or not path.exists() or (wanted and _hash(path, wanted, algorithm) != wanted):
        path.parent.mkdir(parents=True, exist_ok=True)
        _download(origin, path, wanted, algorithm)
    if folder is None:
        return str(path)
    _unpack(path, folder, formats)
    return str(folder)


def _download(origin: str, path: pathlib.Path, wanted: str, algorithm: str) -> None:
    partial = path.with_name(f"{path.name}.{os.getpid()}.{threading.get_ident()}.part")
    try:
        try:
            with urllib.request.urlopen(origin) as stream, open(partial, "wb") as file:
                shutil.copyfileobj(stream, file, _BLOCK)
                size, whole = file.tell(), int(stream.headers["Content-Length"] or file.tell())
        except (OSError, ValueError, http.client.HTTPException) as error:
            fact = f"'{path.name}' cannot be downloaded: {error}"
            raise DataError(fact, where=origin, fix="check the address and the network, or put the file at that place yourself") from error
        if size < whole:
            raise DataError(f"'{path.name}' came only in part.", where=origin, received=f"{size} of {whole} bytes", fix="download it again")
        if wanted and (found := _hash(partial, wanted, algorithm)) != wanted:
            raise DataError(f"'{path.name}' has another hash than it should.", where=origin, received=found, expected=wanted, fix="download it again")
        os.replace(partial, path)
    finally:
        partial.unlink(missing_ok=True)


def _hash(path: pathlib.Path, wanted: str, algorithm: str) -> str:
    kind = algorithm if algorithm != "auto" else "sha256" if len(wanted) == 64 else "md5"
    with open(path, "rb") as file:
        return hashlib.file_digest(file, kind).hexdigest()


def _formats(given: Any) -> tuple[str, ...]:
    """The formats that an archive may have."""
    formats = ("tar", "zip") if given == "auto" else (given,) if isinstance(given, str) else tuple(given or ())
    return tuple(one_of("archive_format", known, ("tar", "zip")) for known in formats)


def _unpack(path: pathlib.Path, folder: pathlib.Path, formats: tuple[str, ...]) -> None:
    """Unpack an archive into a folder; nothing is written outside of it."""
    if "tar" in formats and tarfile.is_tarfile(path):
        with tarfile.open(path) as archive:
            archive.extractall(folder, filter="data")
    elif "zip" in formats and zipfile.is_zipfile(path):
        with zipfile.ZipFile(path) as archive:
            archive.extractall(folder)
    else:
        fact = f"'{path.name}' is no archive of these formats: {', '.join(formats)}."
        raise DataError(fact, where="archive_format", fix="archive_format='auto', or extract=False")
