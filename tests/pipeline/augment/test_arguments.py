"""Constructors of transforms check their arguments, and say which one is wrong; sound ones survive a configuration."""

import math

import keras
import numpy as np
import pytest

from pipeline import augment
from pipeline.augment import sets
from pipeline.augment.composition import fused
from pipeline.augment.geometric import HorizontalFlip, Rotation

from .layers import LAYERS

NEVER = (-1, math.nan, math.inf, "0.5", None, (), (0.1, 0.2), [1], True, np.float32("nan"), 1j)  # of any argument
FRACTION = (*NEVER, 1.01)
WHOLE = (*NEVER, 2.5, 2.0)
BYTE = (*NEVER, 255.5)
WRONG = {
    "Rotation": {"max_degrees": (*NEVER, 361), "fill_value": BYTE, "fill": ("", "mirror", None, 3, ())},
    "Shear": {"max_degrees": (*NEVER, 90)},
    "Zoom": {"max_fraction": (*FRACTION, 1.0)},
    "Translation": {"max_fraction": FRACTION},
    "HorizontalFlip": {"seed": WHOLE},
    "VerticalFlip": {"fill": ("wrap",)},
    "AlternatingFlip": {"seed": (*WHOLE, 2**63)},
    "Shift": {"max_pixels": WHOLE},
    "Crop": {"size": (*WHOLE, 0), "padding": WHOLE},
    "ChannelShift": {"max_fraction": FRACTION},
    "Grayscale": {"probability": FRACTION},
    "ColorJitter": {**dict.fromkeys(("brightness", "contrast", "saturation"), NEVER), "hue": (*NEVER, 0.51)},
    "Cutout": {"pixels": WHOLE, "fill_value": BYTE},
    "RandomErasing": {"probability": FRACTION, "fill_value": BYTE},
    "MixUp": {"alpha": (*NEVER, 0), "probability": FRACTION},
    "CutMix": {"alpha": (*NEVER, 0.0), "probability": FRACTION},
    "MixUpOrCutMix": {"mixup_alpha": (*NEVER, 0), "cutmix_alpha": (*NEVER, 0), "probability": FRACTION},
    "TrivialAugmentWide": {"fill_value": BYTE},
    "RandAugment": {
        "num_operations": (*WHOLE, 0),
        "magnitude": (*WHOLE, 31),
        "size": (*WHOLE, 0),
        "fill_value": BYTE,
    },
    "AugMix": {
        "severity": (*WHOLE, 0, 11),
        **dict.fromkeys(("width", "depth", "size"), (*WHOLE, 0)),
        "alpha": (*NEVER, 0),
        "fill_value": BYTE,
    },
    "Fused": {"parts": ((), [], None, "Rotation", 3, [3], [HorizontalFlip(), None], HorizontalFlip())},
}


@pytest.mark.parametrize(("kind", "name"), [(kind, name) for kind, of in WRONG.items() for name in of])
def test_wrong_argument_is_named(kind, name):
    for value in WRONG[kind][name]:
        with pytest.raises(ValueError, match=rf"^{name}=") as caught:
            getattr(augment, kind)(**{name: value})
        assert "expected" in str(caught.value)
        assert "\n" not in str(caught.value)


def test_every_argument_of_every_transform_is_here():
    layers = [*LAYERS, *(layer for name in sets.SETS for layer in sets.build(name, 32))]
    for layer in layers:
        assert layer.parameters().keys() - {"fill", "fill_value"} <= WRONG[type(layer).__name__].keys(), layer


def test_unknown_argument_is_named():
    with pytest.raises((ValueError, TypeError), match="degrees"):
        Rotation(degrees=3)


@pytest.mark.parametrize("layer", LAYERS, ids=repr)
def test_sound_arguments_survive_a_configuration(layer):
    config = layer.get_config()
    assert type(layer).from_config(config).get_config() == config


def test_numbers_of_numpy_become_pythons():
    layer = augment.RandAugment(magnitude=np.int64(9), fill_value=np.float32(2.5))
    assert [type(layer.get_config()[name]) for name in ("magnitude", "fill_value")] == [int, float]
    assert type(Rotation(np.float64(3)).max_degrees) is float


def test_composition_of_other_layers_is_refused():
    for other in (keras.layers.RandomFlip(), None, "flip"):
        with pytest.raises(ValueError, match=r"^transforms: expected layers of pipeline.augment"):
            fused((Rotation(), other))
    assert fused(()) == ()


def test_unknown_set_is_refused():
    with pytest.raises(ValueError, match=r"^augmentation='flips': expected one of none, .*flip_crop"):
        sets.build("flips", 32)
