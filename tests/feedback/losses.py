"""Losses, metrics and targets that do not go together."""

from __future__ import annotations

from typing import Any

import numpy as np

from tests.feedback.case import B, T, X, Y, classifier, fit, over, raises, regressor, stream, subclassed, two_outputs, warns

ONE_HOT = np.eye(3, dtype="float32")[Y]


@raises(ValueError, "y contains 3", "'out'", "Dense(4)", "Subtract 1")
def labels_that_start_at_one(keras: Any) -> None:
    fit(classifier(keras), X, Y + 1)


@raises(ValueError, "y contains 7", "'out'", "Dense(8)")
def one_label_too_large_in_a_later_batch(keras: Any) -> None:
    y = Y.copy()
    y[60] = 7
    fit(classifier(keras), X, y)


@raises(ValueError, "y contains 3", "'out'")
def labels_that_start_at_one_in_a_subclassed_model(keras: Any) -> None:
    fit(subclassed(keras), X, Y + 1)


@raises(ValueError, "y contains 3", "'out'")
def labels_that_start_at_one_in_a_generator(keras: Any) -> None:
    fit(classifier(keras), stream((X, Y + 1)), None)


@raises(ValueError, "validation_data", "y contains 3", "'out'")
def labels_that_start_at_one_in_validation(keras: Any) -> None:
    fit(classifier(keras), validation_data=(X, Y + 1))


@raises(ValueError, "y contains 3", "'out'")
def evaluating_labels_that_start_at_one(keras: Any) -> None:
    classifier(keras).evaluate(X, Y + 1, verbose=0)


@raises(ValueError, "-1", "sample_weight", "ignore_class")
def a_label_of_minus_one(keras: Any) -> None:
    fit(classifier(keras), X, Y - 1)


@raises(ValueError, "y[0] is 0.5", "integer", "regression")
def fractions_as_labels(keras: Any) -> None:
    fit(classifier(keras), X, np.full(64, 0.5, "float32"))


@raises(ValueError, "'out'", "from_logits=True", "softmax")
def logits_without_from_logits(keras: Any) -> None:
    fit(classifier(keras, activation=None))


@raises(ValueError, "'out'", "from_logits=True", "softmax")
def logits_without_from_logits_in_a_subclassed_model(keras: Any) -> None:
    fit(subclassed(keras, activation=None))


@raises(ValueError, "'out'", "from_logits=True", "sigmoid")
def logits_into_the_binary_loss(keras: Any) -> None:
    fit(regressor(keras, loss="binary_crossentropy"), X, B)


@raises(ValueError, "'out'", "from_logits=True", "relu")
def relu_before_a_crossentropy(keras: Any) -> None:
    fit(classifier(keras, activation="relu", loss="categorical_crossentropy"), X, ONE_HOT)


@raises(ValueError, "twice", "'out'")
def softmax_twice(keras: Any) -> None:
    fit(classifier(keras, loss=keras.losses.SparseCategoricalCrossentropy(from_logits=True)))


@raises(ValueError, "twice", "'out'")
def sigmoid_twice(keras: Any) -> None:
    fit(regressor(keras, "sigmoid", keras.losses.BinaryCrossentropy(from_logits=True)), X, B)


@raises(ValueError, "twice", "'softmax'")
def a_softmax_layer_and_from_logits(keras: Any) -> None:
    loss = keras.losses.CategoricalCrossentropy(from_logits=True)
    fit(over(keras, (8,), keras.layers.Dense(3), keras.layers.Softmax(), loss=loss), X, ONE_HOT)


@raises(ValueError, "always outputs 1", "sigmoid")
def softmax_of_one_unit(keras: Any) -> None:
    fit(classifier(keras, 1, loss="binary_crossentropy"), X, B)


@raises(ValueError, "'out'", "1 unit", "binary_crossentropy")
def one_unit_for_the_categorical_loss(keras: Any) -> None:
    fit(classifier(keras, 1, "sigmoid", "categorical_crossentropy"), X, B[:, None])


@raises(ValueError, "'out'", "1 unit", "binary_crossentropy")
def one_unit_for_the_sparse_loss(keras: Any) -> None:
    fit(classifier(keras, 1, "sigmoid"), X, B)


@warns("binary_crossentropy", "softmax", "'out'", "categorical_crossentropy")
def softmax_with_the_binary_loss(keras: Any) -> None:
    fit(classifier(keras, loss="binary_crossentropy"), X, ONE_HOT)


@warns("sigmoid", "'out'", "softmax")
def sigmoid_with_the_categorical_loss(keras: Any) -> None:
    fit(classifier(keras, activation="sigmoid", loss="categorical_crossentropy"), X, ONE_HOT)


@raises(ValueError, "'categorical_crossentropy'", "y.argmax(-1)", trains=True)
def one_hot_targets_with_the_sparse_loss(keras: Any) -> None:
    fit(classifier(keras), X, ONE_HOT)


@raises(ValueError, "sparse_categorical_crossentropy", "to_categorical")
def integers_with_the_categorical_loss(keras: Any) -> None:
    fit(classifier(keras, loss="categorical_crossentropy"))


@raises(ValueError, "sparse_categorical_crossentropy")
def a_column_of_integers_with_the_categorical_loss(keras: Any) -> None:
    classifier(keras, loss="categorical_crossentropy").evaluate(X, Y[:, None], verbose=0)


@warns("y[0]", "2", "sum to 1")
def several_classes_at_once_with_the_categorical_loss(keras: Any) -> None:
    y = ONE_HOT.copy()
    y[:, 0] = y[:, 1] = 1
    y[:, 2] = 0
    fit(classifier(keras, loss="categorical_crossentropy"), X, y)


@raises(ValueError, "y contains 2", "0 and 1", "sparse_categorical_crossentropy")
def three_classes_with_the_binary_loss(keras: Any) -> None:
    fit(regressor(keras, "sigmoid", "binary_crossentropy"), X, Y.astype("float32"))


@raises(ValueError, "y contains -1", "0 and 1", "(y + 1) / 2")
def labels_of_minus_one_and_one_with_the_binary_loss(keras: Any) -> None:
    fit(regressor(keras, "sigmoid", "binary_crossentropy"), X, B * 2 - 1)


@raises(ValueError, "y contains 255", "0 and 1", "/ 255")
def masks_of_images_with_the_binary_loss(keras: Any) -> None:
    fit(regressor(keras, "sigmoid", "binary_crossentropy"), X, B * 255)


@raises(ValueError, "y contains 2", "Hinge", "categorical_hinge")
def three_classes_with_the_hinge_loss(keras: Any) -> None:
    fit(regressor(keras, "tanh", "hinge"), X, Y.astype("float32"))


@raises(ValueError, "y contains -", "Poisson", "counts")
def negative_counts(keras: Any) -> None:
    fit(regressor(keras, "exponential", "poisson"), X, T)


@warns("relu", "'out'", "never negative")
def negative_targets_for_a_relu(keras: Any) -> None:
    fit(regressor(keras, "relu"), X, T)


@warns("sigmoid", "'out'", "0 to 1")
def targets_beyond_a_sigmoid(keras: Any) -> None:
    fit(regressor(keras, "sigmoid"), X, T * 10)


@raises(ValueError, "(3,)", "(1,)", "broadcast")
def a_column_of_targets_against_three_outputs(keras: Any) -> None:
    fit(classifier(keras, activation=None, loss="mse"), X, T)


@raises(ValueError, "(1,)", "(3,)")
def three_targets_against_one_output(keras: Any) -> None:
    fit(regressor(keras), X, ONE_HOT)


@raises(ValueError, "(32, 1, 3)", "y_true (32, 3)", trains=True)
def targets_of_another_rank(keras: Any) -> None:
    fit(classifier(keras, loss="categorical_crossentropy"), X, ONE_HOT[:, None])


@raises(ValueError, "GlobalAveragePooling2D", "(4, 6, 6, 3)", trains=True)
def a_convolution_that_is_not_flattened(keras: Any) -> None:
    model = over(keras, (8, 8, 1), keras.layers.Conv2D(3, 3, activation="softmax"), loss="sparse_categorical_crossentropy")
    fit(model, np.zeros((4, 8, 8, 1), "float32"), Y[:4])


@raises(ValueError, "return_sequences=False", "(4, 6, 3)", trains=True)
def a_sequence_of_outputs_for_one_target(keras: Any) -> None:
    model = over(
        keras, (6, 4), keras.layers.LSTM(2, return_sequences=True), keras.layers.Dense(3, activation="softmax"), loss="sparse_categorical_crossentropy"
    )
    fit(model, np.zeros((4, 6, 4), "float32"), Y[:4])


@raises(ValueError, "2 losses for 1 output")
def two_losses_for_one_output(keras: Any) -> None:
    fit(classifier(keras, loss=["mse", "mae"]))


@raises(ValueError, "'c'", "'a'")
def a_loss_for_an_output_that_is_not_there(keras: Any) -> None:
    fit(two_outputs(keras, {"a": "mse", "c": "mse"}), X, [T, T])


@raises(ValueError, "metrics", "name the output")
def metrics_that_do_not_say_of_which_output(keras: Any) -> None:
    fit(two_outputs(keras, metrics=["mae"]), X, [T, T])


@raises(ValueError, "3 loss_weights for 2 outputs")
def three_loss_weights_for_two_outputs(keras: Any) -> None:
    fit(two_outputs(keras, loss_weights=[1, 1, 1]), X, [T, T])


@raises(ValueError, "label_smoothing", "10")
def label_smoothing_in_percent(keras: Any) -> None:
    keras.losses.CategoricalCrossentropy(label_smoothing=10)


@raises(TypeError, "'forgetful'", "returned None", "return", trains=True)
def a_loss_that_forgets_to_return(keras: Any) -> None:
    def forgetful(y_true: Any, y_pred: Any) -> None:
        keras.ops.mean(keras.ops.square(y_true - y_pred))

    fit(regressor(keras, loss=forgetful), X, T)


@raises(TypeError, "one_sided(y_pred", "def one_sided(y_true, y_pred)")
def a_loss_of_one_argument(keras: Any) -> None:
    def one_sided(y_pred: Any) -> Any:
        return keras.ops.mean(y_pred)

    fit(regressor(keras, loss=one_sided), X, T)


@raises(TypeError, "NumPy", "ops", "loss", trains=True, alike=False)
def NumPy_in_a_loss(keras: Any) -> None:
    def by_numpy(y_true: Any, y_pred: Any) -> Any:
        return np.mean(np.square(np.asarray(y_true) - np.asarray(y_pred)))

    fit(regressor(keras, loss=by_numpy), X, T)


@warns("accuracy", "'mae'")
def accuracy_of_a_regression(keras: Any) -> None:
    fit(regressor(keras, metrics=["accuracy"]), X, T)


@warns("accuracy", "logits", "threshold=0")
def accuracy_of_binary_logits(keras: Any) -> None:
    fit(regressor(keras, loss=keras.losses.BinaryCrossentropy(from_logits=True), metrics=["accuracy"]), X, B)


@warns("'auc'", "logits", "from_logits=True")
def the_area_under_a_curve_of_logits(keras: Any) -> None:
    fit(regressor(keras, loss=keras.losses.BinaryCrossentropy(from_logits=True), metrics=[keras.metrics.AUC()]), X, B)


@raises(ValueError, "'precision'", "one-hot", trains=True)
def precision_of_integer_labels(keras: Any) -> None:
    fit(classifier(keras, metrics=[keras.metrics.Precision()]))


@raises(ValueError, "'mean_io_u'", "one-hot", trains=True)
def a_metric_of_fewer_classes(keras: Any) -> None:
    fit(classifier(keras, metrics=[keras.metrics.MeanIoU(num_classes=2)]))


@warns("'categorical_accuracy'", "sparse_categorical_accuracy")
def the_accuracy_of_one_hot_for_integers(keras: Any) -> None:
    fit(classifier(keras, metrics=["categorical_accuracy"]))
