"""Where to start: networks that train at once, each with a sentence on what to try, experiments that go wrong in a telling way, and short lessons."""

from __future__ import annotations

import itertools
from typing import Any

_CLASSES = {"loss": "sparse_categorical_crossentropy", "metrics": ["accuracy"]}
_TWO = {"loss": "binary_crossentropy", "metrics": ["accuracy"]}
_NUMBER = {"loss": "mean_squared_error", "metrics": ["mean_absolute_error"]}
_SAME = {"loss": "mean_squared_error", "metrics": []}


def _layer(key: str, kind: str, inputs: str = "", part: str | None = None, **options: Any) -> dict[str, Any]:
    """A layer, and those that it takes, separated by spaces."""
    return {"id": key, "type": kind, "options": options, "inputs": inputs.split(), **({"part": part} if part else {})}


def _again(key: str, shared: str, inputs: str) -> dict[str, Any]:
    return {"id": key, "shares": shared, "inputs": inputs.split()}


def _chain(*layers: dict[str, Any]) -> list[dict[str, Any]]:
    """Layers of which each takes the one before it."""
    for before, layer in itertools.pairwise(layers):
        layer["inputs"] = [before["id"]]
    return list(layers)


def _points(*units: int, activation: str, last: dict[str, Any] | None = None) -> list[dict[str, Any]]:
    """A network for points: hidden layers of so many units."""
    hidden = [_layer(f"dense_{number}", "Dense", units=count, activation=activation) for number, count in enumerate(units, 1)]
    return _chain(_layer("features", "Input"), *hidden, last or _layer("label", "Dense", units=2, activation="softmax"))


def _preset(group: str, key: str, title: str, text: str, data: str | dict[str, Any], layers: list[dict[str, Any]], outputs: dict[str, Any], epochs: int,
            optimizer: str, rate: float, batch_size: int = 32, steps: tuple[str, ...] = (), kind: str = "supervised", **more: Any) -> dict[str, Any]:  # fmt: skip
    """A starting document; what more is given are options of the optimizer."""
    chosen = {"name": data, "options": {}} if isinstance(data, str) else data
    training = {"optimizer": {"type": optimizer, "options": {"learning_rate": rate, **more}}, "epochs": epochs, "batch_size": batch_size}
    training |= {"seed": 0, "engine": "jax", "stop": None}
    document = {"version": 1, "name": title, "data": chosen, "layers": layers, "outputs": outputs, "training": training, "kind": kind}
    return {"id": key, "title": title, "text": text, "group": group, "document": document, **({"steps": list(steps)} if steps else {})}


def _start() -> list[dict[str, Any]]:
    text = "Press play and see the boundary wind itself around the arms. Then take a hidden layer away, and try again."
    return [_preset("start", "spiral", "Spiral", text, "spiral", _points(8, 8, activation="tanh"), {"label": _CLASSES}, 100, "Adam", 0.03)]


def _eye(source: str, shares: str | None = None) -> list[dict[str, Any]]:
    """Layers that look at a picture of a pair, named after its input; or those of another input, called again."""
    parts = {"conv": ("Conv2D", {"filters": 16, "kernel_size": [3, 3], "activation": "relu"}), "pool": ("MaxPooling2D", {}), "flat": ("Flatten", {}),
             "seen": ("Dense", {"units": 32, "activation": "relu"})}  # fmt: skip
    before = [source, *(f"{source}_{part}" for part in parts)]
    if shares:
        return [_again(f"{source}_{part}", f"{shares}_{part}", taken) for part, taken in zip(parts, before, strict=False)]
    return [_layer(f"{source}_{part}", kind, taken, **options) for (part, (kind, options)), taken in zip(parts.items(), before, strict=False)]


def _templates() -> list[dict[str, Any]]:
    left, right, pairs = _layer("left", "Input"), _layer("right", "Input"), {"name": "pairs", "options": {"samples": 5000}}
    return [
        _preset(
            "template", "mlp", "MLP on digits",
            "Dense layers see 64 numbers and do not know which pixels are neighbours. See how many units are needed for 95 % in the test.",
            "digits", _chain(
                _layer("image", "Input"), _layer("flatten", "Flatten"), _layer("dense_1", "Dense", units=64, activation="relu"),
                _layer("dropout", "Dropout", rate=0.2), _layer("label", "Dense", units=10, activation="softmax"),
            ), {"label": _CLASSES}, 20, "Adam", 0.003,
        ),
        _preset(
            "template", "cnn", "CNN on digits",
            "Convolutions look for the same small patterns everywhere in the picture. Open Inside to see the maps, and Confusion for the digits that are mistaken.",
            "digits", _chain(
                _layer("image", "Input"), _layer("conv_1", "Conv2D", filters=16, kernel_size=[3, 3], padding="same", activation="relu"),
                _layer("pool_1", "MaxPooling2D"), _layer("conv_2", "Conv2D", filters=32, kernel_size=[3, 3], padding="same", activation="relu"),
                _layer("pool_2", "MaxPooling2D"), _layer("flatten", "Flatten"), _layer("dropout", "Dropout", rate=0.3),
                _layer("label", "Dense", units=10, activation="softmax"),
            ), {"label": _CLASSES}, 15, "Adam", 0.003,
        ),
        _preset(
            "template", "lstm", "LSTM on waves",
            "The LSTM reads 32 values one after another and keeps what it needs. Raise the noise of the data and see how long it still tells the waves apart.",
            "waves",
            _chain(_layer("series", "Input"), _layer("lstm", "LSTM", units=24), _layer("label", "Dense", units=3, activation="softmax")),
            {"label": _CLASSES}, 40, "Adam", 0.01,
        ),
        _preset(
            "template", "cnn_lstm", "CNN and LSTM on films",
            "The same convolution looks at each picture, and an LSTM at what it found. Take the LSTM's units down to 4, then to 2: how much must it keep?",
            "moving", _chain(
                _layer("film", "Input"), _layer("eye", "TimeDistributed", layer="Conv2D", filters=8, kernel_size=[3, 3], activation="relu"),
                _layer("flat", "TimeDistributed", layer="Flatten"), _layer("lstm", "LSTM", units=32), _layer("label", "Dense", units=4, activation="softmax"),
            ), {"label": _CLASSES}, 25, "Adam", 0.005,
        ),
        _preset(
            "template", "two_inputs", "Two inputs",
            "Two pictures go in and the sum of their digits comes out; nobody tells the network what a digit is. Remove one of the branches and see the error.",
            pairs, [
                left, *_eye("left"), right, *_eye("right"),
                _layer("both", "Concatenate", "left_seen right_seen"), _layer("hidden", "Dense", "both", units=32, activation="relu"),
                _layer("sum", "Dense", "hidden", units=1),
            ], {"sum": _NUMBER}, 20, "Adam", 0.003,
        ),
        _preset(
            "template", "two_outputs", "Two outputs",
            "Two questions about the same pair: are the digits the same, and what is their sum? Change the weight of one loss and see the other answer suffer.",
            pairs, [
                left, *_eye("left"), right, *_eye("right", shares="left"),
                _layer("difference", "Subtract", "left_seen right_seen"), _layer("distance", "Multiply", "difference difference"),
                _layer("same", "Dense", "distance", units=2, activation="softmax"), _layer("both", "Add", "left_seen right_seen"),
                _layer("hidden", "Dense", "both", units=32, activation="relu"), _layer("sum", "Dense", "hidden", units=1),
            ], {"same": _CLASSES, "sum": {**_NUMBER, "weight": 0.1}}, 20, "Adam", 0.003,
        ),
        _preset(
            "template", "tower", "Shared tower",
            "One tower looks at both pictures with the same weights, and what it sees in each is compared. It needs half as many weights as two towers.",
            pairs, [
                left, right,
                _layer("tower_conv", "Conv2D", "left", filters=16, kernel_size=[3, 3], activation="relu"), _layer("tower_pool", "MaxPooling2D", "tower_conv"),
                _layer("tower_flat", "Flatten", "tower_pool"), _layer("tower_drop", "Dropout", "tower_flat", rate=0.3),
                _layer("tower", "Dense", "tower_drop", units=32),
                _again("right_conv", "tower_conv", "right"), _again("right_pool", "tower_pool", "right_conv"), _again("right_flat", "tower_flat", "right_pool"),
                _again("right_drop", "tower_drop", "right_flat"), _again("right_tower", "tower", "right_drop"),
                _layer("difference", "Subtract", "tower right_tower"), _layer("distance", "Multiply", "difference difference"),
                _layer("same", "Dense", "distance", units=2, activation="softmax"),
            ], {"same": _CLASSES}, 20, "Adam", 0.003,
        ),
        _preset(
            "template", "regression", "A number for each point",
            "The network draws a surface over the plane. With relu it is made of flat pieces: change the activation to tanh to make it smooth.",
            "plane", _points(16, 16, activation="relu", last=_layer("value", "Dense", units=1)), {"value": _NUMBER}, 60, "Adam", 0.01,
        ),
        _preset(
            "template", "text", "Words to spam or not",
            "Words become vectors, whose mean is judged. Add GaussianNoise after the embedding, or use 4 numbers for a word instead of 16.",
            "spam", _chain(
                _layer("text", "Input"), _layer("words", "TextVectorization", max_tokens=500, output_sequence_length=20),
                _layer("embedding", "Embedding", input_dim=500, output_dim=16), _layer("mean", "GlobalAveragePooling1D"),
                _layer("hidden", "Dense", units=16, activation="relu"), _layer("label", "Dense", units=1, activation="sigmoid"),
            ), {"label": _TWO}, 20, "Adam", 0.005,
        ),
        _preset(
            "template", "attention", "Attention on waves",
            "Each of 32 values looks at all others. Attention has no order of its own: take the convolution away, and no wave is told from another.",
            "waves", _chain(
                _layer("series", "Input"), _layer("conv", "Conv1D", filters=16, kernel_size=5, padding="same", activation="relu"),
                _layer("attention", "MultiHeadAttention", num_heads=2, key_dim=8), _layer("norm", "LayerNormalization"),
                _layer("mean", "GlobalAveragePooling1D"), _layer("label", "Dense", units=3, activation="softmax"),
            ), {"label": _CLASSES}, 25, "Adam", 0.005,
        ),
        _preset(
            "template", "autoencoder", "Autoencoder",
            "64 pixels must pass through 6 numbers, and the picture is made of these again. Make the code wider or narrower and see which details are lost.",
            "digits_same", _chain(
                _layer("image", "Input"), _layer("flatten", "Flatten"), _layer("encoder", "Dense", units=64, activation="relu"),
                _layer("code", "Dense", units=6), _layer("decoder", "Dense", units=64, activation="relu"),
                _layer("pixels", "Dense", units=64, activation="sigmoid"), _layer("copy", "Reshape", target_shape=[8, 8, 1]),
            ), {"copy": _SAME}, 40, "Adam", 0.003,
        ),
        _preset(
            "template", "gan", "GAN",
            "One network makes digits of noise, the other tells them from real ones, and each learns by the other's mistakes. Their losses say little: look at the pictures. "
            "Without the Dropout layers, and in 1,000 epochs, which digits are no longer made?",
            "digits", [
                *_chain(
                    _layer("noise", "Input", part="generator", size=16), _layer("dense_1", "Dense", part="generator", units=64, use_bias=False),
                    _layer("norm_1", "BatchNormalization", part="generator", momentum=0.9),
                    _layer("leaky_1", "LeakyReLU", part="generator", negative_slope=0.2),
                    _layer("dense_2", "Dense", part="generator", units=128, use_bias=False),
                    _layer("norm_2", "BatchNormalization", part="generator", momentum=0.9),
                    _layer("leaky_2", "LeakyReLU", part="generator", negative_slope=0.2),
                    _layer("pixels", "Dense", part="generator", units=64, activation="sigmoid"),
                    _layer("made", "Reshape", part="generator", target_shape=[8, 8, 1]),
                ),
                *_chain(
                    _layer("image", "Input", part="discriminator"), _layer("flat", "Flatten", part="discriminator"),
                    _layer("judge_1", "Dense", part="discriminator", units=128), _layer("leaky_3", "LeakyReLU", part="discriminator", negative_slope=0.2),
                    _layer("drop_1", "Dropout", part="discriminator", rate=0.1), _layer("judge_2", "Dense", part="discriminator", units=64),
                    _layer("leaky_4", "LeakyReLU", part="discriminator", negative_slope=0.2), _layer("drop_2", "Dropout", part="discriminator", rate=0.1),
                    _layer("judged", "Dense", part="discriminator", units=1),
                ),
            ], {}, 300, "Adam", 0.001, 64, kind="adversarial", beta_1=0.5,
        ),
    ]  # fmt: skip


def _experiments() -> list[dict[str, Any]]:
    return [
        _preset(
            "experiment", "no_hidden", "No hidden layer",
            "Exclusive or cannot be parted by one line, so this network guesses. Add a Dense layer of 4 units with tanh before the last, and press play again.",
            "xor", _points(activation="tanh"), {"label": _CLASSES}, 40, "Adam", 0.03,
        ),
        _preset(
            "experiment", "nan", "Too high a learning rate",
            "Each step overshoots, the next one more, until the numbers overflow to NaN. Take the learning rate down to 0.03 and it learns.",
            "plane", _points(16, 16, activation="relu", last=_layer("value", "Dense", units=1)), {"value": _NUMBER}, 40, "SGD", 3.0,
        ),
        _preset(
            "experiment", "overfitting", "Overfitting",
            "A large network learns 35 noisy points by heart: the loss of the training falls, that of the test rises. Try more samples, fewer units, or Dropout.",
            {"name": "moons", "options": {"samples": 70, "noise": 0.5, "test": 0.5}}, _points(64, 64, activation="relu"), {"label": _CLASSES}, 300, "Adam", 0.01, 16,
        ),
        _preset(
            "experiment", "dead_relu", "Dead ReLUs",
            "With 3 units a layer there is one whose units all give 0: nothing passes it, and no gradient comes back. Put LeakyReLU after layers without activation.",
            "circles", _points(3, 3, 3, 3, 3, 3, activation="relu"), {"label": _CLASSES}, 60, "Adam", 0.01,
        ),
        _preset(
            "experiment", "vanishing", "Vanishing gradients",
            "Through six layers of sigmoids hardly any gradient reaches the first. Compare the gradients under Weights, then change the activations to relu.",
            "circles", _points(8, 8, 8, 8, 8, 8, activation="sigmoid"), {"label": _CLASSES}, 60, "SGD", 0.1,
        ),
        _preset(
            "experiment", "one_line", "One line is enough",
            "Two clouds need no hidden layer: a line is as good as anything. Add hidden layers and see that the test accuracy does not rise.",
            "gauss", _points(activation="tanh"), {"label": _CLASSES}, 40, "Adam", 0.03,
        ),
    ]  # fmt: skip


def _lessons() -> list[dict[str, Any]]:
    return [
        _preset(
            "lesson", "ai", "What is artificial intelligence?",
            "Artificial intelligence is programs for tasks that take intelligence when people do them, whether someone wrote down the rules or the program found them. "
            "Telling spam from a friend's message is such a task. Rules written by hand are soon outwitted; this program is shown messages and learns.",
            "spam", _chain(
                _layer("text", "Input"), _layer("words", "TextVectorization", max_tokens=500, output_mode="multi_hot", pad_to_max_tokens=True),
                _layer("label", "Dense", units=1, activation="sigmoid"),
            ), {"label": _TWO}, 20, "Adam", 0.01,
            steps=(
                "Read some messages under Data, and think of a rule that tells spam.",
                "Press play: the network gives each word a weight, for spam or against it.",
                "Open Confusion and read the messages that it mistakes. Would your rule have known better?",
            ),
        ),
        _preset(
            "lesson", "ml", "What is machine learning?",
            "Machine learning is the part of artificial intelligence in which the rule is not written but found from examples: of a family of functions, the one is "
            "looked for that fits them. What counts is how it does on samples that it has not seen. Here it finds how four lengths of a flower tell three irises apart.",
            "iris", _chain(
                _layer("features", "Input"), _layer("scaled", "Normalization"), _layer("label", "Dense", units=3, activation="softmax"),
            ), {"label": _CLASSES}, 60, "Adam", 0.02, 16,
            steps=(
                "Look at the rows under Data: four lengths, and the species that a botanist named.",
                "Press play. One layer is all there is: 12 weights and 3 biases are fitted to 120 flowers.",
                "Compare accuracy with that of the test, val_accuracy: those 30 flowers it has never seen.",
            ),
        ),
        _preset(
            "lesson", "dl", "What is deep learning?",
            "Deep learning is machine learning by functions of many layers, each of which learns what the next one needs. Nobody says what to look for in a picture: "
            "the first layer comes to find edges, the next one corners and curves of these, the last one digits.",
            "digits", _chain(
                _layer("image", "Input"), _layer("edges", "Conv2D", filters=8, kernel_size=[3, 3], padding="same", activation="relu"),
                _layer("shapes", "Conv2D", filters=16, kernel_size=[3, 3], strides=[2, 2], padding="same", activation="relu"),
                _layer("parts", "Conv2D", filters=32, kernel_size=[3, 3], strides=[2, 2], padding="same", activation="relu"), _layer("flatten", "Flatten"),
                _layer("label", "Dense", units=10, activation="softmax"),
            ), {"label": _CLASSES}, 15, "Adam", 0.003,
            steps=(
                "Press play and wait for some epochs.",
                "Open Inside and choose a digit: see what each layer makes of the layer before it.",
                "Remove the layers edges, shapes and parts, and train again: the loss of the test stays higher.",
            ),
        ),
        _preset(
            "lesson", "mining", "What is data mining?",
            "Data mining is the search for patterns in data that nobody has asked for yet. These points have no labels; the network must give each point back through a "
            "choice among four units, which noise keeps from being half-hearted. So each unit comes to stand for a heap: the heaps are found, not taught.",
            "clusters", _chain(
                _layer("features", "Input"), _layer("hidden", "Dense", units=16, activation="tanh"), _layer("scores", "Dense", units=4),
                _layer("noise", "GaussianNoise", stddev=2.0), _layer("heap", "Activation", activation="softmax"), _layer("copy", "Dense", units=2),
            ), {"copy": _SAME}, 60, "Adam", 0.01,
            steps=(
                "Look at the points under Data: how many heaps do you see?",
                "Press play, and look at the four units of the layer heap: each lights up over a heap of its own.",
                "Give scores 3 units, or 6, and train again. How would you tell which number is right?",
            ),
        ),
    ]  # fmt: skip


def presets() -> list[dict[str, Any]]:
    """The starting documents, each with `id`, `title`, `text`, `group` and `document`; lessons have the `steps` to take.

    The groups are "start", "template", "experiment" and "lesson".
    """
    return [*_start(), *_templates(), *_experiments(), *_lessons()]
