"""The folder of one start of the playground, where lies what the user sends; those that killed ones left are removed by the next start."""

from __future__ import annotations

import contextlib
import os
import pathlib
import shutil
import tempfile
import time

from keraunos.saving.files import lock

PREFIX = "keraunos-playground-"
LOCK = "lock"  # a file that is locked while the folder is in use: the system lets go of it however the process ends
YOUNG = 60.0  # seconds after which it is sure to be locked, if it is in use


class Folder:
    """A new folder, for this user only, until it is removed."""

    def __init__(self) -> None:
        sweep()
        self.path = pathlib.Path(tempfile.mkdtemp(prefix=PREFIX))
        self._held = open(self.path / LOCK, "wb")
        lock(self._held)

    def remove(self) -> None:
        """Remove it and all that is in it."""
        self._held.close()
        shutil.rmtree(self.path, ignore_errors=True)


def sweep() -> None:
    """Remove the folders that nobody uses any more; those of other users are theirs."""
    for left in pathlib.Path(tempfile.gettempdir()).glob(f"{PREFIX}*/{LOCK}"):
        with contextlib.suppress(OSError):  # it is in use, or gone
            own = not hasattr(os, "getuid") or left.parent.lstat().st_uid == os.getuid()
            if own and time.time() - left.stat().st_mtime > YOUNG:
                with open(left, "rb") as stream:
                    lock(stream)
                left.unlink()  # which Windows does not, where it is open
                shutil.rmtree(left.parent)
