"""Examples of the layers of `layers/normalization.py`, `layers/group_normalization.py` and `layers/unit_normalization.py`."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st

from tests.layers.row import Row

_CLIPPING = {"rmin": 0.7, "rmax": 1.5, "dmax": 0.3}
ROWS = [
    Row("BatchNormalization", (6, 4), momentum=0.8),
    Row("BatchNormalization", (3, 4, 5, 2), axis=1, scale=False, epsilon=1e-2),
    Row("BatchNormalization", (3, 5, 2), center=False, mask=True),
    Row("BatchNormalization", (3, 5, 2), trainable=False),
    Row("BatchNormalization", (6, 4), renorm=True, momentum=0.8, renorm_momentum=0.5),
    Row("BatchNormalization", (3, 5, 2), renorm=True, renorm_clipping=_CLIPPING, moving_variance_initializer="ones", mask=True),
    Row("LayerNormalization", (2, 5, 4)),
    Row("LayerNormalization", (2, 5, 4), axis=[1, 2], center=False, epsilon=1e-2),
    Row("LayerNormalization", (2, 5, 4), axis=[-1, 1]),
    Row("GroupNormalization", (2, 5, 6), groups=3),
    Row("GroupNormalization", (2, 6, 4, 3), groups=2, axis=1, center=False, epsilon=1e-2),
    Row("GroupNormalization", (2, 5, 4), groups=-1, scale=False),
    Row("RMSNormalization", (2, 5, 4)),
    Row("RMSNormalization", (2, 5, 4), axis=[1, 2], epsilon=1e-2),
    Row("UnitNormalization", (2, 5, 4)),
    Row("UnitNormalization", (2, 5, 4), axis=[1, 2]),
    Row("UnitNormalization", (2, 5, 4), axis=1),
]


@st.composite
def _batch(draw: st.DrawFn) -> Row:
    shape = draw(st.sampled_from([(5, 3), (3, 4, 2), (2, 3, 2, 2)]))
    options: dict[str, Any] = {"axis": draw(st.sampled_from([-1, 1])), "center": draw(st.booleans()), "scale": draw(st.booleans())}
    options |= {"momentum": draw(st.sampled_from([0.0, 0.5, 0.99])), "epsilon": draw(st.sampled_from([1e-3, 0.1]))}
    if draw(st.booleans()):
        options |= {"renorm": True, "renorm_momentum": draw(st.sampled_from([0.5, 0.9]))}
        options |= {"renorm_clipping": draw(st.none() | st.fixed_dictionaries({}, optional={k: st.just(v) for k, v in _CLIPPING.items()}))}
    return Row("BatchNormalization", shape, mask=len(shape) == 3 and draw(st.booleans()), **options)


@st.composite
def _standardized(draw: st.DrawFn, name: str, axes: list[Any], **choices: list[Any]) -> Row:
    options = {key: draw(st.sampled_from(values)) for key, values in choices.items()}
    return Row(name, (2, 4, 3, 6), axis=draw(st.sampled_from(axes)), epsilon=draw(st.sampled_from([1e-3, 0.1])), **options)


_FLAGS: dict[str, list[Any]] = {"center": [True, False], "scale": [True, False]}
DRAWN = {
    "BatchNormalization": _batch(),
    "LayerNormalization": _standardized("LayerNormalization", [-1, 2, [2, 3], [1, 2, 3], (-1, 1)], **_FLAGS),
    "GroupNormalization": _standardized("GroupNormalization", [-1, 3, -3], groups=[1, 2, -1], **_FLAGS),
    "RMSNormalization": _standardized("RMSNormalization", [-1, 3, [2, 3], (1, 2, 3)]),
    "UnitNormalization": st.builds(lambda axis: Row("UnitNormalization", (2, 4, 3), axis=axis), st.sampled_from([-1, 1, 2, [1, 2], (-1, -2)])),
}
