"""Mistakes that users make, and what they are told: the fact, the place, and what to do; the same on every engine."""

from __future__ import annotations

import re
import warnings

import pytest

import keraunos as keras
from keraunos.core.errors import KeraunosError
from tests.conftest import BACKENDS
from tests.feedback import building, compiling, data, files, losses, names, shapes, training  # noqa: F401  which fill the table
from tests.feedback.case import SITUATIONS, X, Y, classifier, fit, outcome


@pytest.mark.parametrize("situation", SITUATIONS, ids=lambda s: f"{s.family}: {s.name}")
def test_the_message_teaches(situation):
    texts = {}
    for engine in filter(situation.concerns, BACKENDS):
        with keras.backend_scope(engine):
            found = outcome(situation.program, keras, stop=situation.kind is UserWarning)
        text = texts[engine] = found.text
        assert isinstance(found.told, situation.kind), f"{engine}: {type(found.told).__name__} {text}"
        assert isinstance(found.told, (KeraunosError, Warning)), text
        assert len(text) <= 1000 and not re.search(r"[\x00-\x09\x0b-\x1f]", text), text
        assert "Where: " in text and "Fix: " in text, text
        for word in situation.words:
            assert word in text, f"{word!r} is missing in {engine}'s: {text}"
    assert len(set(texts.values())) <= 1 or not situation.alike, texts


def test_there_are_enough_of_them():
    assert len({situation.name for situation in SITUATIONS}) == len(SITUATIONS) >= 280


def test_checks_can_be_silenced():
    keras.config.disable_checks()
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            fit(classifier(keras, activation=None, optimizer=keras.optimizers.SGD(50.0)), X, Y)
    finally:
        keras.config.enable_checks()


def test_a_suspicion_is_told_where_the_user_called():
    with pytest.warns(UserWarning, match="learning_rate=50") as caught:
        fit(classifier(keras, optimizer=keras.optimizers.SGD(50.0)), X, Y)
    assert caught[0].filename.endswith("case.py")
