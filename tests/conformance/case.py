"""What one row of the conformance table is."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any

import numpy as np

FLOATS = ("float32", "float16", "bfloat16", "int32")
NUMBERS = (*FLOATS, "uint8", "int8", "bool")


@dataclasses.dataclass(eq=False)
class Case:
    """One call of an op, and NumPy's answer.

    Args:
        op: The op's name.
        reference: NumPy's function of the arrays and `kwargs`; it is given them in 64 bits.
        shapes: The shapes of the tensors, or arrays where the values matter.
        dtypes: Each is tried for all the tensors that are given by shape.
        kwargs: The static arguments.
        low, high: Between what the values lie; for integers they are whole.
        grad: Whether the gradient is compared with finite differences.
        known: The places (over all tensors, counted through) of dimensions that the op must know.
        listed: Whether the tensors are one list.
        tolerance: How much larger than usual an error may be, for functions that amplify rounding.
        args: Static arguments by position, after the tensors.
        before: Static arguments by position, before the tensors.
        compiles: Whether the result's shape follows from those of the inputs, so that a compiler can know it.
        signless: Whether absolute values are compared, where signs and phases are the engine's choice.
        singular: Whether there may be no finite result: then engines agree in that, and are free to say NaN or infinity.
    """

    op: str
    reference: Callable[..., Any]
    shapes: Any = ((2, 3),)
    dtypes: tuple[str, ...] = ("float32",)
    kwargs: dict[str, Any] = dataclasses.field(default_factory=dict)
    low: float = -2.0
    high: float = 2.0
    grad: bool = True
    known: tuple[int, ...] = ()
    listed: bool = False
    tolerance: float = 1.0
    args: tuple[Any, ...] = ()
    before: tuple[Any, ...] = ()
    signless: bool = False
    singular: bool = False
    compiles: bool = True

    def arrays(self, dtype: str, random: np.random.Generator | None = None) -> list[np.ndarray]:
        """The values, in `dtype` where only a shape is given."""
        import ml_dtypes

        random = random or np.random.default_rng(len(self.op))
        kind = getattr(ml_dtypes, dtype) if dtype == "bfloat16" else np.dtype(dtype)
        made = []
        for shape in self.shapes:
            if isinstance(shape, np.ndarray):
                made.append(shape)
            elif dtype == "bool":
                made.append(random.random(shape) < 0.5)
            elif "int" in dtype:
                low = max(self.low, 0) if dtype.startswith("uint") else self.low
                made.append(random.integers(int(np.ceil(low)), int(self.high) + 1, shape).astype(kind))
            else:
                made.append(random.uniform(self.low, self.high, shape).astype("float32").astype(kind))
        return made

    def call(self, function: Callable[..., Any], tensors: list[Any]) -> Any:
        """`function` of the tensors and the static arguments."""
        tensors = [list(tensors)] if self.listed else tensors
        return function(*self.before, *tensors, *self.args, **self.kwargs)

    def seen(self, out: Any) -> Any:
        """What of a result is compared."""
        return abs(out) if self.signless else out

    def __str__(self) -> str:
        options = ",".join(str(v) for v in (*self.before, *self.args, *self.kwargs.values()))
        shapes = "x".join(str(getattr(s, "shape", s)).replace(" ", "") for s in self.shapes)
        return f"{self.op}-{shapes}{'-' + options if options else ''}"[:80]
