"""Runs of `fit` and its callbacks."""

from __future__ import annotations

from typing import Any

import numpy as np

from tests.feedback.case import SERIES, T, X, Y, classifier, fit, over, raises, regressor, subclassed, two_outputs, warns


def _model(keras: Any) -> Any:
    return classifier(keras)


@raises(ValueError, "0 trainable weights")
def all_layers_frozen(keras: Any) -> None:
    model = classifier(keras)
    model.trainable = False
    model.compile("sgd", "sparse_categorical_crossentropy")
    fit(model)


@raises(ValueError, "0 trainable weights", "net")
def all_layers_of_a_subclassed_model_frozen(keras: Any) -> None:
    model = subclassed(keras)
    model.hidden.trainable = model.out.trainable = False
    fit(model)


@raises(ValueError, "val_loss", "validation_data")
def stopping_on_what_is_not_there(keras: Any) -> None:
    fit(classifier(keras), callbacks=[keras.callbacks.EarlyStopping()])


@raises(ValueError, "val_acc", "loss", trains=True)
def a_checkpoint_of_an_absent_metric(keras: Any) -> None:
    fit(classifier(keras, run_eagerly=True), callbacks=[keras.callbacks.ModelCheckpoint("m.keras", monitor="val_acc", save_best_only=True)])


@raises(ValueError, "'acc'", "accuracy", trains=True)
def stopping_on_a_misspelt_metric(keras: Any) -> None:
    fit(classifier(keras, metrics=["accuracy"], run_eagerly=True), callbacks=[keras.callbacks.EarlyStopping("acc", mode="max")])


@raises(ValueError, "val_loss", "validation_data")
def a_plateau_of_what_is_not_there(keras: Any) -> None:
    fit(classifier(keras), callbacks=[keras.callbacks.ReduceLROnPlateau()])


@raises(TypeError, "EarlyStopping", "EarlyStopping()")
def the_class_of_a_callback(keras: Any) -> None:
    fit(classifier(keras), callbacks=[keras.callbacks.EarlyStopping])


@raises(TypeError, "function", "LambdaCallback")
def a_function_for_a_callback(keras: Any) -> None:
    fit(classifier(keras), callbacks=[print])


@raises(ValueError, "schedule", "None", "lambda epoch, rate")
def a_schedule_that_forgets_to_return(keras: Any) -> None:
    fit(classifier(keras), callbacks=[keras.callbacks.LearningRateScheduler(lambda epoch: None)])


@raises(ValueError, "mode", "'maximum'", "'max'")
def a_wrong_mode_of_a_callback(keras: Any) -> None:
    keras.callbacks.EarlyStopping(mode="maximum")


@raises(ValueError, "best", ".keras")
def a_checkpoint_without_a_suffix(keras: Any) -> None:
    keras.callbacks.ModelCheckpoint("best")


@raises(ValueError, "epochs", "-1")
def a_negative_number_of_epochs(keras: Any) -> None:
    fit(classifier(keras), epochs=-1)


@warns("epochs=3", "initial_epoch=5", trains=False)
def an_initial_epoch_after_the_last(keras: Any) -> None:
    fit(classifier(keras), epochs=3, initial_epoch=5)


@raises(ValueError, "validation_freq", "0")
def validation_after_no_epochs(keras: Any) -> None:
    fit(classifier(keras), validation_freq=0)


@raises(ValueError, "verbose", "'loud'")
def a_wrong_value_of_verbose(keras: Any) -> None:
    fit(classifier(keras), verbose="loud")


@raises(TypeError, "'nb_epoch'", "epochs")
def an_argument_of_the_first_Keras(keras: Any) -> None:
    fit(classifier(keras), nb_epoch=3)


@raises(TypeError, "'epoch'", "Did you mean 'epochs'")
def a_misspelt_argument_of_fit(keras: Any) -> None:
    fit(classifier(keras), epoch=3)


@raises(TypeError, "'workers'", "PyDataset")
def workers_of_fit(keras: Any) -> None:
    fit(classifier(keras), workers=4)


@raises(ValueError, "not both")
def a_split_and_data_for_validation(keras: Any) -> None:
    fit(classifier(keras), validation_split=0.2, validation_data=(X[:8], Y[:8]))


@warns("epoch 1, batch 2", "learning_rate=9", alike=False)
def a_loss_that_becomes_NaN(keras: Any) -> None:
    fit(regressor(keras, optimizer=keras.optimizers.SGD(9.0)), X * 1e10, T, epochs=3)


@warns("epoch 1, batch 1", "'log'", "ops.log")
def a_logarithm_of_negative_numbers(keras: Any) -> None:
    class Log(keras.layers.Layer):
        def call(self, x: Any) -> Any:
            return keras.ops.log(x)

    fit(over(keras, (8,), Log(name="log"), keras.layers.Dense(1)), X, T)


@warns("batch_normalization", "batch of 1")
def batch_normalization_of_single_samples(keras: Any) -> None:
    fit(over(keras, (8,), keras.layers.BatchNormalization(), keras.layers.Dense(1)), X[:2], T[:2], batch_size=1)


@warns("lstm", "stateful", "shuffle=False")
def shuffling_for_a_stateful_layer(keras: Any) -> None:
    model = keras.Sequential([keras.Input(batch_shape=(32, 6, 4)), keras.layers.LSTM(2, stateful=True), keras.layers.Dense(1)])
    model.compile("sgd", "mse")
    fit(model, SERIES, T)


@raises(ValueError, "32", "30", "stateful", trains=True)
def a_last_batch_that_is_smaller_for_a_stateful_layer(keras: Any) -> None:
    model = keras.Sequential([keras.Input(batch_shape=(32, 6, 4)), keras.layers.LSTM(2, stateful=True), keras.layers.Dense(1)])
    model.compile("sgd", "mse", run_eagerly=True)
    fit(model, SERIES[:62], T[:62], shuffle=False)


@raises(ValueError, "y is None", "train_on_batch(x, y)")
def training_on_a_batch_without_targets(keras: Any) -> None:
    classifier(keras).train_on_batch(X)


@raises(ValueError, "y contains 3", "'out'")
def a_single_batch_with_labels_that_start_at_one(keras: Any) -> None:
    classifier(keras).train_on_batch(X, Y + 1)


@warns("y is 1", "every sample")
def labels_of_one_class(keras: Any) -> None:
    fit(classifier(keras), X, np.ones(64, "int32"), epochs=2)


@raises(ValueError, "3 sample_weight for 2 outputs", "'a'", trains=True)
def a_list_of_weights_for_outputs_of_another_number(keras: Any) -> None:
    fit(two_outputs(keras), X, [T, T], sample_weight=[np.ones(64)] * 3)


@raises(ValueError, "(32, 2)", "sample_weight", trains=True)
def sample_weights_of_another_rank(keras: Any) -> None:
    fit(regressor(keras), X, T, sample_weight=np.ones((64, 2), "float32"))


@warns("'normalization'", "adapt")
def a_normalization_that_has_seen_no_data(keras: Any) -> None:
    fit(over(keras, (8,), keras.layers.Normalization(), keras.layers.Dense(1)), X, T)
