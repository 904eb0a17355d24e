"""The lengths of texts in attributes of HDF5 files, found in the headers of groups and data.

The library takes memory for a text of any length that a file gives, before it finds that there is none so long. So it is asked for no text whose length
was not looked at here.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from typing import Any

from keraunos.core.errors import ModelFileError
from keraunos.saving.files import require

_ATTRIBUTE, _CONTINUED = 0x0C, 0x10


def lengths(region: Any, address: int, key: str) -> Iterator[int]:
    """The lengths of the texts in an attribute of the object whose header is at `address`."""
    for kind, data in _messages(region, address):
        if kind != _ATTRIBUTE:
            continue
        version, name, dtype, space = data[0], *struct.unpack_from("<HHH", data, 2)
        start, pad = {1: (8, 8), 2: (8, 1), 3: (9, 1)}[version]
        if bytes(data[start : start + name]).rstrip(b"\0") == key.encode():
            start += sum(-(-size // pad) * pad for size in (name, dtype, space))
            yield from (struct.unpack_from("<I", data, at)[0] for at in range(start, len(data) - 15, 16))
            return
    raise ModelFileError(f"The attribute '{key}' is stored in a way that Keras does not use.", where=str(region.path), fix="save the model again")


def _messages(region: Any, address: int) -> Iterator[tuple[int, bytearray]]:
    """The messages in an object's header of the first version, the one that Keras's files have."""
    start = region.bytes(address, 16)
    fact, fix = "The file is in the newer form of HDF5 (libver='latest'), which Keras does not write.", "write it anew in the usual one: h5repack old.h5 new.h5"
    require(start[0] == 1, region.path, fact, fix=fix)
    blocks, read = [(address + 16, struct.unpack_from("<I", start, 8)[0])], 0
    while blocks and read < 2**20:
        place, size = blocks.pop(0)
        block, at = region.bytes(place, min(size, 2**20)), 0
        read += len(block) + 1
        while at + 8 <= len(block):
            kind, length = struct.unpack_from("<HH", block, at)
            data, at = block[at + 8 : at + 8 + length], at + 8 + length
            if kind == _CONTINUED:
                blocks.append(struct.unpack_from("<QQ", data))
            yield kind, data
