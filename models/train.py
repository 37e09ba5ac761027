"""Train a two-headed CIFAR-100 classifier and report what it scores on validation.

    python -m models.train --preset=quick --run_dir=runs/quick

prints a progress bar and a table, and leaves config.json, metrics.jsonl, checkpoint/, model.keras, report.json and
report.html in the run's folder. The same command goes on with a run that was cut off. Defaults of the flags are those
of --preset=quick; precedence is preset < --config file < flag.
"""

import dataclasses
import os
from typing import Any

from absl import flags

from models import train_config
from models.train_config import TrainConfig
from pipeline import binary, config
from pipeline.data_config import DataConfig

config.define_flags(DataConfig, TrainConfig)
RUN_DIR = flags.DEFINE_string("run_dir", "", "folder of the run; default runs/PRESET-DATASET")
CONFIG = flags.DEFINE_string("config", "", "JSON of a saved configuration, such as a run's config.json")


def main() -> None:
    """Resolve the configuration, train, report."""
    data, train = _configs()
    binary.load_tensorflow()
    from models import device, precision, run_folder, training
    from models.reporting import page, table
    from pipeline import prepare

    device.claim_gpus_politely()
    data = dataclasses.replace(data, dataset=prepare.prepare(data))
    train = dataclasses.replace(train, precision=precision.resolve(train.precision))
    run_dir = RUN_DIR.value or os.path.join("runs", f"{train.preset}-{data.dataset}")
    identity = {**data.as_dict(identity_only=True), **train.as_dict(identity_only=True)}
    with run_folder.claim(run_dir, {**data.as_dict(), **train.as_dict()}, identity) as run:
        if run.is_finished:
            print(f"{run.path} is finished already; nothing to do (train anew with another --run_dir)")
        else:
            training.train(data, train, run=run)
        if not run.page.exists():  # training replaced the report, or a kill came between the two
            page.write(run)
        table.show(run)


def _configs() -> tuple[DataConfig, TrainConfig]:
    """The configurations of the command line: preset < file < flag. Refuses a wrong value before any work."""
    given = config.given_flags()
    file: dict[str, Any] = config.load(CONFIG.value, DataConfig, TrainConfig) if CONFIG.value else {}
    preset = given.get("preset", file.get("preset", TrainConfig().preset))
    layers = ({"preset": preset}, train_config.preset(preset), file, given)
    return config.build(DataConfig, *layers), config.build(TrainConfig, *layers)


def run() -> None:
    """The console script `cifar-train`."""
    binary.run(main)


if __name__ == "__main__":
    run()
