"""Lists of names in HDF5 attributes, `layer_names` and `weight_names`, read only where each name is short.

The library would take memory for each name in a list before anyone could ask how long it is; a small file can say that thousands
are as long as itself. So the lengths are read here, from the header of the group.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from typing import Any

from h5py import h5a, h5o, h5t

from keraunos.core.errors import ModelFileError
from keraunos.saving import hdf5
from keraunos.saving.files import require

_LIMIT = 2**12  # of the length of a name
_ATTRIBUTE, _CONTINUED = 0x0C, 0x10


def names(file: hdf5.File, place: str, key: str) -> list[str]:
    """The names in an attribute, which Keras splits in several, `key0`, `key1`, …, where they are many.

    Raises:
        ModelFileError: There is no such attribute, or it holds something else.
    """
    group = file.groups[place]
    if file.has(place, key):
        return _list(file, group, place, key)
    found: list[str] = []
    for part in range(2**12):
        if not file.has(place, f"{key}{part}"):
            break
        found += _list(file, group, place, f"{key}{part}")
    require(bool(found), file.path, f"The file does not say which {key.replace('_', ' ')} there are.", place or None, "do not load it: Keras notes them")
    return found


def _list(file: hdf5.File, group: Any, place: str, key: str) -> list[str]:
    attribute = h5a.open(group.id, key.encode())
    kind = attribute.get_type()
    if 0 in attribute.shape:
        return []
    if isinstance(kind, h5t.TypeStringID) and kind.is_variable_str():
        longest = max(_lengths(file.region, h5o.get_info(group.id).addr, key), default=0)
        require(longest <= _LIMIT, file.path, f"The attribute '{key}' has a name of {longest:,} bytes.", place, "do not load it: Keras writes no such names")
        value = group.attrs[key].tolist()
    else:
        value = file.attribute(place, key)
    return [x.decode("utf-8", "replace") if isinstance(x, bytes) else str(x) for x in (value if isinstance(value, list) else [value])]


def _lengths(region: Any, address: int, key: str) -> Iterator[int]:
    """The lengths of the texts in an attribute of the group whose header is at `address`."""
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
    require(start[0] == 1, region.path, "The header of a group is of a kind that Keras's files do not have.")
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
