"""Low-rank adaptation: a weight that stays as it is, and a small trained product that is added to it.

Beside the layers: these read their kernel as ever, and find a variable or what stands in its place.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from keraunos import ops
from keraunos.core.config import active
from keraunos.core.errors import ArgumentError, StateError
from keraunos.core.fields import Field
from keraunos.core.scope import within
from keraunos.core.variable import Derived, Variable
from keraunos.layers.layer import Layer

_FIELDS = (Field("lora_rank", "Size | None", None), Field("lora_alpha", "Positive | None", None))


class LowRank(Derived):
    """`base + scale · a @ b`, of which `a` and `b` are trained ([Hu et al., 2021](https://arxiv.org/abs/2106.09685)).

    Files hold the sum in the place of the base, as Keras does, and `a` and `b` beside it, so that training goes on where it was.

    Args:
        base: The variable in whose place it stands; of shape `(…, n)`.
        a: Of shape `(…, rank)`.
        b: Of shape `(rank, n)`.
        scale: What the product is multiplied by.
    """

    def __init__(self, base: Variable, a: Variable, b: Variable, scale: float):
        super().__init__(base, a, b)
        self.scale, self.name = scale, "lora"

    def _product(self) -> Any:
        base, a, b = self.parts
        return ops.cast(ops.multiply(ops.matmul(a, b), self.scale), base.spec().dtype)

    @property
    def value(self) -> Any:
        """The sum, in the dtype in which the base is read."""
        if active() is not self.backend:
            with within(backend=self.backend):
                return self.value
        return ops.add(self.parts[0].value, self._product())

    def assign(self, value: Any) -> None:
        """Give the base a new value; the adaptation begins anew."""
        base, _, b = self.parts
        base.assign(value)
        b.assign(ops.zeros(b.shape))

    def save_own_variables(self, store: Any) -> None:
        """Write `a` and `b`."""
        store["a"], store["b"] = (v.numpy() for v in self.parts[1:])

    def load_own_variables(self, store: Any) -> None:
        """Read `a` and `b`, as parts of the sum that is there; those of another rank stay in it."""
        if all(store[v.name[-1]].shape == v.shape for v in self.parts[1:]):
            with within(backend=self.backend):
                total = self.value
                for v in self.parts[1:]:
                    v.assign(store[v.name[-1]])
                self.parts[0].assign(ops.subtract(total, self._product()))


class Adaptable(Layer, kw_only=True):
    """The base of layers of which a weight can be adapted by a product of low rank.

    `lora_rank` and `lora_alpha` are arguments of all of them: what `enable_lora` is called with once the layer is built.
    """

    adapted: ClassVar[str] = "kernel"  # the attribute that holds the weight
    base_arguments: ClassVar[tuple[str, ...]] = (*Layer.base_arguments, "lora_rank", "lora_alpha")
    if not TYPE_CHECKING:  # to checkers they would stand before a layer's own arguments
        lora_rank = lora_alpha = None

    def start(self, **kwargs: Any) -> None:
        for field in _FIELDS:
            if field.name in kwargs:
                self.__dict__[field.name] = field.value(type(self).__name__, kwargs.pop(field.name))
        super().start(**kwargs)

    def _built(self) -> None:
        super()._built()
        rank, alpha = (self.__dict__.get(field.name) for field in _FIELDS)
        if rank is not None and not self.lora_enabled:
            self.enable_lora(rank, alpha)

    @property
    def lora_enabled(self) -> bool:
        """Whether the weight is adapted."""
        return isinstance(getattr(self, self.adapted, None), LowRank)

    @property
    def adaptable(self) -> bool:
        """Whether its weight is one that a product of low rank can be added to."""
        return getattr(getattr(self, self.adapted, None), "ndim", 0) >= 2

    def check_adaptable(self) -> None:
        """Raise unless `enable_lora` can be called.

        Raises:
            StateError: The layer is not built, or adapted already.
            ArgumentError: Its weight is constrained, or no matrix.
        """
        if not self.built:
            fix = "begin the model with keras.Input(shape), or call layer.build((None, …)) first"
            raise StateError("Only a layer that is built can be adapted: it has no weights yet.", where=self.name, fix=fix)
        if self.lora_enabled:
            raise StateError("The layer is adapted already.", where=self.name, fix="call merge_lora() first")
        if getattr(self, f"{self.adapted}_constraint", None) is not None:
            fact = f"A constraint holds for the {self.adapted}, not for what low-rank adaptation adds to it."
            raise ArgumentError(fact, where=self.name, fix=f"leave {self.adapted}_constraint out")
        if not self.adaptable:
            fact = f"{type(self).__name__} has no {self.adapted} that is a matrix, to which low-rank adaptation could add."
            received = getattr(getattr(self, self.adapted, None), "shape", None)
            raise ArgumentError(fact, where=self.name, received=received, fix="adapt layers that have one, such as Dense, EinsumDense and Embedding")

    def enable_lora(self, rank: int, lora_alpha: float | None = None, a_initializer: Any = "he_uniform", b_initializer: Any = "zeros") -> None:
        """Train a product of low rank in place of the weight, which is added to it and stays as it is.

        `kernel + lora_alpha / rank · a @ b`, with `a` of shape `(…, rank)` and `b` of shape `(rank, n)`: [Hu et al., 2021](https://arxiv.org/abs/2106.09685).
        A model that was trained before must be compiled anew: its optimizer knows nothing of `a` and `b`.

        Args:
            rank: The rank of the product.
            lora_alpha: What the product is multiplied by, times the rank; the rank by default.
            a_initializer: How `a` begins.
            b_initializer: How `b` begins; by zeros, nothing changes at first.

        Raises:
            StateError: The layer is not built, or adapted already.
            ArgumentError: The rank is no positive integer, or the weight is constrained.

        Example:

        >>> import keraunos as keras
        >>> layer = keras.layers.Dense(8)
        >>> layer.build((None, 16)); layer.enable_lora(rank=2)
        >>> [v.name for v in layer.trainable_weights]
        ['bias', 'lora_kernel_a', 'lora_kernel_b']
        """
        self.check_adaptable()
        owner, name, base = type(self).__name__, self.adapted, getattr(self, self.adapted)
        rank, alpha = (field.value(owner, value) for field, value in zip(_FIELDS, (rank, lora_alpha), strict=True))
        if rank is None:
            raise ArgumentError(f"{owner}: the rank must be a positive integer.", where=self.name, fix="layer.enable_lora(rank=4)")
        alpha = rank if alpha is None else alpha
        dtype = "float64" if base.dtype == "float64" else "float32"
        sizes, starts = ((*base.shape[:-1], rank), (rank, base.shape[-1])), (a_initializer, b_initializer)
        with within(backend=self._backend):
            self._locked = False
            try:
                a, b = (
                    self.add_weight(shape, start, dtype, regularizer=base.regularizer, name=f"lora_{name}_{letter}")
                    for letter, shape, start in zip("ab", sizes, starts, strict=True)
                )
            finally:
                self._locked = True
        base.frozen, base.trainable = True, False
        Variable.flipped = object()  # programs that read the weight alone are made anew
        self.__dict__.update({"lora_rank": rank, "lora_alpha": alpha, a.name: a, b.name: b, name: LowRank(base, a, b, alpha / rank)})

    def merge_lora(self) -> None:
        """Add the product to the weight, which is then trained as before; nothing else of the adaptation stays.

        Raises:
            StateError: The layer is not adapted.

        Example:

        >>> import keraunos as keras
        >>> layer = keras.layers.Dense(8, lora_rank=2)
        >>> layer.build((None, 16)); layer.merge_lora()
        >>> [v.name for v in layer.trainable_weights]
        ['kernel', 'bias']
        """
        if not self.lora_enabled:
            raise StateError("The layer is not adapted.", where=self.name, fix="layer.enable_lora(rank=4)")
        adapted = getattr(self, self.adapted)
        base, a, b = adapted.parts
        base.assign(adapted.numpy())
        base.frozen, base.trainable = False, self.trainable and base.initially_trainable
        Variable.flipped = object()
        for v in (a, b):
            delattr(self, v.name)
        self.__dict__.update({"lora_rank": None, "lora_alpha": None, self.adapted: base})

    def get_config(self) -> dict[str, Any]:
        found = super().get_config()
        if self.is_captured():
            return found
        rank, alpha = (found.pop(field.name, getattr(self, field.name)) for field in _FIELDS)
        return found if rank is None else {**found, "lora_rank": rank, "lora_alpha": rank if alpha is None else alpha}
