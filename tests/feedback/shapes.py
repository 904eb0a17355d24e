"""Shapes that do not fit a layer."""

from __future__ import annotations

from typing import Any

import numpy as np

from tests.feedback.case import IMAGES, T, X, classifier, fit, over, raises, subclassed


@raises(ValueError, "7 features", "'out'", "8")
def a_wrong_number_of_features(keras: Any) -> None:
    classifier(keras).predict(X[:, :7], verbose=0)


@raises(ValueError, "7 features", "'out'", "8")
def fitting_a_wrong_number_of_features(keras: Any) -> None:
    fit(classifier(keras), X[:, :7])


@raises(ValueError, "7 features", "'hidden'", "8")
def a_wrong_number_of_features_for_a_subclassed_model(keras: Any) -> None:
    model = subclassed(keras)
    model.predict(X, verbose=0)
    model.predict(X[:, :7], verbose=0)


@raises(ValueError, "7", "'first'", "encoder", "8")
def a_wrong_number_of_features_in_an_inner_model(keras: Any) -> None:
    inner = keras.Sequential([keras.layers.Dense(4, name="first")], name="encoder")
    inner.build((None, 8))
    inner(X[:, :7])


@raises(ValueError, "channels", "Input((28, 28, 1))")
def images_without_channels(keras: Any) -> None:
    keras.layers.Conv2D(3, 3)(keras.Input((28, 28)))


@raises(ValueError, "(batch, steps", "lstm", "return_sequences")
def a_vector_for_an_LSTM(keras: Any) -> None:
    keras.layers.LSTM(3)(keras.Input((8,)))


@raises(ValueError, "(batch, steps, channels)", "conv1d")
def a_vector_for_a_convolution_over_time(keras: Any) -> None:
    keras.layers.Conv1D(3, 3)(keras.Input((8,)))


@raises(ValueError, "return_sequences=True", "'first'")
def two_LSTMs_without_return_sequences(keras: Any) -> None:
    over(keras, (6, 4), keras.layers.LSTM(3, name="first"), keras.layers.LSTM(3, name="second"))


@raises(ValueError, "query", "(batch, places, features)", "return_sequences=True")
def attention_over_one_state(keras: Any) -> None:
    x = keras.layers.GRU(3, name="gru")(keras.Input((6, 4)))
    keras.layers.MultiHeadAttention(2, 2)(x, x)


@raises(ValueError, "max_pooling2d", "(batch, height, width, channels)")
def pooling_a_vector(keras: Any) -> None:
    keras.layers.MaxPooling2D()(keras.Input((8,)))


@raises(ValueError, "global_average_pooling2d", "(batch, height, width, channels)")
def pooling_what_is_flat(keras: Any) -> None:
    keras.layers.GlobalAveragePooling2D()(keras.layers.Flatten()(keras.Input((8, 8, 1))))


@raises(ValueError, "conv2d", "'same'", "5", "4")
def a_kernel_larger_than_the_image(keras: Any) -> None:
    keras.layers.Conv2D(3, 5)(keras.Input((4, 4, 1)))


@raises(ValueError, "max_pooling2d", "'same'")
def pooling_once_too_often(keras: Any) -> None:
    over(keras, (3, 3, 1), keras.layers.MaxPooling2D(name="first"), keras.layers.MaxPooling2D(name="max_pooling2d"))


@raises(ValueError, "axis 1", "'a'", "'b'", "3", "2")
def concatenating_unequal_shapes(keras: Any) -> None:
    keras.layers.Concatenate()([keras.Input((3, 4), name="a"), keras.Input((2, 4), name="b")])


@raises(ValueError, "axis 1", "3", "4", "'a'", "'b'")
def adding_unequal_shapes(keras: Any) -> None:
    keras.layers.Add()([keras.Input((3,), name="a"), keras.Input((4,), name="b")])


@raises(ValueError, "list", "add")
def adding_one_tensor(keras: Any) -> None:
    keras.layers.Add()(keras.Input((3,)))


@raises(ValueError, "Concatenate()([a, b])")
def concatenating_without_a_list(keras: Any) -> None:
    keras.layers.Concatenate()(keras.Input((3,)), keras.Input((3,)))


@raises(ValueError, "reshape", "16", "(3, 5)")
def reshaping_into_another_size(keras: Any) -> None:
    keras.layers.Reshape((3, 5))(keras.Input((4, 4)))


@raises(ValueError, "permute", "1", "2")
def permuting_the_batch(keras: Any) -> None:
    keras.layers.Permute((0, 1))(keras.Input((4, 4)))


@raises(ValueError, "repeat_vector", "(batch, features)")
def repeating_a_matrix(keras: Any) -> None:
    keras.layers.RepeatVector(3)(keras.Input((4, 4)))


@raises(ValueError, "'kernel'", "dense", "Input")
def a_dense_layer_of_unknown_width(keras: Any) -> None:
    keras.layers.Dense(3)(keras.Input((None,)))


@raises(ValueError, "'kernel'", "GlobalAveragePooling1D")
def a_dense_layer_over_a_flattened_series(keras: Any) -> None:
    over(keras, (None, 4), keras.layers.Flatten(), keras.layers.Dense(3))


@raises(ValueError, "batch_normalization", "axis", "5")
def normalizing_an_axis_that_is_not_there(keras: Any) -> None:
    keras.layers.BatchNormalization(axis=5)(keras.Input((4,)))


@raises(ValueError, "groups", "3", "4")
def groups_that_do_not_divide_the_channels(keras: Any) -> None:
    keras.layers.Conv2D(4, 3, groups=3)(keras.Input((8, 8, 4)))


@raises(ValueError, "(64, 8)", "(8,)", "without the batch")
def an_input_of_the_shape_of_all_data(keras: Any) -> None:
    model = over(keras, (64, 8), keras.layers.Dense(1))
    fit(model, X, T)


@raises(ValueError, "8", "axis", "matmul")
def a_product_of_matrices_that_do_not_fit(keras: Any) -> None:
    keras.ops.matmul(keras.ops.ones((2, 8)), keras.ops.ones((7, 2)))


@raises(ValueError, "(2, 3)", "(2, 4)", "add")
def a_sum_of_shapes_that_do_not_fit(keras: Any) -> None:
    keras.ops.add(keras.ops.ones((2, 3)), keras.ops.ones((2, 4)))


@raises(ValueError, "reshape", "6", "(4,)")
def an_op_that_reshapes_into_another_size(keras: Any) -> None:
    keras.ops.reshape(keras.ops.ones((2, 3)), (4,))


@raises(ValueError, "dot", "axis 1", "3", "4")
def a_dot_of_unequal_axes(keras: Any) -> None:
    keras.layers.Dot(axes=1, name="dot")([keras.Input((3,)), keras.Input((4,))])


@raises(ValueError, "4 axes", "(batch, steps, channels)", "Reshape")
def a_convolution_into_a_recurrent_layer(keras: Any) -> None:
    over(keras, (8, 8, 1), keras.layers.Conv2D(2, 3), keras.layers.LSTM(2, name="embedding"))


@raises(ValueError, "1 arrays", "2 weights", "get_weights()")
def too_few_weights(keras: Any) -> None:
    model = classifier(keras)
    model.set_weights(model.get_weights()[:1])


@raises(ValueError, "(8, 3)", "(3, 8)", "out/kernel")
def weights_the_wrong_way_round(keras: Any) -> None:
    model = classifier(keras)
    kernel, bias = model.get_weights()
    model.set_weights([kernel.T, bias])


@raises(ValueError, "initial state", "2", "3")
def an_initial_state_of_another_size(keras: Any) -> None:
    keras.layers.GRU(3)(keras.Input((6, 4)), initial_state=keras.Input((2,)))


@raises(ValueError, "8, 8, 1", "8, 8, 3", "channels")
def images_of_one_channel_for_a_model_of_three(keras: Any) -> None:
    over(keras, (8, 8, 3), keras.layers.Conv2D(1, 3, name="conv2d")).predict(np.asarray(IMAGES), verbose=0)
