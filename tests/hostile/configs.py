"""Archives in order, with configs that are not."""

from __future__ import annotations

import base64
import json
import marshal
from collections.abc import Callable
from typing import Any

from tests.hostile.zips import CONFIG, Entry, entries, good, raw

CANARY = "/etc/passwd"


def text(content: bytes) -> Callable[..., None]:
    """The config is these bytes."""
    return lambda path: path.write_bytes(raw([Entry(CONFIG.encode(), content), *(e for e in entries() if e.name != CONFIG.encode())]))


def changed(change: Callable[[dict[str, Any]], Any]) -> Callable[..., None]:
    """The config of the file without fault, changed."""

    def write(path: Any) -> None:
        config = json.loads(good()[CONFIG])
        change(config)
        text(json.dumps(config).encode())(path)

    return write


def dense(**changes: Any) -> Callable[..., None]:
    """The config of its layer, changed."""
    return changed(lambda config: config["config"]["layers"][1]["config"].update(changes))


def entry(**changes: Any) -> Callable[..., None]:
    """What stands about its layer, changed."""
    return changed(lambda config: config["config"]["layers"][1].update(changes))


def layer(class_name: str, module: str = "keras.layers", **config: Any) -> Callable[..., None]:
    """Another layer in the place of its layer."""
    described = {"module": module, "class_name": class_name, "config": {"name": "other", **config}, "registered_name": None}
    return changed(lambda whole: whole["config"]["layers"].__setitem__(1, described))


def compiled(**config: Any) -> Callable[..., None]:
    """A compilation is described."""
    return changed(lambda whole: whole.update(compile_config={"optimizer": "adam", "loss": "mse", **config}))


def function(name: str, module: str = "builtins") -> dict[str, Any]:
    """A function, as configs name one."""
    return {"module": module, "class_name": "function", "config": name, "registered_name": "function"}


def code() -> dict[str, Any]:
    """A lambda, with code in it."""
    made = base64.encodebytes(marshal.dumps((lambda x: __import__("os").system("touch /tmp/keraunos_was_here")).__code__)).decode()
    return {"class_name": "__lambda__", "config": {"code": made, "defaults": None, "closure": None}}


def tensor(*history: Any) -> dict[str, Any]:
    """A tensor of the graph, as configs name one."""
    return {"class_name": "__keras_tensor__", "config": {"shape": [None, 3], "dtype": "float32", "keras_history": list(history)}}


def graph(*layers: dict[str, Any], outputs: Any = None) -> Callable[..., None]:
    """A functional model of an input "x" and these layers."""
    first = {"module": "keras.layers", "class_name": "InputLayer", "registered_name": None, "name": "x", "inbound_nodes": []}
    first["config"] = {"batch_shape": [None, 3], "dtype": "float32", "sparse": False, "name": "x"}
    ends = {"input_layers": [["x", 0, 0]], "output_layers": outputs or [[layers[-1]["name"], 0, 0]]}
    inner = {"name": "model", "trainable": True, "layers": [first, *layers], **ends}
    return text(json.dumps({"module": "keras.src.models.functional", "class_name": "Functional", "config": inner, "registered_name": "Functional"}).encode())


def node(name: str, *args: Any, class_name: str = "Dense", module: str = "keras.layers", config: Any = None) -> dict[str, Any]:
    """A layer of such a model, called on `args`."""
    config = {"name": name, **({"units": 3} if config is None else config)}
    inbound = [{"args": list(args), "kwargs": {}}]
    return {"module": module, "class_name": class_name, "config": config, "registered_name": None, "name": name, "inbound_nodes": inbound}


def nested(depth: int) -> bytes:
    """A model in a model in a model."""
    inner = good()[CONFIG].decode()
    start, end = inner.split('"config": {', 1)
    return (f'{start}"config": {{"layers": [' * depth + inner + f"]}}, {end.rpartition('}')[2]}" * depth + "}" * depth).encode()


DEEP = b'{"class_name": "Sequential", "config": ' + b'{"a":' * 100_000 + b"1" + b"}" * 100_001

# Broken as JSON: every door that looks at the config refuses them.
BROKEN = {
    "broken_json.keras": text(b'{"class_name": "Sequential", '),
    "broken_utf8.keras": text(b'{"class_name": "\xff\xfe"}'),
    "deep.keras": text(DEEP),
    "deep_list.keras": text(b"[" * 100_000 + b"]" * 100_000),
    "root_list.keras": text(b"[]"),
    "root_null.keras": text(b"null"),
    "root_text.keras": text(b'"Sequential"'),
    "digits.keras": text(b'{"class_name": "Sequential", "config": {"name": "m", "layers": [], "n": ' + b"9" * 10**6 + b"}}"),
}

FILES = BROKEN | {
    "empty_object.keras": text(b"{}"),
    "not_so_deep.keras": text(b'{"class_name": "Sequential", "config": ' + b'{"a":' * 900 + b"1" + b"}" * 901),
    "units_nan.keras": dense(units=float("nan")),
    "units_infinite.keras": dense(units=float("inf")),
    "os_system.keras": entry(module="os", class_name="system", config={"command": "true"}),
    "os_system_function.keras": dense(activation=function("system", "os")),
    "popen.keras": entry(module="subprocess", class_name="Popen", config={"args": ["true"]}),
    "builtin_eval.keras": dense(activation=function("eval")),
    "activation_of_module.keras": dense(activation={"module": "os", "class_name": "system", "config": {}, "registered_name": None}),
    "helper_get_file.keras": dense(activation=function("get_file")),
    "helper_load_model.keras": dense(activation=function("load_model")),
    "helper_get.keras": dense(activation="get"),
    "helper_deserialize.keras": dense(activation=function("deserialize")),
    "helper_of_keras.keras": dense(activation={"module": "keras.saving", "class_name": "load_model", "config": {}, "registered_name": None}),
    "helper_as_loss.keras": compiled(loss=function("load_model")),
    "helper_as_metric.keras": compiled(metrics=["deserialize"]),
    "private_module.keras": entry(module="keraunos.saving.pickling", class_name="_unpickled"),
    "pickle.keras": entry(module="keras.src.saving", class_name="KerasSaveable"),
    "lambda.keras": layer("Lambda", function=code()),
    "lambda_activation.keras": dense(activation=code()),
    "lambda_initializer.keras": dense(kernel_initializer=code()),
    "lambda_loss.keras": compiled(loss=code()),
    "lambda_safe_mode.keras": layer("Lambda", function=code(), safe_mode=False),
    "torch_module.keras": layer("TorchModuleWrapper", module={"class_name": "__bytes__", "config": "AAAA"}),
    "saved_model.keras": layer("TFSMLayer", filepath="/tmp/evil", call_endpoint="serve"),
    "vocabulary.keras": layer("StringLookup", vocabulary=CANARY),
    "vocabulary_text.keras": layer("TextVectorization", vocabulary=CANARY),
    "vocabulary_integers.keras": layer("IntegerLookup", vocabulary=CANARY),
    "vocabulary_url.keras": layer("StringLookup", vocabulary="http://127.0.0.1:9/vocabulary.txt"),
    "units_huge.keras": dense(units=10**10),
    "units_negative.keras": dense(units=-1),
    "units_text.keras": dense(units="10"),
    "units_list.keras": dense(units=[3]),
    "orthogonal.keras": dense(
        units=3000, kernel_initializer={"module": "keras.initializers", "class_name": "Orthogonal", "config": {}, "registered_name": None}
    ),
    "embedding_huge.keras": layer("Embedding", input_dim=10**9, output_dim=10**6),
    "metric_huge.keras": compiled(
        metrics=[{"module": "keras.metrics", "class_name": "MeanIoU", "config": {"num_classes": 10**6, "name": "m"}, "registered_name": None}]
    ),
    "input_huge.keras": changed(lambda config: config["config"]["layers"][0]["config"].update(batch_shape=[None, 10**15])),
    "build_shape_huge.keras": entry(build_config={"input_shape": [None, 10**12]}),
    "repeat_huge.keras": graph(node("r", tensor("x", 0, 0), class_name="RepeatVector", config={"n": 10**12}), node("d", tensor("r", 0, 0))),
    "op_zeros.keras": graph(node("z", [10**12], class_name="Zeros", module="keras.src.ops.numpy", config={}), node("d", tensor("z", 0, 0))),
    "op_arange.keras": graph(node("z", 10**12, class_name="Arange", module="keras.src.ops.numpy", config={}), node("d", tensor("z", 0, 0))),
    "op_array.keras": graph(
        node("z", {"class_name": "__numpy__", "config": {"value": [1.0], "dtype": "O"}}, class_name="Relu", module="keras.src.ops.nn", config={}),
        node("d", tensor("z", 0, 0)),
    ),
    "name_up.keras": dense(name="../../x"),
    "name_slash.keras": dense(name="a/b"),
    "name_markup.keras": dense(name="[bold red]x[/]\x1b[2J\x1b]0;evil\x07"),
    "name_escape.keras": dense(name="x\x1b[2J"),
    "name_number.keras": dense(name=3),
    "model_name_up.keras": changed(lambda config: config["config"].update(name="../x")),
    "cycle.keras": graph(node("a", tensor("b", 0, 0)), node("b", tensor("a", 0, 0))),
    "self_cycle.keras": graph(node("a", tensor("a", 0, 0))),
    "missing_layer.keras": graph(node("a", tensor("nowhere", 0, 0))),
    "missing_nodes.keras": graph({k: v for k, v in node("a", tensor("x", 0, 0)).items() if k != "inbound_nodes"}),
    "missing_output.keras": graph(node("a", tensor("x", 0, 0)), outputs=[["a", 7, 3]]),
    "negative_history.keras": graph(node("a", tensor("x", 0, -1)), outputs=[["a", -1, 0]]),
    "history_text.keras": graph(node("a", tensor("x", "0", None))),
    "unknown_class.keras": entry(class_name="Dance"),
    "unknown_module.keras": entry(module="my_package.layers", class_name="Dance", registered_name="my>Dance"),
    "class_name_list.keras": entry(class_name=["Dense"]),
    "config_text.keras": entry(config="Dense"),
    "layers_number.keras": changed(lambda config: config["config"].update(layers=3)),
    "optimizer_unknown.keras": compiled(optimizer={"module": "os", "class_name": "system", "config": {}, "registered_name": None}),
    "dtype_strange.keras": dense(dtype={"module": "os", "class_name": "DTypePolicy", "config": {"name": "x"}, "registered_name": None}),
    "shared_forward.keras": entry(shared_object_id=[1]),
}  # fmt: skip
