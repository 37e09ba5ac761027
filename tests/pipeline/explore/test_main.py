import dataclasses
import itertools
import subprocess
import sys

import numpy as np
import pytest
from PIL import Image

from models.layers import pixel_scaling
from pipeline import source, stages
from pipeline.common import errors
from pipeline.data_config import DataConfig
from pipeline.datasets.shapes100 import drawing
from pipeline.explore import __main__ as explore
from pipeline.explore import count_plots, statistics
from pipeline.explore import page as explore_page
from pipeline.explore import pictures as explore_pictures
from pipeline.explore.statistics import PARTS, PixelSums, Survey
from pipeline.gallery import image_grid
from tests.conftest import ROOT
from tests.pipeline.gallery.test_main import assert_nothing_overlaps


@pytest.fixture(scope="module")
def tiny(tiny_data_dir) -> DataConfig:
    return DataConfig(dataset="shapes100_tiny", data_dir=tiny_data_dir, num_validation=500)


@pytest.fixture(scope="module")
def found(tiny) -> Survey:
    return statistics.survey(tiny)


@pytest.fixture(scope="module")
def official(tiny) -> dict[str, np.ndarray]:
    """The whole training split in memory: uint8 [N, 32, 32, 3] and labels."""
    stream = stages.chain(source.read(source.open_builder(tiny), "train"), (stages.Decode(),))
    return {name: column.numpy() for name, column in stages.in_memory(stream, 2000).items()}


@pytest.fixture(scope="module")
def uneven() -> Survey:
    """Three classes in two superclasses; "bear" is in both, and the counts differ."""
    pairs = {
        "train": np.array([[40, 0], [38, 1], [0, 39]]),
        "validation": np.array([[10, 0], [10, 0], [0, 10]]),
        "test": np.array([[1, 0], [10, 0], [0, 10]]),
    }
    sums = np.arange(2 * 32 * 32 * 3).reshape(2, 32, 32, 3)
    pixels = PixelSums(np.array([78, 40]), sums, np.full(3, 10**9))
    return Survey(
        "cifar100", ("apple", "bear", "cup"), ("big", "small"), pairs, {"train": pixels, "validation": pixels}
    )


def test_every_part_is_counted_by_both_labels(found):
    assert {part: set(found.fine_counts(part)) for part in PARTS} == {"train": {15}, "validation": {5}, "test": {5}}
    assert {part: set(found.coarse_counts(part)) for part in PARTS} == {"train": {75}, "validation": {25}, "test": {25}}
    assert found.is_nested
    coarse_of = {fine: coarse for coarse, members in found.members.items() for fine in members}
    assert tuple(coarse_of[fine] for fine in range(100)) == tuple(drawing.FINE_TO_COARSE)


def test_sums_of_train_and_validation_are_those_of_the_official_split(found, official):
    both = found.pixels["train"] + found.pixels["validation"]
    images = official["image"].astype(np.float64)
    assert both.num_images == len(images)
    np.testing.assert_allclose(both.channel_mean, images.mean(axis=(0, 1, 2)), rtol=1e-12)
    np.testing.assert_allclose(both.channel_deviation, images.std(axis=(0, 1, 2)), rtol=1e-9)
    np.testing.assert_allclose(both.mean_image, images.mean(axis=0), rtol=1e-12)
    for coarse, mean in enumerate(both.coarse_mean_images):
        np.testing.assert_allclose(mean, images[official["coarse"] == coarse].mean(axis=0), rtol=1e-12)


def test_pixels_of_test_images_are_not_looked_at(found):
    assert set(found.pixels) == {"train", "validation"}


def test_size_of_batches_changes_nothing(tiny, found, monkeypatch):
    monkeypatch.setattr(statistics, "BATCH", 77)
    again = statistics.survey(tiny)
    for part in PARTS:
        np.testing.assert_array_equal(again.label_pairs[part], found.label_pairs[part])
    for part, pixels in found.pixels.items():
        for field in dataclasses.fields(PixelSums):
            np.testing.assert_array_equal(getattr(again.pixels[part], field.name), getattr(pixels, field.name))


@pytest.mark.real_data
def test_models_scale_by_the_statistics_of_the_official_split(real_data_dir):
    found = statistics.survey(DataConfig(data_dir=real_data_dir))
    both = found.pixels["train"] + found.pixels["validation"]
    np.testing.assert_allclose(both.channel_mean, pixel_scaling.CHANNEL_MEAN, atol=6e-4)
    np.testing.assert_allclose(both.channel_deviation, pixel_scaling.CHANNEL_STD, atol=6e-4)
    assert {part: set(found.fine_counts(part)) for part in PARTS} == {
        "train": {400},
        "validation": {100},
        "test": {100},
    }


def test_middle_and_frame_of_a_square():
    image = np.zeros((32, 32, 3))
    image[8:24, 8:24] = 200
    image[0] = 24
    assert statistics.middle_and_frame(image) == (200, 1)


def test_page_tells_what_was_found(found, tmp_path):
    pictures = explore.picture_paths(str(tmp_path))
    page = explore_page.markdown(found, "flip_shift", 7, pictures)
    assert page.startswith("# shapes100_tiny: GENERATED, NOT CIFAR-100\n")
    assert "in exactly one superclass" in page
    assert "The 100 classes: train: 15 images each, validation: 5 images each, test: 5 images each." in page
    assert "The 20 superclasses: train: 75 images each, validation: 25 images each, test: 25 images each." in page
    first = found.coarse_names[0]
    members = ", ".join(found.fine_names[fine] for fine in found.members[0])
    assert f"| {first} | {members} |\n" in page
    assert f"| {first} | 75 | 25 | 25 |\n" in page
    assert "| all | 1,500 | 500 | 500 |" in page
    mean, deviation = found.pixels["train"].channel_mean[2], found.pixels["train"].channel_deviation[2]
    assert f"| train, 1,500 | blue | {mean:.3f} | {deviation:.3f} | {mean / 255:.4f} | {deviation / 255:.4f} |" in page
    assert "`flip_shift`, seed 7" in page
    assert all(f"]({path.name})" in page for path in pictures.values())
    assert "NOT equal" not in page


def test_page_tells_what_is_not_equal(uneven, tmp_path):
    page = explore_page.markdown(uneven, "none", 0, explore.picture_paths(str(tmp_path)))
    assert page.startswith("# cifar100\n")
    assert "**NOT in exactly one superclass**" in page
    assert "train: **NOT equal**, 39 (bear) to 40 (apple), validation: 10 images each" in page
    assert "test: **NOT equal**, 1 (apple) to 10 (bear)" in page
    assert "test: **NOT equal**, 10 (small) to 11 (big)" in page


def test_nothing_held_out_is_no_statistics_of_nothing(tiny, tmp_path):
    found = statistics.survey(dataclasses.replace(tiny, num_validation=0))
    page = explore_page.markdown(found, "none", 0, explore.picture_paths(str(tmp_path)))
    assert "validation: 0 images each" in page
    assert "| both, 2,000 | red |" in page
    assert "| validation, 0 |" not in page
    assert "nan" not in page


def test_every_class_is_shown_under_its_name(tiny, found, official):
    picture = explore_pictures.samples(tiny, found)
    assert [row.name for row in picture.rows] == list(found.coarse_names)
    name_of = {
        image.tobytes(): found.fine_names[fine] for image, fine in zip(official["image"], official["fine"], strict=True)
    }
    shown = [name for row in picture.rows for name in row.captions]
    assert sorted(shown) == sorted(found.fine_names)
    assert [name_of[image.tobytes()] for row in picture.rows for image in row.images] == shown
    assert "GENERATED, NOT CIFAR-100" in picture.title
    assert_nothing_overlaps(image_grid.draw(picture))


def test_mean_images_are_those_of_the_training_images(found):
    picture = explore_pictures.mean_images(found)
    first, *others = picture.rows
    assert np.abs(first.images[0] - found.pixels["train"].mean_image).max() <= 0.5
    assert [name for row in others for name in row.captions] == list(found.coarse_names)
    shown = np.concatenate([row.images for row in others])
    for image, mean in zip(shown, found.pixels["train"].coarse_mean_images, strict=True):
        assert (image.min(), image.max()) == (0, 255)
        assert np.abs(image - (mean - mean.min()) * 255 / np.ptp(mean)).max() <= 0.501
    assert_nothing_overlaps(image_grid.draw(picture))


def test_grey_image_cannot_be_stretched():
    np.testing.assert_array_equal(explore_pictures.stretched(np.full((2, 2, 3), 7.0)), 7.0)


def test_views_stand_beside_their_originals(tiny, found, official):
    unchanged = explore_pictures.augmented(tiny, found, "none", 0)
    picture = explore_pictures.augmented(tiny, found, "alternating_flip_shift", 0)
    originals = {image.tobytes() for image in official["image"]}
    for plain, row in zip(unchanged.rows, picture.rows, strict=True):
        assert plain.images[0].tobytes() in originals
        assert (plain.images == plain.images[0]).all()
        np.testing.assert_array_equal(row.images[0], plain.images[0])
        assert len({image.tobytes() for image in row.images[1:]}) > 1
    assert_nothing_overlaps(image_grid.draw(picture))
    other = explore_pictures.augmented(tiny, found, "alternating_flip_shift", 1)
    assert [row.name for row in other.rows] != [row.name for row in picture.rows]


def bars(figure) -> dict[str, list[tuple[int, str]]]:
    """What each name's bars are: how long, and what is written on them."""
    found = {}
    for axes in figure.axes:
        names = [label.get_text().replace("\n", " ") for label in axes.get_yticklabels()]
        told = [text.get_text() for text in axes.texts]
        for place, bar in enumerate(itertools.chain.from_iterable(axes.containers)):
            found.setdefault(names[place % len(names)], []).append((bar.get_width(), told[place]))
    return found


def test_bars_are_as_long_as_there_are_images(uneven):
    assert bars(count_plots.draw(uneven)) == {
        "apple": [(40, "40"), (10, "10"), (1, "")],  # too narrow for its number
        "bear": [(39, "39"), (10, "10"), (10, "10")] * 2,  # it stands under both of its superclasses
        "cup": [(39, "39"), (10, "10"), (10, "10")],
        "big": [(78, "78"), (20, "20"), (11, "11")],
        "small": [(40, "40"), (10, "10"), (10, "10")],
    }


@pytest.mark.parametrize("num_images", [1, 12_345])
def test_words_of_the_bars_do_not_overlap(found, num_images):
    pairs = {part: np.where(counts, num_images, 0) for part, counts in found.label_pairs.items()}
    names = tuple(f"a long name of a superclass, {number}" for number in range(20))
    figure = count_plots.draw(dataclasses.replace(found, coarse_names=names, label_pairs=pairs))
    renderer = image_grid.FigureCanvasAgg(figure).get_renderer()
    figure.draw(renderer)
    texts = [figure._suptitle, *figure.legends[0].get_texts()]
    for axes in figure.axes:
        shown = [label for label in axes.get_xticklabels() if label.get_position()[0] <= axes.get_xlim()[1]]
        texts += [*axes.texts, *axes.get_yticklabels(), *shown, axes.xaxis.label]
    boxes = [text.get_window_extent(renderer) for text in texts if text.get_text()]
    assert len(boxes) > 400
    for box in boxes:
        assert box.x0 >= 0 and box.y0 >= 0, box  # noqa: PT018
        assert box.x1 <= figure.bbox.x1 and box.y1 <= figure.bbox.y1, box  # noqa: PT018
    for one, other in itertools.combinations(boxes, 2):
        assert one.x1 <= other.x0 or other.x1 <= one.x0 or one.y1 <= other.y0 or other.y1 <= one.y0, (one, other)


def test_real_data_are_named_without_a_warning(uneven):
    assert uneven.title == "cifar100"


@pytest.mark.parametrize(
    ("out", "message"),
    [("", "out is missing"), ("file", "nothing can be written in"), ("file/deeper", "nothing can be written in")],
)
def test_wrong_out_is_refused(tmp_path, out, message):
    (tmp_path / "file").write_text("")
    with pytest.raises(errors.BadArgumentError, match=message):
        explore.picture_paths(str(tmp_path / out) if out else out)


def test_page_that_cannot_be_written_is_told(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(errors.FailedError, match="cannot be written"):
        explore_page.write(tmp_path / "file" / "explore.md", "text")


def call(*flags: str) -> subprocess.CompletedProcess:
    command = [sys.executable, "-m", "pipeline.explore", *flags]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)


def test_unknown_data_set_is_one_line_before_any_work(tmp_path):
    done = call("--dataset=cifar10", f"--data_dir={tmp_path / 'data'}", f"--out={tmp_path / 'out'}")
    assert done.returncode == 2
    assert len(done.stderr.splitlines()) == 1
    assert done.stderr.startswith("error: dataset='cifar10': expected one of ")
    assert not list(tmp_path.iterdir())


def test_binary_leaves_the_page_and_its_pictures(tiny, tmp_path):
    flags = ("--dataset=shapes100_tiny", f"--data_dir={tiny.data_dir}", "--num_validation=500", "--augmentation=none")
    out = tmp_path / "new" / "folder"
    done = call(*flags, f"--out={out}")
    assert done.returncode == 0, done.stderr
    assert done.stdout == f"shapes100_tiny: GENERATED, NOT CIFAR-100\nwritten: {out / 'explore.md'}\n"
    pictures = {f"{name}.png" for name in explore.PICTURES}
    assert {path.name for path in out.iterdir()} == {"explore.md", *pictures}
    for name in pictures:
        with Image.open(out / name) as file:
            assert file.format == "PNG"
