"""Probabilities on a classifier: equal to NumPy's, of Keras's own layers alone."""

import subprocess
import sys

import keras
import numpy as np
import pytest

from models import metrics
from models.config.training import TrainConfig
from models.prediction.probabilities import add_probabilities
from pipeline.datasets.description import Classes

CLASSES = Classes(("ant", "bee", "cat", "dog", "elk"), ("insect", "mammal"), (0, 0, 1, 1, 1))
TEMPERATURES = {"fine": 1.2, "coarse": 0.7, "coarse_from_fine": 2.5}


def classifier(*names: str) -> keras.Model:
    counts = {"fine": 5, "coarse": 2}
    images = keras.Input((None, None, 3), name="image")
    features = keras.layers.GlobalAveragePooling2D(dtype="mixed_bfloat16")(images)
    logits = {
        name: keras.layers.Dense(counts[name], dtype="float32", name=f"{name}_logits", kernel_initializer=random(name))(
            features
        )
        for name in names
    }
    return keras.Model(images, logits)


def random(name: str) -> keras.initializers.Initializer:
    return keras.initializers.RandomNormal(stddev=0.03, seed=len(name))


def images() -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (7, 4, 6, 3), np.uint8)


def softmax(logits: np.ndarray) -> np.ndarray:
    exponentials = np.exp(logits.astype(np.float64))
    return exponentials / exponentials.sum(axis=1, keepdims=True)


def summed(fine: np.ndarray) -> np.ndarray:
    return np.stack([fine[:, :2].sum(axis=1), fine[:, 2:].sum(axis=1)], axis=1)


@pytest.mark.parametrize("temperatures", [TEMPERATURES, {}, None])
@pytest.mark.parametrize(
    ("heads", "values", "outputs"),
    [
        (("fine", "coarse"), {"coarse_source": "summed"}, {"fine", "coarse"}),
        (("fine", "coarse"), {"coarse_source": "head"}, {"fine", "coarse"}),
        (("fine",), {"heads": "fine"}, {"fine", "coarse"}),
        (("coarse",), {"heads": "coarse"}, {"coarse"}),
    ],
)
def test_probabilities_are_those_of_the_models_own_source(heads, values, outputs, temperatures):
    config, model = TrainConfig(**values), classifier(*heads)
    logits = {name: np.asarray(one) for name, one in model(images()).items()}
    found = {
        name: np.asarray(one) for name, one in add_probabilities(model, config, CLASSES, temperatures)(images()).items()
    }
    assert found.keys() == outputs
    divisor = {"fine": 1.0, "coarse": 1.0, "coarse_from_fine": 1.0} | (temperatures or {})
    expected = {name: softmax(one / divisor[name]) for name, one in logits.items()}
    if metrics.coarse_source(config) == "summed":
        expected["coarse"] = summed(softmax(logits["fine"] / divisor["coarse_from_fine"]))
    for name, probabilities in found.items():
        assert probabilities.dtype == np.float32
        np.testing.assert_allclose(probabilities, expected[name], atol=2e-7)


def test_one_level_of_labels_has_no_coarse_answer():
    config = TrainConfig(heads="fine")
    found = add_probabilities(classifier("fine"), config, Classes(CLASSES.fine), TEMPERATURES)(images())
    assert found.keys() == {"fine"}


def test_weights_are_shared_and_no_weight_more_is_trained():
    model = classifier("fine")
    added = add_probabilities(model, TrainConfig(heads="fine"), CLASSES, TEMPERATURES)
    assert [id(weight) for weight in added.trainable_weights] == [id(weight) for weight in model.trainable_weights]


def test_saved_model_loads_where_the_project_is_not_imported(tmp_path):
    model = add_probabilities(classifier("fine", "coarse"), TrainConfig(), CLASSES, TEMPERATURES)
    model.save(tmp_path / "model.keras")
    np.save(tmp_path / "images.npy", images())
    code = (
        "import sys; sys.modules.update(models=None, pipeline=None); import keras, numpy as np\n"
        "found = keras.saving.load_model('model.keras')(np.load('images.npy'))\n"
        "np.savez('found.npz', **{name: np.asarray(one) for name, one in found.items()})"
    )
    subprocess.run([sys.executable, "-c", code], cwd=tmp_path, check=True, capture_output=True)
    found = np.load(tmp_path / "found.npz")
    for name, probabilities in model(images()).items():
        np.testing.assert_allclose(found[name], np.asarray(probabilities), atol=1e-7)
