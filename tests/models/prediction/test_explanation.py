"""Maps point at what a class rests on; pictures are named safely and say how their map was made."""

import json
import types
import unicodedata

import keras
import numpy as np
import PIL.Image
import pytest
import tensorflow as tf

from models.config.training import TrainConfig
from models.prediction import explanation, pictures
from models.prediction.explanation import CLASS_ACTIVATION, OCCLUSION, Explainer
from models.prediction.predictor import Predictor
from models.prediction.rows import Answer, Row
from models.runs.folder import RunFolder
from tests.models.prediction.test_predict import Call

SIZE = 16


def predictor(features: keras.layers.Layer, *, dropout: float = 0.0) -> types.SimpleNamespace:
    """What an explainer takes, of a network of two classes: the second one's logit grows with red."""
    images = keras.Input((SIZE, SIZE, 3))
    cells = keras.layers.AveragePooling2D(2, name="cells")(images)
    pooled = keras.layers.Dropout(dropout)(features(cells))
    logits = keras.layers.Dense(2, name="fine_logits", dtype="float32")
    model = keras.Model(images, {"fine": logits(pooled)})
    kernel = np.zeros(logits.kernel.shape, np.float32)
    kernel[0::3, 1] = 0.05
    logits.set_weights([kernel, np.zeros(2)])

    @tf.function
    def call(images):
        return {}, {"fine": tf.nn.softmax(model(images)["fine"])}

    config, means = TrainConfig(heads="fine"), (0.0, 100.0, 50.0)
    return types.SimpleNamespace(model=model, config=config, input_size=SIZE, channel_means=means, call=call)


def red_corner() -> np.ndarray:
    image = np.zeros((SIZE, SIZE, 3), np.uint8)
    image[:4, 12:, 0] = 255
    image[8:, :, 1:] = 255  # no evidence
    return image


@pytest.mark.parametrize(
    ("features", "method"),
    [
        (keras.layers.GlobalAveragePooling2D, CLASS_ACTIVATION),
        (keras.layers.GlobalMaxPooling2D, OCCLUSION),
        (keras.layers.Flatten, OCCLUSION),
    ],
)
def test_map_is_bright_where_the_evidence_is(features, method):
    explainer = Explainer(predictor(features(), dropout=0.5))
    heat = explainer(red_corner(), 1)
    assert explainer.method is method
    assert (heat.shape, heat.dtype, heat.min(), heat.max()) == ((SIZE, SIZE), np.float32, 0, 1)
    top, left = np.unravel_index(heat.argmax(), heat.shape)
    assert top < 4 <= 12 <= left
    assert heat[8:, :8].max() < 0.01


def test_class_activations_average_to_the_logit():
    own = predictor(keras.layers.GlobalAveragePooling2D())
    image = np.random.default_rng(0).integers(0, 256, (SIZE, SIZE, 3), np.uint8)
    cells = own.model.get_layer("cells").call(tf.constant(image[None], tf.float32)).numpy()
    kernel = own.model.get_layer("fine_logits").kernel.numpy()[:, 1]
    assert float(own.model(image[None])["fine"][0, 1]) == pytest.approx((cells @ kernel).mean(), rel=1e-5)
    heat = Explainer(own)(image, 1)
    expected = tf.image.resize((cells @ kernel)[..., None], (SIZE, SIZE))[0, ..., 0].numpy()
    expected -= expected.min()
    np.testing.assert_allclose(heat, expected / expected.max(), atol=1e-5)


def test_map_of_few_cells_gives_way_to_occlusion(monkeypatch):
    monkeypatch.setattr(explanation, "MIN_CELLS", SIZE // 2 + 1)
    assert Explainer(predictor(keras.layers.GlobalAveragePooling2D())).method is OCCLUSION


def test_image_without_evidence_has_an_even_map():
    for layer in (keras.layers.GlobalAveragePooling2D(), keras.layers.GlobalMaxPooling2D()):
        assert not Explainer(predictor(layer))(np.zeros((SIZE, SIZE, 3), np.uint8), 0).any()


@pytest.mark.parametrize("size", [8, 21, 32, 224])
def test_squares_reach_every_pixel(size):
    hidden = np.zeros((size, size), int)
    for place in explanation._squares(size):
        hidden[place] += 1
    assert hidden.min() == 1


@pytest.mark.parametrize("path", ["../../etc/passwd", "a/\x1b[31m\n.png", "\udcff", "CON", "x" * 3000, "-", "é猫"])
def test_picture_has_a_safe_name_of_its_own(path):
    name = pictures.file_stem(path)
    assert name.isascii()
    assert name.replace("-", "a").isalnum()
    assert len(name) < 100
    assert len({pictures.file_stem(other) for other in (path, f"./{path}", f"{path} ", f"b/{path}")}) == 4


def test_picture_says_how_its_map_was_made():
    row = Row("a/$x_1$\x1b[1m猫.png", top=(Answer("b$c_$", 0.5),))
    figure = pictures.draw(row, red_corner(), np.zeros((SIZE, SIZE), np.float32), OCCLUSION)
    texts = [axes.get_title() for axes in figure.axes] + [figure.get_supxlabel()]
    assert [text for text in texts if text] == [
        "a/$x_1$\\x1b[1m猫.png",
        "b$c_$, 50.0 %",
        "occlusion: fall of the probability (Zeiler and Fergus 2014)",
    ]
    assert all(unicodedata.category(character) != "Cc" for text in texts for character in text)


def test_explained_files_have_a_picture_each(trained, test_files, tmp_path, monkeypatch, capsys):
    files = [*list(test_files)[:2], tmp_path / "text.png"]
    files[2].write_text("text")
    call = Call(monkeypatch, capsys)
    flags = (f"--run_dir={trained}", f"--explain={tmp_path / 'new' / 'pictures'}", "--format=jsonl")
    code, out, err = call(*flags, *files)
    assert (code, "1 of 3" in err) == (1, True)
    written = {path.stem: path for path in (tmp_path / "new" / "pictures").iterdir()}
    names = [json.loads(line).get("picture") for line in out.splitlines()]
    assert names == [*(f"{pictures.file_stem(str(path))}.png" for path in files[:2]), None]
    assert written.keys() == {pictures.file_stem(str(path)) for path in files[:2]}
    for path in written.values():
        with PIL.Image.open(path) as image:
            assert image.width > 900


def test_network_of_this_run_is_explained_by_occlusion(trained):
    assert Explainer(Predictor(RunFolder(trained), 1)).method is OCCLUSION
