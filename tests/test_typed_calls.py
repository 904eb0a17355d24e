"""How users write layers, by position too: it runs, and `make check` has a type checker read it."""

from __future__ import annotations

from typing import Any

from keraunos import layers as L


def written() -> list[Any]:
    """One layer of each kind, as programs have them."""
    return [
        L.Dense(3, "relu"), L.Dense(3, activation="relu", use_bias=False, name="x"), L.EinsumDense("ab,bc->ac", 3), L.Embedding(10, 4, mask_zero=True),
        L.Conv1D(4, 3), L.Conv2D(4, 3, 2, "same", activation="relu"), L.Conv3D(4, (1, 2, 3)), L.Conv2DTranspose(4, 3, 2, "same"),
        L.DepthwiseConv2D(3, 1, "same"), L.SeparableConv2D(4, 3), L.MaxPooling2D(2), L.MaxPooling2D((2, 2), 2, "same"), L.AveragePooling1D(2),
        L.GlobalAveragePooling2D(), L.AdaptiveMaxPooling2D(2), L.UpSampling2D(2), L.ZeroPadding2D(1), L.Cropping1D((1, 0)), L.Resizing(8, 8),
        L.Dropout(0.5), L.SpatialDropout1D(0.1), L.GaussianNoise(0.1), L.BatchNormalization(-1, 0.9), L.LayerNormalization(), L.GroupNormalization(2),
        L.LSTM(4, return_sequences=True), L.GRU(4, "tanh"), L.RNN([L.LSTMCell(3), L.GRUCell(3)]), L.Bidirectional(L.SimpleRNN(3)),
        L.TimeDistributed(L.Dense(2)), L.ConvLSTM2D(2, 3), L.Attention(), L.MultiHeadAttention(2, 4), L.GroupQueryAttention(4, 4, 2),
        L.Reshape((2, -1)), L.Permute((2, 1)), L.RepeatVector(3), L.Flatten(), L.Activation("relu"), L.Softmax(-1), L.PReLU(),
        L.Concatenate(), L.Concatenate(1), L.Dot(1), L.Add(), L.Rescaling(1 / 255), L.Normalization(-1), L.Discretization([0.0, 1.0]),
        L.CategoryEncoding(4), L.Hashing(8), L.StringLookup(100), L.IntegerLookup(vocabulary=[1]), L.TextVectorization(100),
        L.Masking(0.0), L.Lambda(abs), L.SpectralNormalization(L.Dense(2)),
    ]  # fmt: skip


def test_layers_are_made_as_written() -> None:
    assert all(isinstance(layer, L.Layer) for layer in written())
