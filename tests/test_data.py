"""What users pass as data, on every engine that trains: all forms of the same data give the same run."""

from __future__ import annotations

import functools
import itertools

import numpy as np
import pytest

import keraunos as keras
from keraunos import layers
from keraunos.data import adapters
from keraunos.utils import pack_x_y_sample_weight, unpack_x_y_sample_weight
from tests.conftest import TRAINING

ENGINES = TRAINING
rng = np.random.default_rng(0)
A, B = rng.normal(size=(21, 3)).astype("float32"), rng.normal(size=(21, 2)).astype("float32")
Y, W = rng.normal(size=(21, 1)).astype("float32"), rng.random(21).astype("float32")
SIZE = 8  # two whole batches and one of five


@pytest.fixture(params=[pytest.param(name, marks=pytest.mark.xdist_group(f"data {name}")) for name in ENGINES])
def engine(request):
    with keras.config.backend_scope(request.param):
        yield request.param


def trained(model, loss, eager):
    """With steps as they are, or compiled; unless it is said, as they are where that takes less time: PyTensor compiles each of them anew."""
    model.compile(keras.optimizers.SGD(0.1), loss, run_eagerly=keras.backend.backend() != "pytensor" if eager is None else eager)
    return model


def one_input(eager=None):
    keras.utils.set_random_seed(0)
    return trained(keras.Sequential([keras.Input((3,)), layers.Dense(1)]), "mse", eager)


def two_inputs(eager=None):
    keras.utils.set_random_seed(0)
    a, b = keras.Input((3,), name="a"), keras.Input((2,), name="b")
    return trained(keras.Model([a, b], layers.Dense(1)(layers.Concatenate()([a, b]))), "mse", eager)


def batches(*arrays):
    for i in range(0, 21, SIZE):
        yield tuple(a[i : i + SIZE] for a in arrays)


class Sequence:
    """Batches by their number, as a `PyDataset` gives them."""

    def __init__(self, *arrays):
        self.batches, self.epochs = list(batches(*arrays)), 0

    def __len__(self):
        return len(self.batches)

    def __getitem__(self, i):
        return self.batches[i]

    def on_epoch_end(self):
        self.epochs += 1


class Loader:
    """Batches from an iterable without a length."""

    def __init__(self, *arrays):
        self.arrays = arrays

    def __iter__(self):
        return batches(*self.arrays)


def torch_loader(*arrays):
    import torch

    return torch.utils.data.DataLoader(torch.utils.data.TensorDataset(*map(torch.from_numpy, arrays)), batch_size=SIZE)


class Frame:
    """Columns with names, as pandas and polars have them."""

    def __init__(self, x):
        self.x, self.columns = x, [f"column {i}" for i in range(x.shape[1])]

    def to_numpy(self):
        return self.x


def endless(*arrays):
    return itertools.chain.from_iterable(batches(*arrays) for _ in itertools.count())


# The arguments of `fit` for the same 21 samples in the same order, in all forms.
SINGLE = {
    "arrays": lambda: {"x": A, "y": Y, "batch_size": SIZE},
    "float64": lambda: {"x": A.astype("float64"), "y": Y.astype("float64"), "batch_size": SIZE},
    "tensors": lambda: {"x": keras.ops.convert_to_tensor(A), "y": keras.ops.convert_to_tensor(Y), "batch_size": SIZE},
    "a list of one": lambda: {"x": [A], "y": [Y], "batch_size": SIZE},
    "data frames": lambda: {"x": Frame(A), "y": Frame(Y), "batch_size": SIZE},
    "targets without an axis": lambda: {"x": A, "y": Y[:, 0], "batch_size": SIZE},
    "a sequence": lambda: {"x": Sequence(A, Y)},
    "an iterable": lambda: {"x": Loader(A, Y)},
    "lists of batches": lambda: {"x": Loader(A, Y), "steps_per_epoch": 3},
    "an endless generator": lambda: {"x": endless(A, Y), "steps_per_epoch": 3},
    "a data loader of PyTorch": lambda: {"x": torch_loader(A, Y)},
}
WEIGHTED = {
    "arrays": lambda: {"x": A, "y": Y, "sample_weight": W, "batch_size": SIZE},
    "a sequence": lambda: {"x": Sequence(A, Y, W)},
    "an endless generator": lambda: {"x": endless(A, Y, W), "steps_per_epoch": 3},
}
SEVERAL = {
    "a list": lambda: {"x": [A, B], "y": Y, "batch_size": SIZE},
    "a tuple": lambda: {"x": (A, B), "y": Y, "batch_size": SIZE},
    "a dict": lambda: {"x": {"b": B, "a": A}, "y": Y, "batch_size": SIZE},
    "a generator of pairs": lambda: {"x": ((x, y) for *x, y in endless(A, B, Y)), "steps_per_epoch": 3},
    "a generator of dicts": lambda: {"x": (({"a": a, "b": b}, y) for a, b, y in endless(A, B, Y)), "steps_per_epoch": 3},
}
FORMS = [(one_input, SINGLE, form) for form in SINGLE] + [(one_input, WEIGHTED, form) for form in WEIGHTED] + [(two_inputs, SEVERAL, form) for form in SEVERAL]


def losses(make, options, **more):
    return make().fit(epochs=2, shuffle=False, verbose=0, **options, **more).history["loss"]


@functools.cache
def reference(engine, make, kind):
    """The losses of the first of the forms, by steps that are not compiled."""
    forms = WEIGHTED if kind == "weighted" else SINGLE if make is one_input else SEVERAL
    return losses(functools.partial(make, eager=True), next(iter(forms.values()))())


@pytest.mark.parametrize("make,forms,form", FORMS, ids=lambda v: v if isinstance(v, str) else "")
def test_all_forms_give_the_same_run(engine, make, forms, form):
    np.testing.assert_allclose(losses(make, forms[form]()), reference(engine, make, "weighted" if forms is WEIGHTED else ""), rtol=1e-5)


@pytest.mark.parametrize("form", ["arrays", "a sequence", "an endless generator"])
def test_compiled_steps_give_the_same_run(engine, form):
    np.testing.assert_allclose(losses(lambda: one_input(eager=False), SINGLE[form]()), reference(engine, one_input, ""), rtol=1e-5)


def test_the_loss_of_an_epoch_is_that_of_its_samples(engine):
    model = one_input()
    model.optimizer.learning_rate = 0.0
    weights, bias = model.get_weights()
    errors = ((A @ weights + bias - Y) ** 2)[:, 0]
    for options, wanted in ((SINGLE["arrays"](), errors.mean()), (SINGLE["a sequence"](), errors.mean())):
        assert model.fit(shuffle=False, verbose=0, **options).history["loss"][0] == pytest.approx(wanted, rel=1e-5)
    assert model.evaluate(A, Y, SIZE, verbose=0) == pytest.approx(errors.mean(), rel=1e-5)


@pytest.mark.parametrize("form", ["arrays", "a sequence", "an iterable", "a data loader of PyTorch"])
def test_partial_batches_in_evaluate_and_predict(engine, form):
    model = one_input()
    whole = model.predict(A, batch_size=21, verbose=0)
    assert model.evaluate(verbose=0, **SINGLE[form]()) == pytest.approx(((whole - Y) ** 2).mean(), rel=1e-5)
    np.testing.assert_allclose(model.predict(verbose=0, **{k: v for k, v in SINGLE[form]().items() if k != "y"}), whole, rtol=1e-5)


def test_the_order_of_samples_is_that_of_the_seed_on_every_engine():
    runs = {}
    for name, seed in itertools.product(ENGINES, (1, 2)):
        with keras.config.backend_scope(name):
            model = one_input(eager=False)
            keras.utils.set_random_seed(seed)
            runs[name, seed] = model.fit(A, Y, batch_size=4, epochs=3, verbose=0).history["loss"]
    for seed in (1, 2):
        np.testing.assert_allclose(runs["jax", seed], runs["torch", seed], rtol=1e-4)
    assert not np.allclose(runs["jax", 1], runs["jax", 2])


def test_each_epoch_has_its_own_order_of_all_samples():
    keras.utils.set_random_seed(3)
    data = adapters.source(np.arange(21), batch_size=SIZE, shuffle=True)
    epochs = [np.concatenate([x for x, _, _ in data.batches(epoch)]).tolist() for epoch in range(3)]
    assert all(sorted(order) == list(range(21)) for order in epochs)
    assert len({tuple(order) for order in [*epochs, range(21)]}) == 4
    assert [len(x) for x, _, _ in data.batches(0)] == [8, 8, 5] and data.steps == 3


# n, the fraction: the number of samples that are left to train on.
SPLITS = {(21, 0.25): 15, (10, 0.2): 8, (10, 0.3): 7, (100, 0.07): 93, (50, 0.28): 36, (3, 1 / 3): 2}


@pytest.mark.parametrize("n,fraction", SPLITS)
def test_validation_split_takes_the_end(n, fraction):
    x = {"a": np.arange(n), "b": [np.arange(n)]}
    (train, _, _), (held, y, weights) = adapters.split((x, np.arange(n), None), fraction)
    at = SPLITS[n, fraction]
    assert train["a"].tolist() == list(range(at)) and held["b"][0].tolist() == list(range(at, n)) == y.tolist() and weights is None


def test_validation_data_in_all_forms(engine):
    found = []
    a = A.copy()  # the training data itself is suspicious
    for validation in ((a, Y), [a, Y], (a, Y, np.ones(21, "float32")), Sequence(A, Y), Loader(A, Y)):
        found.append(losses_of_validation(validation))
    found.append(losses_of_validation(endless(A, Y), validation_steps=3))
    for other in found[1:]:
        np.testing.assert_allclose(other, found[0], rtol=1e-5)
    split = one_input().fit(A, Y, batch_size=SIZE, epochs=2, validation_split=0.25, verbose=0, shuffle=False).history
    apart = one_input().fit(A[:15], Y[:15], batch_size=SIZE, epochs=2, validation_data=(A[15:], Y[15:]), verbose=0, shuffle=False).history
    for name, values in split.items():
        np.testing.assert_allclose(values, apart[name], rtol=1e-5)


def losses_of_validation(data, **options):
    history = one_input().fit(A, Y, batch_size=SIZE, epochs=2, shuffle=False, verbose=0, validation_data=data, validation_batch_size=None, **options)
    return history.history["val_loss"]


def classifier(loss="sparse_categorical_crossentropy", eager=None):
    keras.utils.set_random_seed(0)
    return trained(keras.Sequential([keras.Input((3,)), layers.Dense(3, activation="softmax")]), loss, eager)


LABELS = np.arange(21) % 3


@functools.cache
def weighted_by_class(engine, weighted):
    """The losses where each sample has its class's weight, by steps that are not compiled."""
    given = np.array([0.5, 1.0, 2.0], "float32")[LABELS] * (W if weighted else 1)
    return losses(functools.partial(classifier, eager=True), {"x": A, "y": LABELS, "sample_weight": given, "batch_size": SIZE})


@pytest.mark.parametrize("form", ["integers", "a column", "one-hot", "a sequence", "with sample weights"])
def test_class_weights(engine, form):
    options = {
        "integers": {"x": A, "y": LABELS, "batch_size": SIZE},
        "a column": {"x": A, "y": LABELS[:, None], "batch_size": SIZE},
        "one-hot": {"x": A, "y": np.eye(3, dtype="float32")[LABELS], "batch_size": SIZE},
        "a sequence": {"x": Sequence(A, LABELS)},
        "with sample weights": {"x": A, "y": LABELS, "sample_weight": W, "batch_size": SIZE},
    }[form]
    make = functools.partial(classifier, "categorical_crossentropy" if form == "one-hot" else "sparse_categorical_crossentropy")
    found = losses(make, options, class_weight={0: 0.5, 1: 1.0, 2: 2.0})
    np.testing.assert_allclose(found, weighted_by_class(engine, form == "with sample weights"), rtol=1e-5)


def test_class_weights_of_sequences_of_labels():
    y = np.array([[0, 1], [2, 0]])
    found = adapters.class_weights(np.eye(3)[y], {0: 0.5, 1: 1.0, 2: 2.0})
    np.testing.assert_array_equal(found, [[0.5, 1.0], [2.0, 0.5]])


def test_streams_say_what_they_know(engine):
    data = Sequence(A, Y)
    one_input().fit(data, epochs=3, verbose=0)
    assert data.epochs == 3
    assert adapters.source(data).steps == 3 and adapters.source(Loader(A, Y)).steps is None
    stream = adapters.source(Loader(A, Y))
    first = stream.head
    np.testing.assert_array_equal(first[0], A[:SIZE])
    assert [len(list(stream.batches(epoch))) for epoch in range(2)] == [3, 3] and stream.steps == 3
    endless_stream = adapters.source(endless(A, Y), steps=2)
    assert [[len(x) for x, _, _ in endless_stream.batches(epoch)] for epoch in range(3)] == [[8, 8], [5, 8], [8, 5]]


def test_steps_of_an_epoch(engine):
    history = one_input().fit(A, Y, batch_size=SIZE, steps_per_epoch=2, epochs=2, shuffle=False, verbose=0).history["loss"]
    first_and_on = np.roll(np.arange(len(A)), -16)[:16]  # the second epoch goes on where the first one ended
    model = one_input()
    expected = [model.fit(A[rows], Y[rows], batch_size=SIZE, shuffle=False, verbose=0).history["loss"][0] for rows in (slice(0, 16), first_and_on)]
    np.testing.assert_allclose(history, expected, rtol=1e-5)
    assert one_input().predict(endless(A), steps=2, verbose=0).shape == (16, 1)
    assert one_input().fit(Sequence(A, Y), steps_per_epoch=1, epochs=2, verbose=0).params["steps"] == 1


@pytest.mark.parametrize("parts", [("x",), ("x", "y"), ("x", "y", "w")])
def test_parts_of_batches(parts):
    assert unpack_x_y_sample_weight(parts) == unpack_x_y_sample_weight(list(parts)) == (*parts, *[None] * (3 - len(parts)))
    assert unpack_x_y_sample_weight(pack_x_y_sample_weight(*parts)) == unpack_x_y_sample_weight(parts)


def test_mixed_kinds_of_arrays(engine):
    """Integers keep their dtype; floats get that of `floatx`."""
    ids, x = np.arange(21, dtype="int64"), A.astype("float64")
    data = adapters.source({"ids": ids, "x": x}, Y.astype("float16"))
    first, y, weights = data.head
    assert (first["ids"].dtype, first["x"].dtype, y.dtype, weights) == ("int64", "float32", "float32", None)


def fit(*args, **options):
    return lambda: one_input().fit(*args, **{"verbose": 0, **options})


MISTAKES = {
    "no data": (fit(None), ["x is None"]),
    "a number": (fit(5), ["a int", "no batches"]),
    "no samples": (fit(A[:0], Y[:0]), ["0 samples"]),
    "unequal lengths": (fit(A, Y[:20]), ["x: 21", "y: 20"]),
    "unequal lengths in a list": (lambda: two_inputs().fit([A, B[:4]], Y, verbose=0), ["x[0]: 21", "x[1]: 4", "y: 21"]),
    "unequal lengths in a dict": (lambda: two_inputs().fit({"a": A[:5], "b": B}, Y, verbose=0), ["x['a']: 5", "x['b']: 21"]),
    "unequal lengths in nested structures": (lambda: adapters.source({"a": [A, {"b": B[:2]}]}), ["x['a'][0]: 21", "x['a'][1]['b']: 2"]),
    "a scalar": (fit(A, np.float32(1)), ["y is a single number"]),
    "a list of numbers": (fit(A.tolist(), Y), ["list of 21", "np.asarray(x)"]),
    "text": (fit(A, np.array(["a"] * 21)), ["y holds text"]),
    "objects": (fit(A, np.array([{}] * 21)), ["y holds Python objects"]),
    "a symbolic tensor": (lambda: one_input().fit(keras.Input((3,)), Y, verbose=0), ["symbolic"]),
    "a batch size of 0": (fit(A, Y, batch_size=0), ["batch_size=0"]),
    "a batch size of 2.5": (fit(A, Y, batch_size=2.5), ["batch_size=2.5"]),
    "too many steps": (fit(A, Y, batch_size=8, steps_per_epoch=4), ["at most 3"]),
    "no steps": (fit(A, Y, steps_per_epoch=0), ["number of steps", "Received: 0"]),
    "half a step of a generator": (fit(endless(A, Y), steps_per_epoch=1.5), ["number of steps", "1.5"]),
    "steps of validation below 0": (fit(A, Y, validation_data=(A.copy(), Y), validation_steps=-1), ["validation_steps", "-1"]),
    "steps of predictions in words": (lambda: one_input().predict(A, steps="2", verbose=0), ["number of steps", "'2'"]),
    "y beside a generator": (fit(endless(A, Y), Y), ["y goes with arrays", "yield (x, y)"]),
    "weights beside a generator": (fit(endless(A, Y), sample_weight=W), ["sample_weight goes with arrays"]),
    "a batch size beside a generator": (fit(Sequence(A, Y), batch_size=8), ["batch_size goes with arrays", "Sequence"]),
    "four parts": (fit(Loader(A, Y, W, W)), ["got 4 parts", "yield (x, y)"]),
    "an empty generator": (fit(iter([])), ["no batch"]),
    "a generator that ends": (lambda: one_input().fit(batches(A, Y), steps_per_epoch=5, verbose=0), ["after 3 of 5"]),
    "a generator that is used up": (lambda: one_input().fit(batches(A, Y), epochs=2, verbose=0), ["gone through once", "needed 2 times", "steps_per_epoch"]),
    "a split of a generator": (fit(endless(A, Y), validation_split=0.2), ["validation_data="]),
    "a split of 1": (fit(A, Y, validation_split=1.0), ["validation_split=1.0"]),
    "a split that leaves nothing": (fit(A[:2], Y[:2], validation_split=0.9), ["leaves one part empty"]),
    "a split and data": (fit(A, Y, validation_split=0.5, validation_data=(A, Y)), ["not both"]),
    "a class without a weight": (lambda: classifier().fit(A, np.arange(21) % 3, class_weight={0: 1.0}, verbose=0), ["[1, 2]", "add 1: 1.0"]),
}


@pytest.mark.parametrize("mistake", MISTAKES)
def test_the_message_teaches(mistake):
    program, words = MISTAKES[mistake]
    with keras.config.backend_scope("torch"), pytest.raises(ValueError) as caught:
        program()
    assert isinstance(caught.value, keras.core.errors.KeraunosError)
    assert all(word in str(caught.value) for word in words), str(caught.value)


@pytest.mark.parametrize("name,shapes,classes", [("digits", [(1433, 8, 8), (364, 8, 8)], 10), ("iris", [(120, 4), (30, 4)], 3)])
def test_bundled_sets(name, shapes, classes):
    parts = getattr(keras.datasets, name).load_data()
    assert [x.shape for x, _ in parts] == shapes and all(set(y) == set(range(classes)) for _, y in parts)
    with pytest.raises(AttributeError):
        keras.datasets.cifar99  # noqa: B018


def test_small_helpers_on_every_engine(backend):
    x, classes = np.array([[3.0, 4.0], [0.0, 0.0]]), np.array([0, 2])
    for given in (x, keras.ops.convert_to_tensor(x), x.tolist()):
        np.testing.assert_allclose(np.asarray(keras.ops.convert_to_numpy(keras.utils.normalize(given))), [[0.6, 0.8], [0.0, 0.0]], rtol=1e-6)
    for given in (classes, keras.ops.convert_to_tensor(classes), classes.tolist()):
        assert np.asarray(keras.ops.convert_to_numpy(keras.utils.to_categorical(given))).tolist() == [[1, 0, 0], [0, 0, 1]]
