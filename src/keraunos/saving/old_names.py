"""Lists of names in HDF5 attributes, `layer_names` and `weight_names`, read only where each name is short.

The library would take memory for each name in a list before anyone could ask how long it is; a small file can say that thousands
are as long as itself. So the lengths are read here, from the header of the group.
"""

from __future__ import annotations

from typing import Any

from h5py import h5a, h5o, h5t  # pyright: ignore[reportAttributeAccessIssue]

from keraunos.saving import hdf5
from keraunos.saving.files import require
from keraunos.saving.hdf5_texts import lengths

_LIMIT = 2**12  # of the length of a name


def names(file: hdf5.File, place: str, key: str) -> list[str]:
    """The names in an attribute, which Keras splits in several, `key0`, `key1`, …, where they are many.

    Raises:
        ModelFileError: There is no such attribute, or it holds something else.
    """
    with file.blamed():
        if file.has(place, key):
            return _list(file, file.groups[place], place, key)
        found: list[str] = []
        for part in range(2**12):
            if not file.has(place, f"{key}{part}"):
                break
            found += _list(file, file.groups[place], place, f"{key}{part}")
    require(bool(found), file.path, f"The file does not say which {key.replace('_', ' ')} there are.", place or None, "do not load it: Keras notes them")
    return found


def _list(file: hdf5.File, group: Any, place: str, key: str) -> list[str]:
    attribute = h5a.open(group.id, key.encode())
    kind = attribute.get_type()
    if 0 in attribute.shape:
        return []
    if isinstance(kind, h5t.TypeStringID) and kind.is_variable_str():
        longest = max(lengths(file.region, h5o.get_info(group.id).addr, key), default=0)
        require(longest <= _LIMIT, file.path, f"The attribute '{key}' has a name of {longest:,} bytes.", place, "do not load it: Keras writes no such names")
        value = group.attrs[key].tolist()
    else:
        value = file.attribute(place, key)
    return [x.decode("utf-8", "replace") if isinstance(x, bytes) else str(x) for x in (value if isinstance(value, list) else [value])]
