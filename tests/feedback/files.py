"""Saving and loading."""

from __future__ import annotations

import json
import pathlib
from typing import Any

from tests.feedback.case import classifier, raises, regressor, warns


@raises(ValueError, "model.keras", "not exist")
def a_file_that_is_not_there(keras: Any) -> None:
    keras.models.load_model("model.keras")


@raises(ValueError, "model.keras", "modell.keras")
def a_misspelt_file(keras: Any) -> None:
    classifier(keras).save("modell.keras")
    keras.models.load_model("model.keras")


@raises(ValueError, "truncated", "bytes")
def a_truncated_file(keras: Any) -> None:
    classifier(keras).save("model.keras")
    path = pathlib.Path("model.keras")
    path.write_bytes(path.read_bytes()[:-200])
    keras.models.load_model(path)


@raises(ValueError, "empty", "model.keras")
def an_empty_file(keras: Any) -> None:
    pathlib.Path("model.keras").touch()
    keras.models.load_model("model.keras")


@raises(ValueError, "model.keras", "zip")
def a_text_file_of_that_name(keras: Any) -> None:
    pathlib.Path("model.keras").write_text("<html>404</html>" * 50)
    keras.models.load_model("model.keras")


@raises(ValueError, "model", ".keras")
def saving_without_a_suffix(keras: Any) -> None:
    classifier(keras).save("model")


@raises(ValueError, ".weights.h5")
def saving_weights_with_another_suffix(keras: Any) -> None:
    classifier(keras).save_weights("model.keras")


@raises(ValueError, "there/is/none", "makedirs")
def a_folder_that_is_not_there(keras: Any) -> None:
    classifier(keras).save("there/is/none/model.keras")


@raises(ValueError, "My", "custom_objects", "register_keras_serializable")
def a_custom_layer_that_is_missing(keras: Any) -> None:
    class My(keras.layers.Layer):
        def call(self, x: Any) -> Any:
            return x

    keras.Sequential([keras.Input((8,)), My()]).save("model.keras")
    del My
    keras.models.load_model("model.keras")


@raises(ValueError, "my_activation", "custom_objects")
def a_custom_activation_that_is_missing(keras: Any) -> None:
    def my_activation(x: Any) -> Any:
        return x

    classifier(keras, activation=my_activation).save("model.keras")
    keras.models.load_model("model.keras")


@raises(ValueError, "my_loss", "custom_objects")
def a_custom_loss_that_is_missing(keras: Any) -> None:
    def my_loss(y: Any, p: Any) -> Any:
        return p - y

    regressor(keras, loss=my_loss).save("model.keras")
    keras.models.load_model("model.keras")


@raises(ValueError, "Scale", "factor", "get_config")
def a_layer_whose_config_lacks_an_argument(keras: Any) -> None:
    class Scale(keras.layers.Layer):
        def __init__(self, factor: Any, **kwargs: Any) -> None:
            super().__init__(**kwargs)
            self.scale = float(factor)

        def get_config(self) -> Any:
            return super().get_config()

        def call(self, x: Any) -> Any:
            return x * self.scale

    keras.Sequential([keras.Input((8,)), Scale(3)]).save("model.keras")
    keras.models.load_model("model.keras", custom_objects={"Scale": Scale})


@raises(ValueError, "object", "get_config")
def an_argument_that_a_file_cannot_hold(keras: Any) -> None:
    class Holder(keras.layers.Layer):
        def __init__(self, thing: Any, **kwargs: Any) -> None:
            super().__init__(**kwargs)
            self.thing = thing

        def get_config(self) -> Any:
            return {**super().get_config(), "thing": self.thing}

        def call(self, x: Any) -> Any:
            return x

    keras.Sequential([keras.Input((8,)), Holder(object())]).save("model.keras")


@raises(ValueError, "lambda", "safe_mode=False")
def a_lambda_in_a_file(keras: Any) -> None:
    keras.Sequential([keras.Input((8,)), keras.layers.Lambda(lambda x: x * 2)]).save("model.keras")
    keras.models.load_model("model.keras")


@raises(ValueError, "out", "(8, 3)", "(8, 1)")
def weights_of_another_architecture(keras: Any) -> None:
    classifier(keras).save_weights("model.weights.h5")
    regressor(keras).load_weights("model.weights.h5")


@raises(ValueError, "model.weights.h5", "skip_mismatch")
def weights_of_a_deeper_model(keras: Any) -> None:
    model = keras.Sequential([keras.Input((8,)), keras.layers.Dense(4), keras.layers.Dense(3)])
    model.save_weights("model.weights.h5")
    classifier(keras).load_weights("model.weights.h5")


@raises(ValueError, "weights", "load_weights")
def loading_a_model_from_weights_alone(keras: Any) -> None:
    classifier(keras).save_weights("model.weights.h5")
    keras.models.load_model("model.weights.h5")


@raises(ValueError, "build the model first", "model.weights.h5")
def loading_weights_before_building(keras: Any) -> None:
    classifier(keras).save_weights("model.weights.h5")
    keras.Sequential([keras.layers.Dense(3)]).load_weights("model.weights.h5")


@raises(ValueError, "saved_model", "folder")
def the_folder_of_a_SavedModel(keras: Any) -> None:
    pathlib.Path("saved_model").mkdir()
    pathlib.Path("saved_model/saved_model.pb").touch()
    keras.models.load_model("saved_model")


@raises(ValueError, "model.pth", ".keras")
def a_file_of_PyTorch(keras: Any) -> None:
    pathlib.Path("model.pth").write_bytes(b"PK\x03\x04" + bytes(200))
    keras.models.load_model("model.pth")


@warns("not built", "no weights", trains=False)
def saving_an_unbuilt_model(keras: Any) -> None:
    keras.Sequential([keras.layers.Dense(1)]).save("model.keras")


@raises(ValueError, "Dence", "Did you mean 'Dense'")
def a_config_of_a_misspelt_class(keras: Any) -> None:
    config = json.loads(classifier(keras).to_json().replace('"Dense"', '"Dence"'))
    keras.models.model_from_json(json.dumps(config))


@raises(ValueError, "JSON", "model_from_json")
def a_path_for_the_JSON_of_a_model(keras: Any) -> None:
    keras.models.model_from_json("model.json")


@raises(TypeError, "time_major", "LSTM")
def a_config_of_Keras_2_with_what_is_gone(keras: Any) -> None:
    config = {"name": "lstm", "units": 3, "time_major": True}
    keras.layers.LSTM.from_config(config)
