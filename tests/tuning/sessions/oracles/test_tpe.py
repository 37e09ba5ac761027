"""Optuna's places of hyperparameters."""

import types

import keras_tuner
import pytest

from tuning.sessions.oracles import tpe

RANGES = keras_tuner.HyperParameters()
RANGES.Int("whole", 1, 9)
RANGES.Int("whole_log", 1, 9, sampling="log")
RANGES.Int("whole_steps", 1, 9, step=3)
RANGES.Float("number", 0.5, 2.0)
RANGES.Float("number_log", 0.5, 2.0, sampling="log")
RANGES.Float("number_steps", 0.0, 0.5, step=0.25)
LARGEST = {"whole": 9, "whole_log": 9, "whole_steps": 7, "number": 2.0, "number_log": 2.0, "number_steps": 0.5}


@pytest.mark.parametrize("one", RANGES.space, ids=lambda one: one.name)
def test_ends_of_the_unit_interval_are_the_ends_of_each_range(one):
    values = [
        tpe._value(types.SimpleNamespace(suggest_float=lambda *_, place=place: place), one) for place in (0.0, 1.0)
    ]
    assert values == pytest.approx([one.min_value, LARGEST[one.name]], rel=1e-6)
    assert all(0.0 <= tpe._place(one, value) <= 1.0 for value in values)
