"""Recurrent layers beyond the contract: states from batch to batch, masks, cells of any class, kernels of engines, and what is refused."""

from __future__ import annotations

import os
from typing import Any

import numpy as np
import pytest

import keraunos
from keraunos import layers, ops
from keraunos.core.config import backend_scope
from keraunos.core.errors import ArgumentError, BackendError, ShapeError
from keraunos.core.masks import get_mask
from tests.conftest import BACKENDS
from tests.layers.row import close, flat

os.environ.setdefault("KERAS_BACKEND", "jax")
keras = pytest.importorskip("keras")

RNG = np.random.default_rng(7)
X = RNG.normal(size=(3, 4, 2)).astype("float32")
MASK = np.array([[1, 1, 0, 0], [0, 1, 0, 1], [0, 0, 0, 0]], bool)  # padded, with gaps, and nothing at all
PADDED = np.array([[1, 1, 0, 0], [1, 1, 1, 1], [0, 0, 0, 0]], bool)
CELLS = ["SimpleRNN", "LSTM", "GRU"]


def alike(make: Any, shape: Any = X.shape, call: Any = lambda layer: layer(X)) -> None:
    """Ours, on every engine, and Keras's layer give the same, by `call` of the layer."""
    theirs = make(keras.layers)
    theirs.build(shape)
    weights = [RNG.normal(size=w.shape).astype("float32") / 2 for w in theirs.weights]
    theirs.set_weights(weights)
    expected = flat(call(theirs))
    for engine in BACKENDS:
        with backend_scope(engine):
            ours = make(layers)
            ours.build(shape)
            ours.set_weights(weights)
            close(flat(call(ours)), expected, 2e-5)


# ---- states ----
@pytest.mark.parametrize("name", CELLS)
def test_stateful_layers_go_on_where_they_were(name: str) -> None:
    def call(layer: Any) -> Any:
        first, second = layer(X), layer(X)
        kept = [np.asarray(ops.convert_to_numpy(state.value)) for state in layer.states]
        layer.reset_state()
        return [first, second, layer(X), *kept]

    alike(lambda module: getattr(module, name)(3, stateful=True), call=call)


def test_states_are_neither_weights_nor_trained(backend: Any) -> None:
    model = keraunos.Sequential([keraunos.Input((4, 2), batch_size=3), layers.LSTM(3, stateful=True), layers.Dense(1)])
    model.compile("sgd", "mse")
    layer = model.layers[0]
    assert len(layer.weights) == 3 and not layer.non_trainable_weights
    if backend.name == "numpy":
        model.predict(X, batch_size=3, verbose=0)
    else:
        model.fit(X, np.zeros((3, 1)), batch_size=3, verbose=0, shuffle=False)
    state = layer.states[0].numpy()
    assert np.abs(state).max() > 0
    model.predict(X, batch_size=3, verbose=0)
    assert np.abs(layer.states[0].numpy() - state).max() > 0
    copy = model.to_backend("numpy")
    close(copy.layers[0].states[0].numpy(), layer.states[0].numpy())
    layer.reset_states()
    assert not layer.states[0].numpy().any()


def test_states_of_both_directions() -> None:
    def call(layer: Any) -> Any:
        layer(X)
        kept = [np.asarray(ops.convert_to_numpy(state.value)) for state in layer.states]
        layer.reset_state()
        return [layer(X), *kept]

    alike(lambda module: module.Bidirectional(module.GRU(3, stateful=True)), call=call)
    states = [RNG.normal(size=(3, 2)).astype("float32") for _ in range(4)]
    alike(lambda module: module.Bidirectional(module.LSTM(2, return_state=True)), call=lambda layer: layer(X, initial_state=states))


def test_states_passed_on_in_a_model(backend: Any) -> None:
    source, target = keraunos.Input((None, 2)), keraunos.Input((None, 2))
    _, *state = layers.LSTM(3, return_state=True)(source)
    model = keraunos.Model([source, target], layers.LSTM(3, return_sequences=True)(target, initial_state=state))
    assert model.predict([X, X[:, :2]], verbose=0).shape == (3, 2, 3)


# ---- masks ----
@pytest.mark.parametrize("options", [{}, {"return_sequences": True}, {"return_sequences": True, "zero_output_for_mask": True}, {"zero_output_for_mask": True}])
@pytest.mark.parametrize("name", CELLS)
def test_masks_of_every_form(name: str, options: Any) -> None:
    states = [RNG.normal(size=(3, 3)).astype("float32") for _ in range(2 if name == "LSTM" else 1)]

    def call(layer: Any) -> Any:
        return [layer(X, initial_state=states, mask=mask) for mask in (MASK, PADDED, MASK | True)]

    alike(lambda module: getattr(module, name)(3, return_state=True, **options), call=call)
    alike(lambda module: getattr(module, name)(3, go_backwards=True, **options), call=lambda layer: layer(X, mask=MASK))


def test_masks_go_through(backend: Any) -> None:
    tokens = keraunos.Input((4,), dtype="int32")
    embedded = layers.Embedding(5, 2, mask_zero=True)(tokens)
    assert get_mask(layers.LSTM(3)(embedded)) is None
    sequences = layers.Bidirectional(layers.LSTM(3, return_sequences=True))(embedded)
    assert get_mask(sequences).shape == (None, 4)
    outputs, *states = layers.GRU(3, return_sequences=True, return_state=True)(embedded)
    assert get_mask(outputs) is not None and get_mask(states[0]) is None
    assert get_mask(layers.TimeDistributed(layers.Dense(2))(embedded)) is not None
    free = keraunos.Input((None,), dtype="int32")
    x = layers.Bidirectional(layers.LSTM(3, return_sequences=True))(layers.Embedding(5, 2, mask_zero=True)(free))
    model = keraunos.Model(free, layers.GRU(3)(x))
    padded, more = np.array([[1, 2, 0, 0]]), np.array([[1, 2, 0, 0, 0, 0]])
    close(model.predict(padded, verbose=0), model.predict(more, verbose=0))


def test_masked_cells_of_any_output(backend: Any) -> None:
    """The output before the first step is 0 where it is not the first state."""
    layer = layers.RNN(Counting(), return_sequences=True)
    assert ops.convert_to_numpy(layer(X, mask=MASK))[..., 0].tolist() == [[1, 2, 2, 2], [0, 1, 1, 2], [0, 0, 0, 0]]
    zeroed = layers.RNN(Counting(), return_sequences=True, zero_output_for_mask=True)
    assert ops.convert_to_numpy(zeroed(X, mask=MASK))[..., 0].tolist() == [[1, 2, 0, 0], [0, 1, 0, 2], [0, 0, 0, 0]]
    last = layers.RNN(Counting(), zero_output_for_mask=True)
    assert ops.convert_to_numpy(last(X, mask=MASK))[:, 0].tolist() == [0, 2, 0]


@pytest.mark.parametrize("name", CELLS)
def test_masks_in_other_forms(name: str, backend: Any) -> None:
    layer = getattr(layers, name)(3)
    expected = flat(layer(X, mask=MASK))
    for mask in (MASK.tolist(), MASK.astype("int32"), MASK.astype("float32"), [MASK, None]):
        close(flat(layer(X, mask=mask)), expected, 0)


@pytest.mark.parametrize("options", [{}, {"return_sequences": True}])
def test_masks_in_both_directions(options: Any) -> None:
    """What is said of masked outputs is the wrapper's choice."""
    for zero in (False, True):
        alike(lambda module, zero=zero: module.Bidirectional(module.GRU(3, zero_output_for_mask=zero, **options)), call=lambda layer: layer(X, mask=MASK))


# ---- the loop ----
@pytest.mark.parametrize("options", [{}, {"return_sequences": True}])
def test_a_loop_of_users(options: Any, backend: Any) -> None:
    """A subclass may change `inner_loop`: it is given the sequences as they are, and its results are returned."""

    def doubled(base: Any) -> Any:
        class Doubled(base):
            def inner_loop(self, sequences: Any, initial_state: Any, mask: Any, training: Any = False) -> Any:
                close(flat(sequences), [X])
                last, outputs, states = super().inner_loop(sequences, initial_state, mask, training)
                if self.return_sequences:
                    close(flat(outputs[:, -1]), flat(last), 0)
                return 2 * last, 2 * outputs, states

        return Doubled

    for mask in (None, MASK):
        for base, argument in ((layers.GRU, 3), (layers.RNN, layers.GRUCell(3))):
            more = {**options, "go_backwards": True, "zero_output_for_mask": True, "return_state": True}
            plain, changed = base(argument, **more), doubled(base)(argument, **more)
            plain.build(X.shape)
            changed.build(X.shape)
            changed.set_weights(plain.get_weights())
            (y, *states), (twice, *same) = flat(plain(X, mask=mask)), flat(changed(X, mask=mask))
            close(twice, 2 * y)
            close(same, states)


def test_a_loop_of_users_in_a_model(backend: Any) -> None:
    class Attending(layers.LSTM):
        def inner_loop(self, sequences: Any, initial_state: Any, mask: Any, training: Any = False) -> Any:
            return super().inner_loop(sequences + ops.mean(sequences, 1, keepdims=True), initial_state, mask, training)

    model = keraunos.Sequential([keraunos.Input((None, 2)), Attending(3)])
    plain = layers.LSTM(3)
    plain.build(X.shape)
    plain.set_weights(model.get_weights())
    close(model.predict(X, verbose=0), flat(plain(X + X.mean(1, keepdims=True)))[0])


# ---- cells of any class ----
class Counting(layers.Layer):
    """Gives how many steps there were, twice."""

    state_size, output_size = 1, 2

    def call(self, inputs: Any, states: Any) -> Any:
        count = states[0] + 1
        return ops.concatenate([count, count], -1), [count]


class Plain:
    """No layer, and with states in a dict."""

    state_size, output_size = 1, 1

    def get_initial_state(self, batch_size: Any) -> Any:
        return {"sum": ops.zeros((batch_size, 1)), "last": (ops.zeros((batch_size, 2)),)}

    def call(self, inputs: Any, states: Any) -> Any:
        total = states["sum"] + inputs[:, :1]
        return total, {"sum": total, "last": (inputs,)}


class Nested(layers.Layer):
    """With states in lists within a list, which begin as one tensor."""

    state_size, output_size = [[3, 3], 3], 3

    def get_initial_state(self, batch_size: Any = None) -> Any:
        zeros = ops.zeros((batch_size, 3))
        return [[zeros, zeros], zeros]

    def call(self, inputs: Any, states: Any) -> Any:
        (a, b), c = states
        h = ops.tanh(inputs + a - b * c)
        return h, [[h, a], b]


class Residual(layers.Layer):
    """A cell around another."""

    def __init__(self, cell: Any, **kwargs: Any):
        super().__init__(**kwargs)
        self.cell, self.state_size = cell, cell.state_size

    def build(self, input_shape: Any) -> None:
        self.cell.build(input_shape)

    def call(self, inputs: Any, states: Any, training: Any = False) -> Any:
        output, states = self.cell(inputs, states, training=training)
        return output + inputs, states


def test_cells_of_any_class(backend: Any) -> None:
    outputs, states = layers.RNN(Plain(), return_state=True, return_sequences=True)(X)
    close(flat(outputs)[0][..., 0], np.cumsum(X[..., 0], 1))
    close(flat(states["last"]), [X[:, -1]])
    assert layers.RNN([Counting(), layers.GRUCell(3)])(X).shape == (3, 3)
    model = keraunos.Sequential([keraunos.Input((None, 2)), layers.RNN(Residual(layers.GRUCell(2)), return_sequences=True)])
    assert model.predict(X, verbose=0).shape == X.shape


@pytest.mark.parametrize("stateful", [False, True])
def test_nested_states_in_compiled_models(stateful: bool, backend: Any) -> None:
    layer = layers.RNN([Plain(), Nested()], stateful=stateful)
    model = keraunos.Sequential([keraunos.Input((4, 2), batch_size=3), layer, layers.Dense(1)])
    model.compile("sgd", "mse")
    expected = model.predict(X, batch_size=3, verbose=0)
    for _ in range(2):
        model.reset_states()
        close(model.predict(X, batch_size=3, verbose=0), expected)
    if backend.name != "numpy":
        model.fit(X, np.zeros((3, 1)), batch_size=3, shuffle=False, verbose=0, epochs=2)
    assert [tuple(x.shape) for x in keraunos.tree.flatten(layer.states or ())] == ([(3, 2), (3, 1)] + [(3, 3)] * 3) * stateful


def test_dropout_is_the_same_in_all_steps(backend: Any) -> None:
    """Of ones through a kernel of ones, without a state that counts: whoever is dropped is so in each step."""
    ones = np.ones((2, 5, 4), "float32")
    options = {"kernel_initializer": "identity", "recurrent_initializer": "zeros", "activation": "linear", "dropout": 0.5, "seed": 3}
    for layer in (layers.SimpleRNN(4, return_sequences=True, **options), layers.RNN(Residual(layers.SimpleRNNCell(4, **options)), return_sequences=True)):
        y = ops.convert_to_numpy(layer(ones, training=True))
        assert (y == y[:, :1]).all() and len(np.unique(y)) == 2
        again = ops.convert_to_numpy(layer(ones, training=True))
        assert (again != y).any()
        assert len(np.unique(ops.convert_to_numpy(layer(ones)))) == 1


# ---- wrappers ----
def test_time_distributed_of_layers_that_keep_track() -> None:
    def call(layer: Any) -> Any:
        return [layer(X, training=True), *[w.value for w in layer.weights]]

    alike(lambda module: module.TimeDistributed(module.BatchNormalization(momentum=0.5)), call=call)


def test_time_distributed_models_and_masks(backend: Any) -> None:
    seen = []

    class Masked(layers.Layer):
        supports_masking = True

        def call(self, inputs: Any, mask: Any = None) -> Any:
            seen.append(None if mask is None else tuple(mask.shape))
            return inputs

    layers.TimeDistributed(Masked())(X, mask=MASK)
    assert seen == [(12,)]
    inner = keraunos.Sequential([keraunos.Input((2,)), layers.Dense(3), layers.Dense(1)])
    frames = keraunos.Input((None, None, 2))
    model = keraunos.Model(frames, layers.TimeDistributed(layers.TimeDistributed(inner))(frames))
    assert model.output_shape == (None, None, None, 1)
    assert model.predict(X[:, None], verbose=0).shape == (3, 1, 4, 1)
    outputs = layers.TimeDistributed(layers.LSTM(2, return_state=True))(X[..., None])
    assert [tuple(y.shape) for y in outputs] == [(3, 4, 2)] * 3


def test_weights_that_bidirectional_layers_begin_with(backend: Any) -> None:
    first = layers.Bidirectional(layers.GRU(2))
    y = flat(first(X))
    close(flat(layers.Bidirectional(layers.GRU(2), weights=first.get_weights())(X)), y, 0)


# ---- kernels of engines ----
def test_only_a_fused_kernel(backend: Any) -> None:
    layer = layers.LSTM(3, use_cudnn=True)
    if backend.name == "torch":
        y, composed = flat(layer(X)), layers.LSTM(3, use_cudnn=False)
        composed.build(X.shape)
        composed.set_weights(layer.get_weights())
        close(flat(composed(X)), y)
    else:
        with pytest.raises(BackendError, match="no fused kernel"):
            layer(X)
    with pytest.raises(BackendError, match="use_cudnn='auto'"):
        layers.GRU(3, use_cudnn=True, reset_after=False)(X)
    assert layers.LSTM(3, use_cudnn=True, activation="relu").compute_output_shape((None, 4, 2)) == (None, 3)


@pytest.mark.parametrize("name", CELLS)
def test_batches_of_nothing(name: str, backend: Any) -> None:
    layer = getattr(layers, name)(3, return_sequences=True)
    assert layer(X[:0]).shape == (0, 4, 3)
    assert layer(X[:, :0]).shape == (3, 0, 3)
    assert not np.any(ops.convert_to_numpy(getattr(layers, name)(3)(X[:, :0])))


# ---- what is refused ----
def test_sequences_are_needed() -> None:
    with pytest.raises(ShapeError, match="set return_sequences=True on 'first'"):
        keraunos.Sequential([keraunos.Input((4, 2)), layers.LSTM(3, name="first"), layers.GRU(3)])
    inputs = keraunos.Input((4, 2))
    with pytest.raises(ShapeError, match="set return_sequences=True on 'both'"):
        layers.Bidirectional(layers.LSTM(3))(layers.Bidirectional(layers.LSTM(3), name="both")(inputs))
    with pytest.raises(ShapeError, match="no axis of steps"):
        layers.LSTM(3)(X[:, 0])
    with pytest.raises(ShapeError, match="at least 3 axes"):
        layers.TimeDistributed(layers.Dense(3))(X[:, 0])
    with pytest.raises(ShapeError, match="several outputs"):
        keraunos.Sequential([keraunos.Input((4, 2)), layers.LSTM(3, return_state=True), layers.Dense(1)])
    layer = layers.LSTM(3)
    layer(X)
    with pytest.raises(ShapeError, match="2 channels|built for 2"):
        layer(X[..., :1])


def test_states_must_fit() -> None:
    h = np.zeros((3, 3), "float32")
    with pytest.raises(ArgumentError, match=r"2 states, 1 were given"):
        layers.LSTM(3)(X, initial_state=[h])
    with pytest.raises(ShapeError, match="another shape"):
        layers.GRU(3)(X, initial_state=h[:, :2])
    with pytest.raises(ArgumentError, match="both directions, 3"):
        layers.Bidirectional(layers.GRU(3))(X, initial_state=[h, h, h])
    with pytest.raises(ShapeError, match=r"Input\(batch_size=…\)"):
        layers.LSTM(3, stateful=True)(keraunos.Input((4, 2)))
    layer = layers.LSTM(3, stateful=True)
    layer(X)
    with pytest.raises(ShapeError, match="keeps its batch size"):
        layer(X[:2])
    with pytest.raises(ShapeError, match="one value for each step"):
        layers.LSTM(3)(X, mask=MASK[:, :2])
    with pytest.raises(ShapeError, match="one value for each step"):
        layers.LSTM(3)(X, mask=MASK[..., None])
    with pytest.raises(ShapeError, match="number of steps must be known"):
        layers.GRU(3, unroll=True)(keraunos.Input((None, 2)))


def test_arguments_that_do_not_fit() -> None:
    for cell in (3, layers.Dense(2), layers.LSTMCell, []):
        with pytest.raises(ArgumentError, match=r"state_size|at least one cell"):
            layers.RNN(cell)
    with pytest.raises(ArgumentError, match="two directions"):
        layers.Bidirectional(layers.LSTM(3), backward_layer=layers.LSTM(3))
    with pytest.raises(ArgumentError, match="agree"):
        layers.Bidirectional(layers.LSTM(3), backward_layer=layers.LSTM(3, go_backwards=True, return_sequences=True))
    with pytest.raises(ArgumentError, match="Bidirectional runs recurrent layers"):
        layers.Bidirectional(layers.Dense(3))
    with pytest.raises(ArgumentError, match="merge_mode cannot be 'add'"):
        layers.Bidirectional(layers.LSTM(3), merge_mode="add")
    with pytest.raises(ArgumentError, match="use_cudnn"):
        layers.LSTM(3, use_cudnn="yes")
    with pytest.raises(ArgumentError, match="dropout must be a number from 0 to 1"):
        layers.LSTM(3, dropout=1.5)
    with pytest.raises(ArgumentError, match="do not go together"):
        layers.ConvLSTM2D(2, 2, strides=2, dilation_rate=2)
    with pytest.raises(ShapeError, match="sizes of the states must be known"):
        layers.ConvLSTM2D(2, 2)(keraunos.Input((3, None, None, 1)))
    assert layers.LSTM.from_config({"units": 3, "time_major": False, "implementation": 2}).units == 3


def test_cells_that_do_not_keep_their_word() -> None:
    def cell(size: Any, call: Any, **attributes: Any) -> Any:
        return layers.RNN(type("Wrong", (layers.Layer,), {"state_size": size, "call": lambda self, inputs, states: call(inputs, states), **attributes})())

    with pytest.raises(ArgumentError, match="as many states as it is given: 1 for 2"):
        cell([3, 3], lambda x, states: (states[0], states[:1]))(X)
    with pytest.raises(ArgumentError, match="an output and the next states"):
        cell(3, lambda x, states: states[0])(X)
    with pytest.raises(ShapeError, match="the shapes of those before"):
        cell(3, lambda x, states: (x, [x]))(X)
    with pytest.raises(ShapeError, match="give the cell an output_size"):
        cell(3, lambda x, states: (x, states))(X)
    assert cell(3, lambda x, states: (x, states), output_size=2)(X).shape == (3, 2)
    for name in ("SimpleRNNCell", "GRUCell", "LSTMCell"):
        with pytest.raises(ArgumentError, match=r"cell.get_initial_state\(batch_size\)"):
            getattr(layers, name)(3)(X[:, 0], [X[:, 0]] * 3)


def test_classes_that_a_config_names() -> None:
    class Mine(layers.GRUCell):
        pass

    for layer in (layers.RNN(Mine(3)), layers.StackedRNNCells([Mine(3)])):
        again = type(layer).from_config(layer.get_config(), custom_objects={"Mine": Mine})
        assert "Mine" in str(again.get_config())


def test_kinds() -> None:
    """As in Keras, every recurrent layer is an RNN, with the arguments of its cell."""
    layer = layers.LSTM(3, activation="relu", zero_output_for_mask=True)
    assert isinstance(layer, layers.RNN) and isinstance(layer.cell, layers.LSTMCell)
    assert layer.state_size == [3, 3] and layer.cell.activation is layer.activation
    assert layers.ConvLSTM1D(2, 3).kernel_size == (3,)


def test_classes_of_users() -> None:
    class Small(layers.LSTM):
        def __init__(self, factor: int, **kwargs: Any):
            super().__init__(2 * factor, return_sequences=True, **kwargs)

    again = Small.from_config(Small(2, name="x").get_config())
    assert again.units == 4 and again.name == "x"
    assert layers.Bidirectional(again)(X).shape == (3, 4, 8)
