"""Layers and models that are put together wrongly."""

from __future__ import annotations

from typing import Any

import numpy as np

from tests.feedback.case import T, X, classifier, fit, over, raises, regressor, subclassed, warns


@raises(TypeError, "ops.exp")
def np_exp_of_a_symbolic_tensor(keras: Any) -> None:
    np.exp(keras.Input((3,)))


@raises(TypeError, "ops")
def np_asarray_of_a_symbolic_tensor(keras: Any) -> None:
    np.asarray(keras.Input((3,)))


@raises(TypeError, "ops", "Layer")
def a_function_of_torch_on_a_symbolic_tensor(keras: Any) -> None:
    import torch

    torch.exp(keras.Input((3,)))


@raises(TypeError, "ops", "Layer", engine="jax")
def a_function_of_JAX_on_a_symbolic_tensor(keras: Any) -> None:
    import jax.numpy as jnp

    jnp.exp(keras.Input((3,)))


@raises(TypeError, "ops", "Layer")
def a_function_of_TensorFlow_on_a_symbolic_tensor(keras: Any) -> None:
    import tensorflow as tf

    tf.exp(keras.Input((3,)))


@raises(TypeError, "ops.where", "ops.cond")
def if_on_a_symbolic_tensor(keras: Any) -> None:
    bool(keras.Input((3,)) > 0)


@raises(TypeError, "float", "symbolic")
def float_of_a_symbolic_tensor(keras: Any) -> None:
    float(keras.Input(()))


@raises(TypeError, "iterate", "ops.unstack")
def a_loop_over_a_symbolic_tensor(keras: Any) -> None:
    for _ in keras.Input((3,)):
        pass


@raises(TypeError, "ops.slice_update")
def assigning_to_a_part_of_a_symbolic_tensor(keras: Any) -> None:
    keras.Input((3,))[0] = 1


@raises(TypeError, "no length", "ops.scan")
def the_length_of_an_unknown_axis(keras: Any) -> None:
    len(keras.Input((3,)))


@raises(ValueError, "build(self, input_shape)", "late")
def weights_made_in_call(keras: Any) -> None:
    class Late(keras.layers.Layer):
        def call(self, x: Any) -> Any:
            return x * self.add_weight(shape=(1,), name="late")

    Late()(X)


@raises(ValueError, "call(self, inputs)", "Empty")
def a_layer_without_call(keras: Any) -> None:
    class Empty(keras.layers.Layer):
        pass

    Empty()(X)


@raises(ValueError, "call(self, inputs)", "Empty")
def a_model_without_call(keras: Any) -> None:
    class Empty(keras.Model):
        pass

    Empty()(X)


@raises(TypeError, "returned nothing", "return …", "'dense'")
def a_call_that_forgets_to_return(keras: Any) -> None:
    class Silent(keras.layers.Layer):
        def call(self, x: Any) -> None:
            x * 2

    keras.Model(i := keras.Input((3,)), keras.layers.Dense(1)(Silent(name="silent")(i)))


@raises(TypeError, "add_weight", "shape")
def the_name_of_a_weight_for_its_shape(keras: Any) -> None:
    class Named(keras.layers.Layer):
        def build(self, shape: Any) -> None:
            self.w = self.add_weight("kernel", (3, 3))

        def call(self, x: Any) -> Any:
            return x

    Named()(X)


@raises(TypeError, "shape", "(32,)")
def the_shape_of_an_input_as_a_number(keras: Any) -> None:
    keras.Input(32)


@raises(TypeError, "on the layer 'dense'", "dense(x)")
def a_layer_for_a_tensor(keras: Any) -> None:
    keras.layers.Dense(3)(keras.layers.Dense(2, name="dense"))


@raises(TypeError, "Dense", "units")
def a_layer_without_its_arguments(keras: Any) -> None:
    keras.layers.Dense()


@raises(TypeError, "list", "Sequential([")
def layers_of_a_Sequential_without_a_list(keras: Any) -> None:
    keras.Sequential(keras.layers.Dense(1), keras.layers.Dense(2))


@raises(TypeError, "'relu'", "Activation('relu')")
def the_name_of_an_activation_for_a_layer(keras: Any) -> None:
    keras.Sequential([keras.layers.Dense(1), "relu"])


@raises(TypeError, "the class Flatten", "Flatten(…)")
def the_class_of_a_layer_for_a_layer(keras: Any) -> None:
    keras.Sequential([keras.layers.Dense(1), keras.layers.Flatten])


@raises(ValueError, "Two layers", "'a'", "name=")
def two_layers_of_one_name(keras: Any) -> None:
    keras.Sequential([keras.layers.Dense(1, name="a"), keras.layers.Dense(1, name="a")])


@raises(ValueError, "'other'", "inputs")
def an_input_that_the_outputs_do_not_come_from(keras: Any) -> None:
    a, b = keras.Input((3,), name="own"), keras.Input((3,), name="other")
    keras.Model(a, keras.layers.Dense(1)(keras.layers.Add()([a, b])))


@raises(ValueError, "outputs", "layer", "tensor")
def a_layer_for_the_outputs_of_a_model(keras: Any) -> None:
    keras.Model(keras.Input((3,)), keras.layers.Dense(1))


@raises(ValueError, "inputs", "Input")
def an_array_for_the_inputs_of_a_model(keras: Any) -> None:
    keras.Model(X, keras.layers.Dense(1)(X))


@raises(ValueError, "units", "-3")
def a_negative_number_of_units(keras: Any) -> None:
    keras.layers.Dense(-3)


@raises(ValueError, "units", "2.5")
def a_fraction_of_a_unit(keras: Any) -> None:
    keras.layers.Dense(2.5)


@raises(ValueError, "filters", "0")
def no_filters(keras: Any) -> None:
    keras.layers.Conv2D(0, 3)


@raises(ValueError, "kernel_size", "3")
def a_kernel_of_too_many_axes(keras: Any) -> None:
    keras.layers.Conv2D(2, (3, 3, 3))


@raises(ValueError, "strides", "dilation_rate")
def strides_and_dilation_at_once(keras: Any) -> None:
    keras.layers.Conv2D(2, 3, strides=2, dilation_rate=2)


@raises(ValueError, "rate=50", "0 to 1", "0.5")
def dropout_in_percent(keras: Any) -> None:
    keras.layers.Dropout(50)


@warns("rate=1.0", "'dropout'")
def dropout_of_everything(keras: Any) -> None:
    fit(over(keras, (8,), keras.layers.Dropout(1.0, name="dropout"), keras.layers.Dense(1)), X, T)


@raises(ValueError, "not built", "keras.Input")
def the_summary_of_an_unbuilt_model(keras: Any) -> None:
    keras.Sequential([keras.layers.Dense(1)]).summary()


@raises(ValueError, "not built", "build")
def counting_the_weights_of_an_unbuilt_layer(keras: Any) -> None:
    keras.layers.Dense(3, name="dense").count_params()


@raises(ValueError, "'ouut'", "Did you mean 'out'")
def a_layer_that_the_model_does_not_have(keras: Any) -> None:
    classifier(keras).get_layer("ouut")


@raises(ValueError, "layers", "1", "index")
def a_layer_beyond_the_last(keras: Any) -> None:
    classifier(keras).get_layer(index=7)


@raises(ValueError, "'dense'", "called 0 times")
def the_output_of_a_layer_that_was_not_called(keras: Any) -> None:
    _ = keras.layers.Dense(3, name="dense").output


@raises(ValueError, "'dense'", "called 2 times")
def the_output_of_a_layer_called_twice(keras: Any) -> None:
    layer = keras.layers.Dense(3, name="dense")
    layer(keras.Input((3,))), layer(keras.Input((3,)))
    _ = layer.output


@raises(TypeError, "multi_head_attention", "'value'")
def attention_to_nothing(keras: Any) -> None:
    keras.layers.MultiHeadAttention(2, 2)(keras.Input((6, 4)))


@raises(ValueError, "stateful", "Input(batch_size=…)")
def a_stateful_layer_without_a_batch_size(keras: Any) -> None:
    keras.layers.LSTM(3, stateful=True)(keras.Input((6, 4)))


@raises(ValueError, "text_vectorization", "adapt")
def text_without_a_vocabulary(keras: Any) -> None:
    keras.layers.TextVectorization()(np.array(["a b"]))


@raises(ValueError, "'net'", "not built", "net.build(")
def the_summary_of_a_subclassed_model_before_data(keras: Any) -> None:
    subclassed(keras).summary()


@raises(AttributeError, "net", "inputs", "keras.Input")
def the_inputs_of_a_subclassed_model(keras: Any) -> None:
    keras.Model(subclassed(keras).inputs, regressor(keras).output)
