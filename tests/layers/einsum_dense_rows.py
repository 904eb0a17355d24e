"""Examples of the layer of `layers/einsum_dense.py`."""

from __future__ import annotations

from hypothesis import strategies as st

from tests.layers.row import Row

ROWS = [
    Row("EinsumDense", (2, 3), equation="ab,bc->ac", output_shape=4),
    Row("EinsumDense", (2, 5, 3), equation="abc,cde->abde", output_shape=(None, 2, 4), bias_axes="d", activation="tanh"),
    Row("EinsumDense", (2, 5, 3), equation="...x,xy->...y", output_shape=4, bias_axes="y", kernel_regularizer="l2"),
    Row("EinsumDense", (2, 3, 5, 2), equation="ab...,bc->ac...", output_shape=(4, None, None), bias_axes="c", fixed=True),
    Row("EinsumDense", (2, 5, 3, 4), equation="abcd,cde->abe", output_shape=(5, 6), bias_axes="be", fixed=True),
]


@st.composite
def _drawn(draw: st.DrawFn) -> Row:
    equation, shape, output, axes = draw(
        st.sampled_from(
            [
                ("abc,cd->abd", (2, 4, 3), (4, 5), "bd"), ("abc,cbd->abd", (2, 4, 3), (4, 5), "bd"), ("...bc,cd->...db", (1, 2, 4, 3), (5, 4), "db"),
                ("abc,cde->adbe", (2, 4, 3), (2, 4, 3), "dbe"), ("ab...,bc->ac...", (2, 3, 4), 5, "c"), ("abc,bd->adc", (2, 4, 3), (5, 3), "dc"),
            ]
        )
    )  # fmt: skip
    chosen = draw(st.lists(st.sampled_from(axes), unique=True))
    activation = draw(st.sampled_from([None, "sigmoid", "softplus"]))
    return Row("EinsumDense", shape, equation=equation, output_shape=output, bias_axes="".join(chosen) or None, activation=activation)


DRAWN = {"EinsumDense": _drawn()}
