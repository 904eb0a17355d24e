"""Names: misspelt, moved or gone."""

from __future__ import annotations

from typing import Any

from tests.feedback.case import X, classifier, raises, stream


@raises(ValueError, "Did you mean 'softmax'")
def a_misspelt_activation(keras: Any) -> None:
    keras.layers.Dense(1, activation="sofmax")


@raises(TypeError, "Did you mean 'activation'")
def a_misspelt_argument(keras: Any) -> None:
    keras.layers.Dense(1, activaton="relu")


@raises(ValueError, "Did you mean 'he_normal'")
def a_misspelt_initializer(keras: Any) -> None:
    keras.layers.Dense(1, kernel_initializer="he_nromal")


@raises(ValueError, "'L2_'", "Did you mean 'L2'")
def a_misspelt_regularizer(keras: Any) -> None:
    keras.layers.Dense(1, kernel_regularizer="L2_")


@raises(ValueError, "padding", "'sames'", "Did you mean 'same'")
def a_misspelt_padding(keras: Any) -> None:
    keras.layers.Conv2D(1, 3, padding="sames")


@raises(ValueError, "data_format", "channels_last")
def a_misspelt_data_format(keras: Any) -> None:
    keras.layers.Conv2D(1, 3, data_format="channel_last")


@raises(ValueError, "float23", "Did you mean 'float32'")
def a_misspelt_dtype(keras: Any) -> None:
    keras.ops.zeros((2,), dtype="float23")


@raises(ValueError, "mixed_floaf16", "Did you mean 'mixed_float16'")
def a_misspelt_policy(keras: Any) -> None:
    keras.layers.Dense(1, dtype="mixed_floaf16")


@raises(ValueError, "'jaxx'", "Did you mean 'jax'")
def a_misspelt_engine(keras: Any) -> None:
    keras.config.set_backend("jaxx")


@raises(AttributeError, "Dence", "Did you mean 'Dense'")
def a_misspelt_layer(keras: Any) -> None:
    _ = keras.layers.Dence


@raises(AttributeError, "mat_mul", "Did you mean 'matmul'")
def a_misspelt_op(keras: Any) -> None:
    _ = keras.ops.mat_mul


@raises(AttributeError, "layer", "Did you mean 'layers'")
def a_misspelt_namespace(keras: Any) -> None:
    _ = keras.layer


@raises(AttributeError, "CuDNNLSTM", "layers.LSTM")
def a_layer_of_Keras_1(keras: Any) -> None:
    _ = keras.layers.CuDNNLSTM


@raises(AttributeError, "wrappers", "scikeras")
def the_wrappers_for_scikit_learn(keras: Any) -> None:
    _ = keras.wrappers.scikit_learn


@raises(AttributeError, "preprocessing", "TextVectorization")
def the_tokenizer_of_Keras_2(keras: Any) -> None:
    _ = keras.preprocessing.text


@raises(AttributeError, "np_utils", "to_categorical")
def np_utils(keras: Any) -> None:
    _ = keras.utils.np_utils


@raises(AttributeError, "adam", "Did you mean 'Adam'")
def an_optimizer_in_small_letters(keras: Any) -> None:
    _ = keras.optimizers.adam


@raises(AttributeError, "predict_classes", "argmax")
def predict_classes(keras: Any) -> None:
    classifier(keras).predict_classes(X)


@raises(AttributeError, "predict_proba", "predict(")
def predict_proba(keras: Any) -> None:
    classifier(keras).predict_proba(X)


@raises(AttributeError, "fit_generator", "fit(")
def fit_generator(keras: Any) -> None:
    classifier(keras).fit_generator(stream())


@raises(ValueError, "contains 2", "num_classes=3")
def too_few_classes_for_to_categorical(keras: Any) -> None:
    keras.utils.to_categorical([0, 1, 2], num_classes=2)


@raises(ValueError, "glorot", "Did you mean")
def half_a_name(keras: Any) -> None:
    keras.initializers.get("glorot")


@raises(ValueError, "'Categorical", "Did you mean 'CategoricalCrossentropy'")
def a_loss_with_spaces(keras: Any) -> None:
    keras.losses.get("Categorical Crossentropy!")
