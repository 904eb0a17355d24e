"""What is given as data."""

from __future__ import annotations

from typing import Any

import numpy as np

from tests.feedback.case import IMAGES, T, X, Y, classifier, fit, over, raises, regressor, stream, subclassed, two_inputs, two_outputs, warns


def _spoilt(a: Any, value: float) -> Any:
    a = a.copy()
    a[3, 2 % a.shape[1]] = value
    return a


@raises(ValueError, "x[3, 2]", "nan", "1 of 32")
def NaN_in_x(keras: Any) -> None:
    fit(classifier(keras), _spoilt(X, np.nan))


@raises(ValueError, "x[3, 2]", "inf", "1 of 32")
def infinity_in_x_of_a_subclassed_model(keras: Any) -> None:
    fit(subclassed(keras), _spoilt(X, np.inf))


@raises(ValueError, "y[3, 0]", "nan")
def NaN_in_the_targets(keras: Any) -> None:
    fit(regressor(keras), X, _spoilt(T, np.nan))


@raises(ValueError, "validation_data", "x[3, 2]", "nan")
def NaN_in_the_validation_data(keras: Any) -> None:
    fit(classifier(keras), validation_data=(_spoilt(X, np.nan), Y))


@raises(ValueError, "sample_weight[3]", "nan")
def NaN_in_the_sample_weights(keras: Any) -> None:
    weights = np.ones(64)
    weights[3] = np.nan
    fit(classifier(keras), sample_weight=weights)


@raises(ValueError, "x[1, 0]", "nan")
def NaN_in_a_batch_of_a_generator(keras: Any) -> None:
    bad = X[:4].copy()
    bad[1, 0] = np.nan
    fit(classifier(keras), stream((bad, Y[:4])), None)


@raises(ValueError, "0 samples")
def empty_x(keras: Any) -> None:
    fit(classifier(keras), X[:0], Y[:0])


@raises(ValueError, "0 samples")
def predicting_nothing(keras: Any) -> None:
    classifier(keras).predict(X[:0], verbose=0)


@raises(ValueError, "list", "np.asarray(x)")
def lists_of_lists(keras: Any) -> None:
    fit(classifier(keras), X.tolist())


@raises(ValueError, "list", "np.asarray(y)")
def a_list_of_labels(keras: Any) -> None:
    fit(classifier(keras), X, Y.tolist())


@raises(ValueError, "pad_sequences")
def lists_of_unequal_lengths(keras: Any) -> None:
    fit(classifier(keras), [[1, 2, 3], [4, 5], [6]], Y[:3])


@raises(ValueError, "x", "object", "pad_sequences")
def an_array_of_unequal_rows(keras: Any) -> None:
    fit(classifier(keras), np.array([np.ones(3), np.ones(2)], dtype=object), Y[:2])


@raises(ValueError, "x", "object", "astype")
def an_array_of_objects(keras: Any) -> None:
    fit(classifier(keras), X.astype(object).tolist() and np.array([[1, None]] * 64, dtype=object))


@raises(ValueError, "x", "text", "StringLookup")
def strings_as_x(keras: Any) -> None:
    fit(classifier(keras), np.array([["a"]] * 64))


@raises(ValueError, "y", "text", "StringLookup")
def strings_as_labels(keras: Any) -> None:
    fit(classifier(keras), X, np.array(["cat", "dog"] * 32))


@raises(ValueError, "x", "datetime64", "astype")
def dates_as_x(keras: Any) -> None:
    fit(classifier(keras), np.zeros((64, 8), "datetime64[D]"))


@raises(ValueError, "x: 64", "y: 60")
def x_and_y_of_unequal_lengths(keras: Any) -> None:
    fit(classifier(keras), X, Y[:60])


@raises(ValueError, "sample_weight: 3", "x: 64")
def sample_weights_of_another_length(keras: Any) -> None:
    fit(classifier(keras), sample_weight=np.ones(3))


@raises(ValueError, "x['left']: 64", "x['right']: 60")
def two_inputs_of_unequal_lengths(keras: Any) -> None:
    fit(two_inputs(keras), {"left": X, "right": X[:60]}, T)


@raises(ValueError, "y is None", "fit(x, y)")
def targets_that_are_missing(keras: Any) -> None:
    classifier(keras).fit(X, verbose=0)


@raises(ValueError, "y is None", "fit(x, y)", "tuple")
def x_and_y_in_one_tuple(keras: Any) -> None:
    regressor(keras).fit((X, T), verbose=0)


@raises(ValueError, "y is None", "evaluate(x, y)")
def evaluating_without_targets(keras: Any) -> None:
    classifier(keras).evaluate(X, verbose=0)


@raises(ValueError, "validation_data=(x, y)")
def validation_data_without_targets(keras: Any) -> None:
    fit(classifier(keras), validation_data=X)


@raises(ValueError, "yield (x, y)")
def a_generator_of_x_alone(keras: Any) -> None:
    def batches() -> Any:
        while True:
            yield X

    classifier(keras).fit(batches(), steps_per_epoch=1, verbose=0)


@raises(ValueError, "4 parts", "yield (x, y)")
def a_generator_of_four_parts(keras: Any) -> None:
    classifier(keras).fit(stream((X, Y, Y, Y)), verbose=0)


@raises(ValueError, "function", "batches()")
def a_generator_that_is_not_called(keras: Any) -> None:
    def batches() -> Any:
        yield X, Y

    classifier(keras).fit(batches, verbose=0)


@raises(ValueError, "generator", "steps_per_epoch", trains=True)
def a_generator_for_two_epochs(keras: Any) -> None:
    classifier(keras).fit(((X, Y) for _ in range(2)), epochs=2, verbose=0)


@raises(ValueError, "no batch", "generator")
def a_generator_that_gives_nothing(keras: Any) -> None:
    classifier(keras).fit(stream(), verbose=0)


@raises(ValueError, "y", "yield (x, y)")
def targets_beside_a_generator(keras: Any) -> None:
    fit(classifier(keras), stream((X, Y)), Y)


@raises(ValueError, "batch_size")
def a_batch_size_for_a_generator(keras: Any) -> None:
    fit(classifier(keras), stream((X, Y)), None, batch_size=8)


@raises(ValueError, "validation_split", "validation_data")
def a_validation_split_of_a_generator(keras: Any) -> None:
    fit(classifier(keras), stream((X, Y)), None, validation_split=0.2)


@raises(ValueError, "validation_split", "2.0")
def a_validation_split_of_two(keras: Any) -> None:
    fit(classifier(keras), validation_split=2.0)


@raises(ValueError, "validation_split", "1 samples", "empty")
def a_validation_split_that_leaves_nothing(keras: Any) -> None:
    fit(classifier(keras), X[:1], Y[:1], validation_split=0.1)


@warns("validation_split", "class 2", "shuffle")
def a_validation_split_of_sorted_labels(keras: Any) -> None:
    fit(classifier(keras), X, np.sort(Y), validation_split=0.2)


@warns("validation_data", "same", "x")
def validating_on_the_training_data(keras: Any) -> None:
    fit(classifier(keras), validation_data=(X, Y))


@raises(ValueError, "'right'", "'wright'")
def a_misspelt_key_of_the_data(keras: Any) -> None:
    fit(two_inputs(keras), {"left": X, "wright": X}, T)


@raises(ValueError, "2", "left", "right")
def one_array_for_two_inputs(keras: Any) -> None:
    fit(two_inputs(keras), X, T)


@raises(ValueError, "2", "3", "left, right")
def three_arrays_for_two_inputs(keras: Any) -> None:
    two_inputs(keras).predict([X, X, X], verbose=0)


@raises(ValueError, "'right'", "left")
def a_key_of_the_data_that_is_missing(keras: Any) -> None:
    two_inputs(keras).predict({"left": X}, verbose=0)


@raises(ValueError, "y needs 2 arrays", "a, b")
def one_target_for_two_outputs(keras: Any) -> None:
    fit(two_outputs(keras), X, T)


@raises(ValueError, "'c'", "'a'", "'b'")
def a_wrong_key_of_the_targets(keras: Any) -> None:
    fit(two_outputs(keras), X, {"a": T, "c": T})


@raises(ValueError, "y", "one output", "2")
def two_targets_for_one_output(keras: Any) -> None:
    fit(regressor(keras), X, [T, T])


@raises(ValueError, "batch_size", "0")
def a_batch_size_of_zero(keras: Any) -> None:
    fit(classifier(keras), batch_size=0)


@raises(ValueError, "steps_per_epoch=9", "64 samples", "at most 2")
def more_steps_than_batches(keras: Any) -> None:
    fit(classifier(keras), steps_per_epoch=9)


@raises(ValueError, "[2]", "class_weight")
def a_class_without_a_weight(keras: Any) -> None:
    fit(classifier(keras), class_weight={0: 1.0, 1: 1.0})


@raises(ValueError, "class_weight", "list", "{0:")
def class_weights_as_a_list(keras: Any) -> None:
    fit(classifier(keras), class_weight=[1.0, 1.0, 2.0])


@raises(ValueError, "class_weight", "one output", "sample_weight")
def class_weights_for_two_outputs(keras: Any) -> None:
    fit(two_outputs(keras), X, [T, T], class_weight={0: 1.0})


@raises(ValueError, "class_weight", "continuous", "sample_weight")
def class_weights_for_continuous_targets(keras: Any) -> None:
    fit(regressor(keras), X, T, class_weight={0: 1.0, 1: 2.0, -1: 1.0, 2: 1.0, -2: 1.0})


@warns("255", "Rescaling(1/255)")
def raw_images(keras: Any) -> None:
    images = (IMAGES * 255).astype("uint8")
    images[0, 0, 0] = 255
    fit(over(keras, (8, 8, 1), keras.layers.Conv2D(1, 3), keras.layers.GlobalAveragePooling2D()), images, T[:32])


@warns("255", "Rescaling(1/255)")
def raw_images_into_a_dense_layer(keras: Any) -> None:
    images = np.floor(IMAGES * 255.99).astype("float32")
    fit(over(keras, (8, 8, 1), keras.layers.Flatten(), keras.layers.Dense(1)), images, T[:32])


@warns("y", "e+06", "mean 0")
def targets_that_are_huge(keras: Any) -> None:
    fit(regressor(keras), X, T * 3e5 + 1e6)


@raises(ValueError, "channels_last", "moveaxis")
def images_with_channels_first(keras: Any) -> None:
    model = over(keras, (8, 8, 3), keras.layers.Conv2D(1, 3), keras.layers.GlobalAveragePooling2D())
    fit(model, np.zeros((4, 3, 8, 8), "float32"), T[:4])


@raises(ValueError, "x[None]")
def one_sample_for_a_batch(keras: Any) -> None:
    classifier(keras).predict(X[0], verbose=0)


@raises(ValueError, "x[None]")
def one_image_for_a_batch(keras: Any) -> None:
    over(keras, (8, 8, 1), keras.layers.Conv2D(1, 3)).predict(IMAGES[0], verbose=0)


@raises(ValueError, "single number")
def a_number_for_x(keras: Any) -> None:
    classifier(keras).predict(np.float32(3.0), verbose=0)


@raises(ValueError, "x is None")
def None_for_x(keras: Any) -> None:
    fit(classifier(keras), None, None)


@raises(ValueError, "symbolic", "keras.Model")
def a_symbolic_tensor_for_x(keras: Any) -> None:
    classifier(keras).predict(keras.Input((8,)), verbose=0)


@raises(ValueError, "x contains 120", "'embedding'", "Embedding(121")
def an_index_beyond_the_embedding(keras: Any) -> None:
    model = over(keras, (5,), keras.layers.Embedding(100, 2), keras.layers.Flatten(), keras.layers.Dense(1), dtype="int32")
    fit(model, np.full((64, 5), 120, "int32"), T)


@raises(ValueError, "x contains -1", "'embedding'")
def a_negative_index_into_an_embedding(keras: Any) -> None:
    model = over(keras, (5,), keras.layers.Embedding(100, 2), keras.layers.Flatten(), keras.layers.Dense(1))
    model.predict(np.full((4, 5), -1, "int32"), verbose=0)


@raises(ValueError, "x contains 0.5", "'embedding'", "whole numbers")
def fractions_as_indices(keras: Any) -> None:
    model = over(keras, (5,), keras.layers.Embedding(100, 2), keras.layers.Flatten(), keras.layers.Dense(1))
    fit(model, np.full((64, 5), 0.5, "float32"), T)


@raises(ValueError, "TensorDataset", "DataLoader")
def samples_of_torch_for_batches(keras: Any) -> None:
    import torch

    classifier(keras).fit(torch.utils.data.TensorDataset(torch.tensor(X), torch.tensor(Y)), verbose=0)
