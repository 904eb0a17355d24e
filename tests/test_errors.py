"""Errors as texts: what each code's section says happens, happens; tracebacks; breadcrumbs."""

from __future__ import annotations

import pickle
import re
import subprocess
import sys
import textwrap
import traceback
import warnings

import numpy as np
import pytest

import keraunos as keras
from keraunos import layers, ops
from keraunos.cli.explain import found, sections
from keraunos.core.errors import LIMIT, KeraunosError, ShapeError, layout
from keraunos.core.failures import translated
from tests.conftest import BACKENDS

X, Y = np.ones((4, 8), "float32"), np.ones((4, 1), "float32")


# ---- the page ----
@pytest.mark.parametrize("code", sections())
def test_the_program_of_a_section_gives_its_message(code, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    keras.utils.clear_session(free_memory=False)  # layers are named as in a program of their own
    for name in ("onnx", "onnxruntime"):
        monkeypatch.setitem(sys.modules, name, sys.modules.get(name)) if name in sys.modules else monkeypatch.delitem(sys.modules, name, raising=False)
    program, shown = re.findall(r"```\w+\n(.*?)\n```", sections()[code], re.DOTALL)
    caught: BaseException | None = None
    with warnings.catch_warnings(record=True) as warned, keras.config.backend_scope("jax"):
        warnings.simplefilter("always")
        try:
            exec(compile(program, code, "exec"), {"np": np, "keras": keras, "__name__": "__main__"})
        except KeraunosError as error:
            caught = error
        finally:
            if sys.modules.get("onnx", keras) is None:
                del sys.modules["onnx"]
    text = f"{type(caught).__name__}: {caught}" if caught else f"UserWarning: {warned[-1].message}"
    assert text.partition("\n")[0] == shown.partition("\n")[0] and text.endswith(f"More: keraunos explain {code}")
    assert found(code.lower()) == [code] and code in found(text.partition("\n")[0])


def test_every_class_has_a_code_with_a_section():
    def classes(cls):
        return [cls, *(c for sub in cls.__subclasses__() for c in classes(sub))]

    assert {cls.code for cls in classes(KeraunosError)} <= sections().keys()


# ---- the text ----
def test_a_message_is_short_and_keeps_the_inner_end_of_a_path():
    error = ShapeError("f" * 900, received="r" * 900, expected="e" * 900, fix="x" * 900, code="KR103")
    for i in range(60):
        error.inside(f"block_{60 - i}", "(2, 8)")
    text = str(error)
    assert len(text) <= LIMIT and text.endswith("More: keraunos explain KR103")
    assert "block_60\n" in text and [line.split(":")[0] for line in text.split("\n")[1:]] == ["Where", "Inputs", "Received", "Expected", "Fix", "More"]
    assert layout("A\x1b[31m red fact.") == "A�[31m red fact."


def test_errors_can_be_sent_between_processes():
    error = ShapeError("A fact.", where="x", fix="mend it").inside("dense", "(2, 8)")
    assert str(pickle.loads(pickle.dumps(error))) == str(error)
    other = translated(MemoryError("Unable to allocate 4 PiB"), "ops.ones")
    again = pickle.loads(pickle.dumps(other))
    assert isinstance(other, MemoryError) and isinstance(again, KeraunosError) and str(again) == str(other)


def test_what_is_advised_is_there():
    model = keras.Sequential([keras.Input((8,)), layers.Dense(1)], name="net")
    model.compile("sgd", "mse")
    with pytest.raises(ValueError, match="monitor='loss'"):
        model.fit(X, Y, verbose=0, callbacks=[keras.callbacks.EarlyStopping("val_los")])


@pytest.mark.parametrize("x", [[X, X], [keras.Input((8,)), keras.Input((8,))]], ids=["values", "symbolic"])
def test_a_list_where_one_tensor_is_taken(x):
    with pytest.raises(ShapeError, match=r"takes one tensor(.|\n)*Where: dense(.|\n)*Concatenate"):
        layers.Dense(4, name="dense")(x)


# ---- breadcrumbs ----
class Mine(Exception):
    pass


@keras.saving.register_keras_serializable("test_errors")
class Failing(layers.Layer):
    """What fails in `call`, as a user's own code does."""

    def compute_output_spec(self, x, *args, **kwargs):
        return keras.KerasTensor(x.shape, x.dtype)

    def call(self, x, *args, **kwargs):
        raise Mine("the user's words")


@keras.saving.register_keras_serializable("test_errors")
class FailingCell(layers.Layer):
    state_size = output_size = 4

    def call(self, x, states, training=False):
        return ops.matmul(x, ops.ones((9, 2))), states


def nested():
    encoder = keras.Sequential([keras.Input((8,)), layers.Dense(4), Failing(name="bad")], name="encoder")
    return keras.Sequential([keras.Input((8,)), encoder], name="net"), X


def distributed():
    x = keras.Input((3, 4))
    return keras.Model(x, layers.TimeDistributed(Failing(name="bad"), name="each")(x), name="net"), np.ones((2, 3, 4), "float32")


PATHS = {
    "nested": (nested, "net > encoder > bad", "(4, 8) > (4, 8) > (4, 4)"),
    "distributed": (distributed, "net > each > bad", "(2, 3, 4) > (2, 3, 4) > (6, 4)"),
}


@pytest.mark.parametrize("engine", BACKENDS)
@pytest.mark.parametrize("case", PATHS)
def test_exceptions_of_users_keep_their_class_and_get_the_path(case, engine):
    make, path, shapes = PATHS[case]
    with keras.config.backend_scope(engine):
        model, x = make()
        with pytest.raises(Mine, match="^the user's words") as caught:
            model.predict(x, verbose=0)
    assert caught.value.__notes__[0] == f"Where: {path}\nInputs: {shapes}"
    assert "In batch 1 of the epoch." in caught.value.__notes__


def cell():
    layers.RNN(FailingCell(), name="rnn")(np.ones((2, 3, 4), "float32"))


def both_ways():
    layers.Bidirectional(layers.RNN(FailingCell(name="cell"), name="rnn"), name="both")(np.ones((2, 3, 4), "float32"))


def node():
    x = keras.Input((None, 4))
    keras.Model(x, ops.reshape(x, (-1, 5)), name="net").predict(np.ones((2, 3, 4), "float32"), verbose=0)


class OwnStep(keras.Model):
    def __init__(self):
        super().__init__(name="own")
        self.dense = layers.Dense(3, name="dense")

    def call(self, x):
        return ops.matmul(self.dense(x), ops.ones((7, 1)))

    def train_step(self, data):
        loss = lambda: self.compute_loss(data[0], data[1], self(data[0], training=True))  # noqa: E731
        return {"loss": keras.value_and_grad(loss, self.trainable_variables)()[0]}


def own_step():
    model = OwnStep()
    model.compile("sgd", "mse")
    model.fit(X, Y, verbose=0)


def in_a_scan():
    body = lambda x: ops.scan(lambda c, row: (ops.matmul(c, ops.ones((9, 9))), row), x, x)[1]  # noqa: E731
    keras.Sequential([keras.Input((8,)), layers.Lambda(body, name="looping")], name="net")


OUR_PATHS = {
    "cell": (cell, r"rnn > failing_cell\w* \(ops.matmul\)"), "both ways": (both_ways, r"both > \w*rnn > cell \(ops.matmul\)"), "node": (node, r"net > reshape\w* \(ops.reshape\)"),
    "own step": (own_step, r"own \(ops.matmul\)"), "scan": (in_a_scan, r"looping \(ops.matmul\)"),
}  # fmt: skip


@pytest.mark.parametrize("case", OUR_PATHS)
def test_errors_of_ours_name_the_path_and_the_op(case):
    program, path = OUR_PATHS[case]
    with pytest.raises(ShapeError) as caught:
        program()
    assert re.search(f"Where: {path}", str(caught.value)), str(caught.value)


# ---- tracebacks ----
def frames(error):
    return [(frame.filename.rpartition("/")[2], frame.name) for frame in traceback.extract_tb(error.__traceback__)]


def fails_in_fit():
    model = keras.Sequential([keras.Input((8,)), Failing(name="bad"), layers.Dense(1)], name="net")
    model.compile("sgd", "mse")
    model.fit(X, Y, verbose=0)


@pytest.mark.parametrize("engine", [name for name in BACKENDS if name != "numpy"])
def test_a_traceback_has_the_users_frames_and_the_last_of_ours(engine):
    with keras.config.backend_scope(engine), pytest.raises(Mine) as caught:
        fails_in_fit()
    mine = [name for file, name in frames(caught.value) if file == "test_errors.py"]
    assert mine == ["test_a_traceback_has_the_users_frames_and_the_last_of_ours", "fails_in_fit", "call"]
    assert len(frames(caught.value)) == 4  # and one of ours
    assert not any("internal frames" in note for note in caught.value.__notes__)  # which JAX says of its own


SHORT = {
    "an argument": lambda: layers.Dense("3"),
    "an op": lambda: ops.matmul(ops.ones((2, 3)), ops.ones((2, 3))),
    "a layer": lambda: layers.Dense(3)(np.ones(())),
    "compile": lambda: keras.Sequential([layers.Dense(1)]).compile("adaam"),
    "predict": lambda: keras.Sequential([keras.Input((8,)), layers.Dense(1)]).predict(X[:, :7]),
    "load": lambda: keras.models.load_model("nowhere.keras"),
    "fit": lambda: keras.Sequential([keras.Input((8,)), layers.Dense(1)]).fit(X, Y),
}


@pytest.mark.parametrize("case", SHORT)
def test_tracebacks_are_short(case):
    with pytest.raises(KeraunosError) as caught:
        SHORT[case]()
    assert len(frames(caught.value)) <= 4 and caught.value.__suppress_context__ in (True, caught.value.__context__ is not None), frames(caught.value)


def test_all_frames_can_be_seen():
    keras.config.disable_traceback_filtering()
    try:
        with pytest.raises(Mine) as caught:
            fails_in_fit()
    finally:
        keras.config.enable_traceback_filtering()
    assert len(frames(caught.value)) > 10


def test_what_a_script_prints(tmp_path):
    program = """
        import numpy as np, keraunos as keras
        class Wrong(keras.layers.Layer):
            def call(self, x):
                return keras.ops.matmul(x, keras.ops.ones((5, 3)))
        model = keras.Sequential([keras.Input((8,)), keras.layers.Dense(4)])
        Wrong(name="wrong")(np.ones((2, 4)))
    """
    (tmp_path / "program.py").write_text(textwrap.dedent(program), encoding="utf-8")
    done = subprocess.run(
        [sys.executable, str(tmp_path / "program.py")],
        capture_output=True,
        text=True,
        env={"KERAUNOS_BACKEND": "numpy", "PATH": "", "PYTHONPATH": str(next(iter(keras.__path__))).rpartition("/")[0]},
    )
    assert done.stderr.count('  File "') <= 4 and "Where: wrong (ops.matmul)\nInputs: (2, 4)\n" in done.stderr and "another exception" not in done.stderr
