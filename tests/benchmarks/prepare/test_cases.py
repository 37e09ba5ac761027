"""Generated images differ; a preparation is killed half-way and continued; each kind of row is measured."""

import hashlib
import json
import subprocess
import sys

import PIL.Image
import pytest

from benchmarks.prepare import cases
from pipeline.common import errors
from pipeline.data_config import SourceConfig
from pipeline.datasets import prepared
from pipeline.datasets.conversion import parts
from tests.conftest import ROOT


def test_generated_images_differ_and_are_spread_over_the_classes(tmp_path):
    files = list(cases.generate(tmp_path, 25, 10, 16))
    assert sorted(len(list(folder.iterdir())) for folder in tmp_path.iterdir()) == [2] * 5 + [3] * 5
    assert len({hashlib.sha256(path.read_bytes()).digest() for path in files}) == 25
    for path in files:
        with PIL.Image.open(path) as image:
            assert (image.format, image.size) == ("JPEG", (16, 16))


def test_killed_preparation_is_continued(tmp_path):
    list(cases.generate(tmp_path / "images", 2_000, 10, 8))
    source = SourceConfig(dataset=f"folder:{tmp_path / 'images'}", data_dir=str(tmp_path / "data"), image_size=8)
    cases.kill_half_way(source, 2_000)
    assert parts.num_finished(prepared.parts_folder(source.data_dir, source.prepared_name)) >= 2
    assert not prepared.is_prepared(source.data_dir, source.prepared_name)
    continued = cases.prepare(source)
    assert 1_000 <= continued["kept"] <= 2_000
    assert continued["peak_mib"] > 10
    assert prepared.is_prepared(source.data_dir, source.prepared_name)


def test_preparation_that_fails_is_told_of(tmp_path):
    source = SourceConfig(dataset=f"folder:{tmp_path / 'missing'}", data_dir=str(tmp_path / "data"), image_size=8)
    with pytest.raises(errors.FailedError, match="exit code 2"):
        cases.prepare(source)
    with pytest.raises(errors.FailedError, match="before it could be killed"):
        cases.kill_half_way(source, 2_000)


def test_binary_measures_each_kind(tmp_path):
    out = tmp_path / "prepare.json"
    command = [sys.executable, "-m", "benchmarks.prepare", "--num_images=2000", "--num_classes=2", "--image_size=8"]
    command += ["--max_steps=1", f"--out={out}"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    rows = {row["kind"]: row for row in json.loads(out.read_text())["rows"]}
    assert set(rows) == {"prepare", "kept", "continue", "first_step", "train_peak"}
    assert rows["prepare"]["peak_mib"] > 10
    assert rows["train_peak"]["median"] > 100
    assert 1_000 <= rows["kept"]["median"] <= 2_000
