"""Images of one's own go through every command, with one level of labels or two."""

import dataclasses
import functools
import json
import pathlib
import shutil

import keras
import numpy as np
import PIL.Image
import pytest

from benchmarks.memory import cases as memory_cases
from benchmarks.train_step import cases as train_step_cases
from benchmarks.train_step.cases import Effort
from models import evaluate, train, trunk
from models.config import from_preset, saved
from models.runs.folder import RunFolder, open_locked
from models.training import loop, preconditions
from models.training.evaluation import Evaluator
from pipeline import contents, prepare
from pipeline.batches import OpenedData
from pipeline.common import errors, files
from pipeline.data_config import DataConfig, SourceConfig
from pipeline.datasets import builtin, images, prepared, resizing
from pipeline.datasets.description import Description
from pipeline.explore import __main__ as explore
from tests.binaries import call_here
from tests.pipeline.datasets import archives
from tests.pipeline.datasets.archives import SMALL
from tuning import study as study_binary
from tuning import tune
from tuning.sessions import search_space
from tuning.sessions.config import SessionConfig
from tuning.sessions.jobs import JobFactory
from tuning.studies import catalogue

PER_CLASS = 20
CLASSES = ("blue car", "green car", "red leaf")
SUPERCLASSES = "fine,coarse\nblue car,vehicle\ngreen car,vehicle\nred leaf,plant\n"
SMALL_RUN = ("--preset=linear", "--epochs=1", "--batch_size=10", "--precision=float32")


def draw(folder: pathlib.Path, size: int = 40) -> pathlib.Path:
    """Images of classes that differ by their color, larger than the network's."""
    generator = np.random.default_rng(0)
    for number, name in enumerate(CLASSES):
        (folder / name).mkdir(parents=True)
        for count in range(PER_CLASS):
            pixels = generator.integers(0, 100, (size, size + 8, 3), np.uint8)
            pixels[..., 2 - number] += 150
            PIL.Image.fromarray(pixels).save(folder / name / f"{count}.png")
    return folder


@pytest.fixture(scope="module")
def home(tmp_path_factory) -> pathlib.Path:
    """A folder with `photos`, of one level of labels, and `kinds`, of two, both trained in `data` and `NAME_run`."""
    home = tmp_path_factory.mktemp("own_images")
    draw(home / "photos")
    (draw(home / "kinds") / "superclasses.csv").write_text(SUPERCLASSES)
    with pytest.MonkeyPatch.context() as patch:
        for name in ("photos", "kinds"):
            where = (f"--dataset=folder:{home / name}", "--image_size=32", f"--data_dir={home / 'data'}")
            assert call_here(patch, train.main, train.flags, *where, *SMALL_RUN, f"--run_dir={home / name}_run") == 0
            flags = (f"--run_dir={home / name}_run", "--split=test")
            assert call_here(patch, evaluate.main, evaluate.flags, *flags) == 0
    return home


def source(home: pathlib.Path, name: str = "photos") -> SourceConfig:
    return SourceConfig(dataset=f"folder:{home / name}", image_size=32, data_dir=str(home / "data"))


def description(config: SourceConfig) -> Description:
    return prepared.description(config.data_dir, config.prepared_name)


def write_class_folders(folder: pathlib.Path, official: SourceConfig) -> str:
    """Write a prepared data set of two levels as PNG files in folders of classes; their name for `--dataset`."""
    classes = description(official).classes
    for split in ("train", "test"):
        for name in classes.fine:
            (folder / split / name).mkdir(parents=True)
        examples = contents.examples(prepared.folder(official.data_dir, official.prepared_name), split)
        for number, (image, fine, _) in enumerate(examples):
            PIL.Image.fromarray(image).save(folder / split / classes.fine[fine] / f"{number}.png", compress_level=1)
    lines = [f"{name},{classes.coarse[classes.fine_to_coarse[fine]]}" for fine, name in enumerate(classes.fine)]
    (folder / "superclasses.csv").write_text("\n".join(["fine,coarse", *lines]) + "\n")
    return f"folder:{folder}"


def trained_figures(source: SourceConfig) -> tuple[float, dict[str, float]]:
    """The accuracy on validation and the figures on test of a narrow network after some steps of `tiny`."""
    narrow = {"widths": (16, 32, 64), "bottlenecks": (16, 32, 64), "resolutions": (), "precision": "float32"}
    data, config = from_preset("tiny", **narrow, max_steps=20, **source.source_values())
    result, opened = loop.train(data, config, verbose=0), OpenedData(data)
    evaluator = Evaluator(result.model, config, opened.description.classes)
    figures = evaluator(opened.evaluation("test"), opened.num_examples["test"])
    return result.report["fine_accuracy"], figures


def test_a_run_reports_its_classes_and_no_path(home):
    report = RunFolder(home / "photos_run").report()
    assert (report["dataset"], report["num_classes"], report["image_size"]) == ("folder:photos", {"fine": 3}, 32)
    assert (report["num_train"], report["num_validation"], report["num_test"]) == (39, 9, 12)
    assert report["fine_accuracy"] > 0.5  # the colors differ
    assert str(home) not in json.dumps(report)


def test_one_level_of_labels_has_no_coarse_figure(home):
    run = RunFolder(home / "photos_run")
    report, confusion = run.report(), run.evaluated("confusion")
    assert {name for name, value in report.items() if "coarse" in name and value is not None} == set()
    assert confusion["coarse"] is None
    assert confusion["fine"]["names"] == list(CLASSES)
    body = run.page.read_text().partition("<body")[2]
    assert "oarse" not in body.partition("Configuration")[0]


def test_superclasses_of_a_file_are_a_second_level(home):
    run = RunFolder(home / "kinds_run")
    assert run.report()["num_classes"] == {"fine": 3, "coarse": 2}
    assert run.report()["coarse_from_fine_accuracy"] >= run.report()["fine_accuracy"]
    assert run.evaluated("confusion")["coarse"]["names"] == ["plant", "vehicle"]
    assert run.description().classes.fine_to_coarse == (1, 1, 0)


def test_statistics_are_those_of_the_training_images(home):
    description = RunFolder(home / "photos_run").description()
    folder = prepared.folder(home / "data", source(home).prepared_name)
    pixels = np.stack([image for image, *_ in contents.examples(folder, "train")]).reshape(-1, 3)
    np.testing.assert_allclose(description.channel_means, pixels.mean(axis=0))
    np.testing.assert_allclose(description.channel_deviations, pixels.std(axis=0))


@pytest.mark.parametrize("name", ["photos", "kinds"])
def test_explore_draws_both(home, monkeypatch, name):
    out = home / f"{name}_explored"
    where = (f"--dataset=folder:{home / name}", "--image_size=32", f"--data_dir={home / 'data'}", f"--out={out}")
    assert call_here(monkeypatch, explore.main, explore.flags, *where) == 0
    page = (out / "explore.md").read_text()
    assert "blue car" in page
    assert ("superclass" in page.lower()) == (name == "kinds")
    assert len(list(out.glob("*.png"))) == 4


@pytest.fixture(scope="module")
def trunk_run(tiny_data_dir, tmp_path_factory) -> RunFolder:
    """A run of a narrow network on other images, of 32 pixels in 100 classes."""
    narrow = {"widths": (8, 8, 16), "bottlenecks": (8, 8, 16), "max_steps": 2, "precision": "float32"}
    data, config = from_preset("tiny", dataset="shapes100_tiny", data_dir=tiny_data_dir, **narrow)
    with open_locked(tmp_path_factory.mktemp("trunk") / "run", saved.document(data, config), {}) as run:
        loop.train(data, config, run=run, verbose=0)
    return run


def kernels(model: keras.Model) -> list[np.ndarray]:
    """The kernels of the convolutions of a trunk; the first one, of the whitening stem, never learns."""
    return [weight for weight in trunk.feature_extractor(model).get_weights() if weight.ndim == 4]


@pytest.mark.parametrize(
    ("name", "flags", "num_kept", "num_kernels"),
    [
        ("photos", (), 1, 10),
        ("kinds", ("--freeze_trunk",), 10, 10),
        ("photos", ("--freeze_trunk", "--unfreeze_last_block"), 7, 10),
        ("kinds", ("--freeze_trunk", "--unfreeze_last_block", "--separate_blocks"), 7, 13),
    ],
)
def test_a_run_on_other_images_is_fine_tuned(
    home, trunk_run, tmp_path, monkeypatch, name, flags, num_kept, num_kernels
):
    where = (f"--dataset=folder:{home / name}", "--image_size=48", f"--data_dir={home / 'data'}")
    start = ("--preset=finetune", f"--init_from={trunk_run.path}", "--max_steps=3", "--precision=float32", *flags)
    run = RunFolder(tmp_path / "run")
    assert call_here(monkeypatch, train.main, train.flags, *where, *start, f"--run_dir={run.path}") == 0
    model, before = run.load_model(), kernels(trunk_run.load_model())
    assert {level: logits.shape[1] for level, logits in model.output.items()} == run.report()["num_classes"]
    kept = [any(np.array_equal(kernel, one) for one in before) for kernel in kernels(model)]
    assert (sum(kept), len(kept)) == (num_kept, num_kernels)
    assert run.report()["trunk_records"] == trunk_run.report()["fingerprints"]["records"]


@pytest.mark.parametrize("space", ["heads", "full"])
def test_a_search_on_one_level_has_no_hyperparameter_of_a_coarse_head(home, tmp_path, space):
    chosen = search_space.for_levels(search_space.find(space), ("fine",))
    jobs = JobFactory(SessionConfig(space=space, objective="fine"), chosen, source(home), tmp_path)
    names = jobs.hyperparameters().defaults
    assert "fine_dropout" in names
    assert not [name for name in names if "coarse" in name or "separate" in name]
    assert jobs.trial("0", names).train.heads == "fine"


@pytest.mark.parametrize("heads", ["coarse", "both"])
def test_a_coarse_head_without_coarse_labels_is_refused(home, monkeypatch, capsys, heads):
    where = (f"--dataset=folder:{home / 'photos'}", "--image_size=32", f"--data_dir={home / 'data'}")
    flags = (*where, *SMALL_RUN, f"--heads={heads}", f"--run_dir={home / 'none'}")
    assert call_here(monkeypatch, train.main, train.flags, *flags) == 2
    assert f"heads={heads}: folder:photos has one level of labels; expected --heads=fine" in capsys.readouterr().err


@pytest.mark.parametrize("objective", ["coarse", "both"])
def test_a_search_for_coarse_accuracy_without_coarse_labels_is_refused(home, monkeypatch, capsys, objective):
    where = (f"--dataset=folder:{home / 'photos'}", "--image_size=32", f"--data_dir={home / 'data'}")
    flags = (*where, "--space=full", f"--objective={objective}", f"--session_dir={home / 'none'}")
    assert call_here(monkeypatch, tune.main, tune.flags, *flags) == 2
    assert f"objective={objective}: folder:photos has one level of labels" in capsys.readouterr().err


def test_a_study_of_coarse_heads_without_coarse_labels_is_refused(home):
    study = catalogue.find("transfer")
    with pytest.raises(errors.BadArgumentError, match=r"study=transfer: .* folder:photos has one level of labels"):
        study.jobs(study.variants, "smoke", [0], source(home))
    study = catalogue.find("fast_ablation")
    jobs = study.jobs(study.variants, "smoke", [0], source(home))
    assert {(job.train.heads, job.data.batch_size) for job in jobs} == {("fine", 39 // 8)}  # fewer than a batch


@pytest.mark.parametrize(("name", "left_out"), [("fast_ablation", {"no_coarse_loss"}), ("single_vs_joint", set())])
def test_a_study_on_one_level_has_no_variant_that_is_the_reference_again(name, left_out):
    study = catalogue.find(name)
    assert study.for_levels(("fine", "coarse")) is study
    names, kept = ({one.name for one in each.variants} for each in (study, study.for_levels(("fine",))))
    assert names - kept == left_out


def test_variants_of_two_levels_alone_are_refused_on_one_level(home, monkeypatch, capsys):
    where = (f"--dataset=folder:{home / 'photos'}", "--image_size=32", f"--data_dir={home / 'data'}")
    flags = (*where, "--study=fast_ablation", "--budget=smoke", "--variants=no_coarse_loss")
    assert call_here(monkeypatch, study_binary.main, study_binary.flags, *flags, f"--study_dir={home / 'none'}") == 2
    assert "variants='no_coarse_loss': study fast_ablation has all, " in capsys.readouterr().err


def test_benchmarks_fit_their_recipes_to_the_data(home):
    recipe = train_step_cases.Recipe("quick", source(home).as_dict(), ["float32"], Effort(1, 1, (), ()))
    assert (recipe.trains[0].heads, recipe.data.batch_size) == ("fine", (39 + 9) // 8)  # nothing is held out
    data, config = memory_cases._configs(source(home).source_values())
    assert (config.heads, data.prepared_name) == ("fine", source(home).prepared_name)


def test_a_run_is_evaluated_after_its_folder_has_moved(home, monkeypatch, capsys):
    moved = (home / "photos").rename(home / "moved")
    try:
        flags = (f"--run_dir={home / 'photos_run'}", "--split=test")
        assert call_here(monkeypatch, evaluate.main, evaluate.flags, *flags) == 0
        assert "Accuracy" in capsys.readouterr().out
        assert call_here(monkeypatch, evaluate.main, evaluate.flags, *flags, f"--data_dir={home / 'elsewhere'}") == 1
        prepare_again = f"--dataset=folder:{home / 'photos'} --image_size=32 --data_dir={home / 'elsewhere'} (first put"
        assert prepare_again in capsys.readouterr().err
    finally:
        moved.rename(home / "photos")


def test_a_flag_of_a_coarse_head_is_refused_too(home, monkeypatch, capsys):
    where = (f"--dataset=folder:{home / 'photos'}", "--image_size=32", f"--data_dir={home / 'data'}")
    flags = (*where, *SMALL_RUN, "--coarse_loss_weight=0.3", f"--run_dir={home / 'none'}")
    assert call_here(monkeypatch, train.main, train.flags, *flags) == 2
    assert "coarse_loss_weight=0.3: folder:photos has one level of labels; leave it out\n" in capsys.readouterr().err


def test_what_has_changed_is_said_and_refreshed(tmp_path, capsys):
    draw(tmp_path / "photos", size=16)
    own = SourceConfig(dataset=f"folder:{tmp_path / 'photos'}", data_dir=str(tmp_path / "data"))
    prepare.prepare(own)
    (tmp_path / "photos" / CLASSES[0] / "0.png").unlink()
    (leftover := tmp_path / "data" / ".staging-dead").mkdir()  # of a process that was killed
    prepare.prepare(own)
    assert not leftover.exists()
    assert "has changed since, files: 1 removed; --refresh prepares it again" in capsys.readouterr().err
    prepare.prepare(own, refresh=True)
    counts = prepared.description(own.data_dir, own.prepared_name).num_examples
    assert sum(counts.values()) == len(CLASSES) * PER_CLASS - 1


def test_a_source_with_another_layout_leaves_what_is_prepared_usable(tmp_path, capsys):
    own = SourceConfig(dataset=f"folder:{draw(tmp_path / 'photos', size=16)}", data_dir=str(tmp_path / "data"))
    prepare.prepare(own)
    (tmp_path / "photos" / "new class").mkdir()
    assert prepare.prepare(own) == own.dataset
    message = capsys.readouterr().err.splitlines()[-1]
    assert "folder:photos has changed since: " in message
    assert "new class" in message
    with pytest.raises(errors.BadArgumentError, match="new class"):
        prepare.prepare(own, refresh=True)
    assert prepared.is_prepared(own.data_dir, own.prepared_name)


def test_images_that_were_left_out_fail_a_later_call_that_allows_none(tmp_path):
    own = SourceConfig(dataset=f"folder:{draw(tmp_path / 'photos', size=16)}", data_dir=str(tmp_path / "data"))
    (tmp_path / "photos" / CLASSES[0] / "broken.png").write_bytes(b"no image")
    prepare.prepare(own)
    with pytest.raises(errors.BadArgumentError, match=r"^dataset=folder:photos: .*1 image, .*broken.png.*--refresh"):
        prepare.prepare(own, on_bad_image="fail")


def test_data_that_are_prepared_again_while_they_are_read_are_noticed(tmp_path):
    photos = draw(tmp_path / "photos", size=16)
    own = SourceConfig(dataset=f"folder:{photos}", data_dir=str(tmp_path / "data"))
    prepare.prepare(own)
    values = {**own.source_values(), "batch_size": 8}
    opened = {cache: OpenedData(DataConfig(**values, cache=cache)) for cache in ("none", "memory")}
    opened["none"].check_not_replaced()
    (photos / CLASSES[0] / "0.png").unlink()
    prepare.prepare(own, refresh=True)
    opened["memory"].check_not_replaced()  # which reads no file any more
    with pytest.raises(errors.FailedError, match=r"^data_dir=.*: folder:photos was prepared again"):
        opened["none"].check_not_replaced()
    with pytest.raises(errors.FailedError, match=r"was prepared again"), opened["none"].reading():
        raise ValueError("a record is missing")


def test_the_class_of_one_image_follows_from_the_files_of_a_run(home):
    """As docs/models.md tells it."""
    run = home / "photos_run"
    described = json.loads((run / "dataset.json").read_text())
    image = images.decode(images.read(home / "photos" / CLASSES[2] / "0.png")).pixels
    logits = keras.saving.load_model(run / "model.keras")(resizing.resize(image, described["image_size"])[None])
    assert described["classes"]["fine"][int(logits["fine"][0].numpy().argmax())] in CLASSES


def test_cifar100_as_class_folders_is_the_same_set_of_records(tmp_path):
    archive = archives.write_folder(tmp_path / "cifar-100-binary", archives.binary_files())
    official = SourceConfig(data_dir=str(tmp_path / "data"), archive=str(archive))
    prepare.prepare(official, spec=SMALL)
    own = SourceConfig(dataset=write_class_folders(tmp_path / "pictures", official), data_dir=official.data_dir)
    prepare.prepare(own)
    assert description(own).classes == description(official).classes
    fingerprints = contents.fingerprints(prepared.folder(own.data_dir, own.prepared_name))
    assert fingerprints == contents.fingerprints(prepared.folder(official.data_dir, official.prepared_name))


@pytest.mark.slow
@pytest.mark.real_data
def test_the_real_cifar100_as_class_folders_trains_to_the_same_figures(real_data_dir, tmp_path):
    """With the built-in statistics of the channels in place of its own, which have more digits."""
    official = SourceConfig(data_dir=real_data_dir)
    own = SourceConfig(dataset=write_class_folders(tmp_path / "pictures", official), data_dir=str(tmp_path / "data"))
    prepare.prepare(own)
    channels = {"channel_means": builtin.CHANNEL_MEANS, "channel_deviations": builtin.CHANNEL_DEVIATIONS}
    for name, built_in in channels.items():
        np.testing.assert_allclose(getattr(description(own), name), built_in, atol=6e-4)
    path = prepared.folder(own.data_dir, own.prepared_name) / prepared.DESCRIPTION
    files.write_json(path, dataclasses.replace(description(own), **channels).as_dict())
    assert trained_figures(own) == trained_figures(official)


@pytest.mark.parametrize("values", [{}, {"crop_size": 40}, {"resolutions": ((40, 0.5), (48, 0.5))}])
def test_a_built_in_data_set_is_resized(tmp_path, values):
    own = DataConfig(dataset="shapes100_tiny", image_size=48, data_dir=str(tmp_path), **values)
    assert prepare.prepare(own) == "shapes100_tiny"
    description = prepared.description(own.data_dir, own.prepared_name)
    assert (description.image_size, description.dataset) == (48, "shapes100_tiny")
    assert description.classes == prepared.description(own.data_dir, "shapes100_tiny").classes


def test_crops_of_several_sizes_share_one_prepared_folder(home, monkeypatch):
    where = (f"--dataset=folder:{home / 'photos'}", "--image_size=32", f"--data_dir={home / 'data'}")
    before = sorted(path.name for path in (home / "data").iterdir())
    for size in (20, 24):
        flags = (*SMALL_RUN, f"--crop_size={size}", "--augmentation=flip_shift", f"--run_dir={home / f'crop_{size}'}")
        assert call_here(monkeypatch, train.main, train.flags, *where, *flags) == 0
        report = RunFolder(home / f"crop_{size}").report()
        assert (report["image_size"], report["input_size"]) == (32, size)
        assert RunFolder(home / f"crop_{size}").load_model().input_shape == (None, size, size, 3)
    assert sorted(path.name for path in (home / "data").iterdir()) == before


def test_a_share_of_no_image_is_nothing_held_out(tmp_path):
    draw(tmp_path / "photos", size=16)
    for name, num_kept in zip(CLASSES, (1, 2, 2), strict=True):
        for number in range(num_kept, PER_CLASS):
            (tmp_path / "photos" / name / f"{number}.png").unlink()
    data, config = from_preset("linear", dataset=f"folder:{tmp_path / 'photos'}", data_dir=str(tmp_path / "data"))
    prepare.prepare(data)
    patient = config.replace(patience=1)
    for check in (preconditions.check, functools.partial(loop.train, verbose=0)):
        with pytest.raises(errors.BadArgumentError, match=r"^patience=1: .*num_validation=0"):
            check(data, patient)
    with pytest.raises(errors.BadArgumentError, match=r"EarlyStopping: .*num_validation=0"):
        loop.train(data, config, callbacks=keras.callbacks.EarlyStopping(), verbose=0)
    with pytest.raises(errors.BadArgumentError, match="nothing is held out"):
        OpenedData(data).evaluation("validation")
    jobs = JobFactory(SessionConfig(space="full"), search_space.find("full"), data, tmp_path)
    with pytest.raises(errors.BadArgumentError, match="a search chooses on validation"):
        jobs.check_shared()
    study = catalogue.find("fast_ablation")
    with pytest.raises(errors.BadArgumentError, match=r"^study=fast_ablation: .* nothing is held out"):
        study.jobs(study.variants, "smoke", [0], SourceConfig(**data.source_values()))
    with open_locked(tmp_path / "run", saved.document(data, config), {}) as run:
        loop.train(data, config, run=run, verbose=0)
    assert run.report()["num_validation"] == 0
    with pytest.raises(errors.BadArgumentError, match="nothing is held out"):
        preconditions.evaluated_data(run, "validation")


def test_the_default_share_is_smaller_where_equal_images_leave_no_other_choice(tmp_path):
    for path in draw(tmp_path / "photos", size=16).rglob("*.png"):
        shutil.copy(path, path.with_suffix(".copy.png"))
    data = DataConfig(dataset=f"folder:{tmp_path / 'photos'}", data_dir=str(tmp_path / "data"))
    prepare.prepare(data)
    opened = OpenedData(data)
    counts = {name: len(list(opened.examples(name).unbatch())) for name in ("train", "validation")}
    assert counts.items() <= opened.num_examples.items()
    share = data.split_sizes(opened.description)
    assert sum(counts.values()) == share["train"] + share["validation"]
    assert 0 < counts["validation"] < share["validation"]
    with pytest.raises(errors.BadArgumentError, match=f"^num_validation={share['validation']}: expected at most"):
        OpenedData(data.replace(num_validation=share["validation"]))


def test_an_empty_folder_is_one_clear_line(tmp_path):
    (tmp_path / "photos").mkdir()
    with pytest.raises(errors.BadArgumentError, match=r"^dataset=folder:.*photos: expected images in folders of class"):
        prepare.prepare(SourceConfig(dataset=f"folder:{tmp_path / 'photos'}", data_dir=str(tmp_path / "data")))
