"""Categories without a vocabulary: hashed into a few buckets."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from keraunos import dtype_policies
from keraunos.core import tree
from keraunos.core.dtypes import INTEGERS
from keraunos.core.errors import ArgumentError, ArgumentTypeError, ShapeError
from keraunos.core.fields import Inherited, Size, Unsupported
from keraunos.core.fingerprints import crossed, fingerprints
from keraunos.core.spec import Spec
from keraunos.layers.preprocessing import HostLayer, as_bytes, encoded_on_host, encoded_shape, is_text, on_host, whole_numbers


def key_of(salt: Any, name: str) -> tuple[int, int] | None:
    """The key of a salted hash: two integers, or one twice."""
    if salt is None:
        return None
    pair = (salt, salt) if isinstance(salt, int) else tuple(salt) if isinstance(salt, (list, tuple)) else ()
    if len(pair) != 2 or not all(isinstance(part, int) for part in pair):
        raise ArgumentError("salt must be an integer or two of them.", where=name, received=f"salt={salt!r}", fix="salt=[133, 137]")
    return pair


def hashes(x: np.ndarray, key: tuple[int, int] | None = None) -> np.ndarray:
    """A 64-bit number for each element: of a string's bytes, of an integer's digits."""
    texts = as_bytes(x) if is_text(x) else [b"%d" % value for value in whole_numbers(x).ravel().tolist()]
    return fingerprints(texts, key).reshape(x.shape)


class Bucketed(HostLayer):
    """The base of layers that hash into buckets."""

    num_bins: Size
    output_mode: Any = "int"
    sparse: Unsupported = False

    def start(self, **kwargs: Any) -> None:
        super().start(**kwargs)
        self._dtype_given = kwargs.get("dtype") is not None

    def setup(self) -> None:
        if self.output_mode == "int" and not self._dtype_given:
            self._policy = dtype_policies.get("int64")
        if self.output_mode == "int" and self.compute_dtype not in INTEGERS:
            fact = "Buckets are integers."
            raise ArgumentError(fact, where=self.name, received=f"dtype={self.compute_dtype}", fix="leave dtype out, or output_mode='one_hot'")

    def bucketed(self, places: np.ndarray) -> np.ndarray:
        """The buckets in the output mode."""
        return places.astype("int64") if self._wide() else encoded_on_host(places, self.output_mode, self.num_bins)

    def _wide(self) -> bool:
        return self.output_mode == "int" and self.num_bins > 2**31

    def spec(self, shape: Any) -> Spec:
        """The output's, for inputs of this shape."""
        dtype = ("int64" if self._wide() else "int32") if self.output_mode == "int" else self.compute_dtype
        return Spec(encoded_shape(shape, self.output_mode, self.num_bins), dtype)


class Hashing(Bucketed, order=("num_bins", "mask_value", "salt")):
    """Strings or integers as one of a few integers, by a hash: no vocabulary is needed, but different ones may become the same.

    The hash is FarmHash's Fingerprint64, or with a salt SipHash-2-4 (Aumasson and Bernstein, 2012).

    Args:
        num_bins: The number of buckets.
        mask_value: What goes into bucket 0, which nothing else does then.
        salt: One or two integers; another salt gives other buckets.
        output_mode: "int" gives the buckets, as int32 (int64 where there are more than that holds); the others vectors, as in `CategoryEncoding`.
        sparse: Not supported.

    Example:

    >>> import keraunos as keras
    >>> keras.ops.convert_to_numpy(keras.layers.Hashing(3)(["A", "B", "E"])).tolist()
    [1, 0, 2]
    """

    mask_value: Any = None
    salt: Any = None
    output_mode: Literal["int", "one_hot", "multi_hot", "count"] = "int"

    def setup(self) -> None:
        super().setup()
        key = key_of(self.salt, self.name)
        self.salt = None if key is None else list(key)

    def call(self, inputs: Any) -> Any:
        masks = self.mask_value is not None and self.num_bins > 1
        places = (hashes(inputs, key_of(self.salt, self.name)) % np.uint64(self.num_bins - masks)).astype("int64")
        return self.bucketed(np.where(self._masked(inputs), 0, places + 1) if masks else places)

    def _masked(self, x: np.ndarray) -> np.ndarray:
        """Where the mask value is."""
        if not is_text(x):
            return x == self.mask_value
        masked = str(self.mask_value).encode()
        return np.array([text == masked for text in as_bytes(x)], bool).reshape(x.shape)

    def compute_output_spec(self, inputs: Any) -> Any:
        return self.spec(inputs.shape)


class HashedCrossing(Bucketed):
    """Several categories of a sample as one: their crossing, hashed into a few buckets.

    Args:
        num_bins: The number of buckets.
        output_mode: "int" gives the buckets, as in `Hashing`, "one_hot" vectors.
        sparse: Not supported.
        name: Its name.
        dtype: The dtype of the output.

    Shapes:
        Two or more inputs of strings or integers, all `(batch,)` or all `(batch, 1)`, to the same, or to `(batch, num_bins)`.

    Example:

    >>> import keraunos as keras
    >>> keras.ops.convert_to_numpy(keras.layers.HashedCrossing(5)((["A", "B"], [101, 101]))).tolist()
    [1, 4]
    """

    output_mode: Literal["int", "one_hot"] = "int"
    if not TYPE_CHECKING:  # checkers know them from the base
        name: Inherited = None
        dtype: Inherited = None

    def _convert(self, argument: Any) -> Any:
        if not isinstance(argument, (list, tuple)) or len(argument) < 2:
            raise ArgumentTypeError("HashedCrossing is called on two inputs or more.", fix="layer([first, second])")
        return argument if any(isinstance(x, Spec) for x in tree.flatten(argument)) else [on_host(x) for x in argument]

    def call(self, inputs: Any) -> Any:
        self._check_shapes([x.shape for x in inputs])
        found = crossed([hashes(x).ravel() if is_text(x) else whole_numbers(x).ravel().view("uint64") for x in inputs])
        return self.bucketed((found % np.uint64(self.num_bins)).astype("int64").reshape(inputs[0].shape))

    def _check_shapes(self, shapes: list[Any]) -> None:
        if len({len(shape) for shape in shapes}) > 1 or any(len(s) > 2 or (len(s) == 2 and s[1] != 1) for s in shapes) or len({*shapes}) > 1:
            listed = ", ".join(str(tuple(shape)) for shape in shapes)
            raise ShapeError("The inputs of a crossing have one shape.", received=listed, expected="all (batch,) or all (batch, 1)")

    def compute_output_spec(self, inputs: Any) -> Any:
        self._check_shapes([x.shape for x in inputs])
        return self.spec(inputs[0].shape)

    def get_config(self) -> dict[str, Any]:
        return self._config_with(dtype=self._policy.name)
