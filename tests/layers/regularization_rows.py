"""Examples of the layers of `layers/regularization.py` and `layers/spatial_dropout.py`."""

from __future__ import annotations

from hypothesis import strategies as st

from tests.layers.row import Row

ROWS = [
    Row("Dropout", (20, 20), rate=0.4, seed=1, random=True),
    Row("Dropout", (20, 4, 20), rate=0.4, noise_shape=(None, 1, 20), seed=1, random=True),
    Row("Dropout", (20, 20), rate=0.0),
    Row("AlphaDropout", (20, 20), rate=0.4, seed=1, random=True),
    Row("AlphaDropout", (20, 4, 20), rate=0.4, noise_shape=[None, 1, None], seed=1, random=True),
    Row("GaussianDropout", (20, 20), rate=0.4, seed=1, random=True),
    Row("GaussianDropout", (20, 20), rate=0.0),
    Row("GaussianNoise", (20, 20), stddev=0.3, seed=1, random=True),
    Row("SpatialDropout1D", (9, 3, 8), rate=0.4, seed=1, random=True),
    Row("SpatialDropout2D", (9, 2, 3, 8), rate=0.4, seed=1, random=True),
    Row("SpatialDropout2D", (9, 8, 2, 3), rate=0.4, data_format="channels_first", random=True),
    Row("SpatialDropout3D", (9, 2, 1, 3, 8), rate=0.4, random=True),
    Row("SpatialDropout3D", (9, 8, 2, 1, 3), rate=0.4, data_format="channels_first", seed=1, random=True),
    Row("ActivityRegularization", (3, 4), l1=0.1, l2=0.2),
    Row("ActivityRegularization", (3, 2, 4), l2=0.2),
]


def _noisy(name: str, *shapes: tuple[int, ...], argument: str = "rate", **options: list[object]) -> st.SearchStrategy[Row]:
    """Rows of a layer of noise: in training by chance, so what is compared is inference, and that 0 changes nothing."""

    def row(shape: tuple[int, ...], strength: float, seed: int | None, **chosen: object) -> Row:
        return Row(name, shape, random=strength > 0, seed=seed, **{argument: strength}, **chosen)

    chosen = {key: st.sampled_from(values) for key, values in options.items()}
    return st.builds(row, st.sampled_from(shapes), st.floats(0, 0.9), st.none() | st.integers(0, 9), **chosen)


_FORMATS: list[object] = [None, "channels_last", "channels_first"]
DRAWN = {
    "Dropout": _noisy("Dropout", (3, 4), (2, 3, 4), noise_shape=[None, (1, 4)]),
    "AlphaDropout": _noisy("AlphaDropout", (3, 4), (2, 3, 4), noise_shape=[None, (1, 4)]),
    "GaussianDropout": _noisy("GaussianDropout", (3, 4), (2, 3, 4)),
    "GaussianNoise": _noisy("GaussianNoise", (3, 4), (2, 3, 4), argument="stddev"),
    "SpatialDropout1D": _noisy("SpatialDropout1D", (2, 3, 4)),
    "SpatialDropout2D": _noisy("SpatialDropout2D", (2, 3, 4, 3), data_format=_FORMATS),
    "SpatialDropout3D": _noisy("SpatialDropout3D", (2, 3, 1, 4, 3), data_format=_FORMATS),
    "ActivityRegularization": st.builds(lambda l1, l2: Row("ActivityRegularization", (3, 4), l1=l1, l2=l2), st.floats(0, 2), st.floats(0, 2)),
}
