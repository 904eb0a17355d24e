"""What EinsumDense refuses."""

from __future__ import annotations

from typing import Any

import pytest

from keraunos import layers, ops
from keraunos.core.errors import ArgumentError, ShapeError

REFUSED: list[tuple[str, Any, str | None, str]] = [
    ("ab, bc -> ac", 4, None, "cannot be read"),
    ("a...b,bc->a...c", 4, None, "cannot be read"),
    ("...b,bc->bc", 4, None, "cannot be read"),
    ("ab,bzc->ac", 4, None, "'z' of the kernel"),
    ("ab,bc->acz", (4, 5), None, "'z' of the output"),
    ("ab,bc->ac", 4, "z", "'z' of the bias"),
    ("ab,bc->ac", 4, "", "names no axis"),
    ("ab,bc->ac", None, None, "positive integers"),
    ("ab,bc->ac", (4, 0), None, "positive integers"),
    ("abc,cd->abd", 4, None, "2 sizes, for 'bd'"),
    ("...c,cd->...d", (None, 4), None, "1 sizes, for 'd'"),
    ("abc,cd->abd", (None, None), None, "'d' of the output has no size"),
]


@pytest.mark.parametrize(("equation", "output_shape", "bias_axes", "message"), REFUSED)
def test_what_has_no_meaning(equation: str, output_shape: Any, bias_axes: str | None, message: str) -> None:
    with pytest.raises(ArgumentError, match=message):
        layers.EinsumDense(equation, output_shape, bias_axes=bias_axes).build((2, 5, 3))


def test_inputs_that_do_not_fit(backend: Any) -> None:
    with pytest.raises(ShapeError, match="'b' of 'abc,cd->abd' has 5 elements, 6 in output_shape"):
        layers.EinsumDense("abc,cd->abd", (6, 4))(ops.ones((2, 5, 3)))
    for rank in (1, 2, 4):
        with pytest.raises(ShapeError, match=f"input of {rank} axes"):
            layers.EinsumDense("abc,cd->abd", (None, 4))(ops.ones((3,) * rank))
    layer = layers.EinsumDense("...c,cd->...d", 4)
    layer(ops.ones((2, 5, 3)))
    with pytest.raises(ShapeError, match="has 4 channels"):
        layer(ops.ones((2, 5, 4)))
