"""The preset `finetune` has the network of the run that it starts from."""

import json
import shutil

import pytest

from models.config import from_preset, preset_changes, resolve, saved
from pipeline.common import errors


@pytest.fixture
def run_dir(tmp_path) -> str:
    """A folder with the configuration of a run, of another network than the default."""
    data, train = from_preset("fast", widths=(8, 8, 16), heads="fine", dataset="shapes100_tiny", seed=3)
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "config.json").write_text(json.dumps(saved.document(data, train)))
    return str(tmp_path / "run")


def test_its_network_is_the_runs_and_nothing_else_is(run_dir):
    data, train = from_preset("finetune", init_from=run_dir)
    assert (train.architecture, train.widths, train.activation) == ("speedrun", (8, 8, 16), "silu")
    assert train.logit_scale == from_preset("fast")[1].logit_scale
    assert (data.dataset, data.resolutions, train.heads, train.optimizer, train.seed) == (
        "cifar100",
        (),
        "both",
        "adam",
        0,
    )


def test_its_changes_are_the_flags_that_make_it(run_dir):
    assert preset_changes(*from_preset("finetune", init_from=run_dir)) == {"init_from": run_dir}
    changes = {"init_from": run_dir, "freeze_trunk": True, "unfreeze_last_block": True, "epochs": 2.0}
    assert preset_changes(*from_preset("finetune", **changes)) == changes


def test_a_flag_and_a_file_come_before_the_runs_network(run_dir):
    _, train = resolve({"norm_scale": False}, {"preset": "finetune", "init_from": run_dir, "logit_scale": 0.5})
    assert (train.architecture, train.norm_scale, train.logit_scale) == ("speedrun", False, 0.5)


def test_what_it_saved_is_read_without_the_run(run_dir):
    configs = from_preset("finetune", init_from=run_dir)
    document = saved.document(*configs)
    shutil.rmtree(run_dir)
    assert resolve({}, document) == saved.configs(document) == configs


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({}, "preset=finetune: expected --init_from=RUN_DIR"),
        ({"init_from": ""}, "preset=finetune: expected --init_from=RUN_DIR"),
        ({"init_from": "/nowhere"}, "init_from=/nowhere: expected a folder that models.train wrote"),
    ],
)
def test_without_a_run_it_is_refused(values, message):
    with pytest.raises(errors.BadArgumentError) as refused:
        from_preset("finetune", **values)
    assert str(refused.value).startswith(message)


def test_a_damaged_run_is_named(run_dir):
    with open(f"{run_dir}/config.json", "w") as file:
        file.write("{")
    with pytest.raises(errors.DamagedError, match=f"^init_from={run_dir}: config.json"):
        from_preset("finetune", init_from=run_dir)
