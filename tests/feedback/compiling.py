"""What is said to `compile`."""

from __future__ import annotations

from typing import Any

from tests.feedback.case import T, X, Y, classifier, fit, raises, regressor, warns


@raises(ValueError, "Did you mean 'sparse_categorical_crossentropy'")
def a_misspelt_loss(keras: Any) -> None:
    classifier(keras, loss="sparse_categorical_crosentropy")


@raises(ValueError, "Did you mean 'adam'")
def a_misspelt_optimizer(keras: Any) -> None:
    classifier(keras, optimizer="adaam")


@raises(ValueError, "Did you mean", "mean_squared_error")
def a_misspelt_metric(keras: Any) -> None:
    fit(classifier(keras, metrics=["mean_squred_error"]))


@raises(ValueError, "f1", "F1Score")
def a_metric_of_another_name(keras: Any) -> None:
    fit(classifier(keras, metrics=["f1"]))


@raises(TypeError, "'metric'", "Did you mean 'metrics'")
def a_misspelt_argument_of_compile(keras: Any) -> None:
    regressor(keras, metric=["mae"])


@raises(ValueError, "model.compile(")
def fit_before_compile(keras: Any) -> None:
    fit(keras.Sequential([keras.layers.Dense(1)]))


@raises(ValueError, "model.compile(")
def evaluating_before_compile(keras: Any) -> None:
    keras.Sequential([keras.Input((8,)), keras.layers.Dense(1)]).evaluate(X, T, verbose=0)


@raises(ValueError, "no loss", "compile(loss=", trains=True)
def compiling_without_a_loss(keras: Any) -> None:
    fit(regressor(keras, loss=None), X, T)


@raises(ValueError, "already", "new", trains=True)
def an_optimizer_of_another_model(keras: Any) -> None:
    optimizer = keras.optimizers.SGD()
    for _ in range(2):
        fit(classifier(keras, optimizer=optimizer, run_eagerly=True))


@raises(TypeError, "'lr'", "learning_rate=")
def lr_for_learning_rate(keras: Any) -> None:
    keras.optimizers.Adam(lr=0.01)


@raises(ValueError, "decay", "InverseTimeDecay")
def decay_of_an_optimizer(keras: Any) -> None:
    keras.optimizers.SGD(0.01, decay=1e-6)


@raises(ValueError, "learning_rate", "-0.1")
def a_negative_learning_rate(keras: Any) -> None:
    keras.optimizers.SGD(-0.1)


@raises(ValueError, "learning_rate", "'0.1'")
def a_learning_rate_of_text(keras: Any) -> None:
    keras.optimizers.SGD("0.1")


@warns("learning_rate=100", "0.01")
def a_learning_rate_of_a_hundred(keras: Any) -> None:
    fit(classifier(keras, optimizer=keras.optimizers.SGD(100.0)))


@raises(ValueError, "clipnorm", "clipvalue")
def two_ways_of_clipping(keras: Any) -> None:
    keras.optimizers.SGD(clipnorm=1.0, clipvalue=1.0)


@raises(ValueError, "optimizer", "None", "'adam'")
def no_optimizer(keras: Any) -> None:
    model = classifier(keras)
    model.compile(optimizer=None, loss="sparse_categorical_crossentropy")
    fit(model, X, Y)


@raises(ValueError, "jit_compile", "'yes'")
def a_wrong_value_of_jit_compile(keras: Any) -> None:
    classifier(keras, jit_compile="yes")


@raises(ValueError, "steps_per_execution", "0")
def no_steps_per_execution(keras: Any) -> None:
    classifier(keras, steps_per_execution=0)


@raises(ValueError, "compiled", "run_eagerly=True")
def eagerly_and_compiled(keras: Any) -> None:
    classifier(keras, run_eagerly=True, jit_compile=True)


@raises(ValueError, "metric", "int", "by name")
def a_number_for_a_metric(keras: Any) -> None:
    fit(classifier(keras, metrics=[3]))


@raises(ValueError, "optimizer", "'mse'")
def the_loss_for_the_optimizer(keras: Any) -> None:
    keras.Sequential([keras.layers.Dense(1)]).compile("mse", "adam")


@raises(ValueError, "momentum", "1.5")
def a_momentum_above_one(keras: Any) -> None:
    keras.optimizers.SGD(momentum=1.5)


@raises(ValueError, "decay_steps", "0")
def a_schedule_of_no_steps(keras: Any) -> None:
    keras.optimizers.schedules.CosineDecay(0.1, decay_steps=0)


@raises(ValueError, "boundaries", "values")
def a_schedule_of_too_few_values(keras: Any) -> None:
    keras.optimizers.schedules.PiecewiseConstantDecay([10, 20], [0.1, 0.01])
