"""Record a training with Weights & Biases, offline: without an account and without the network.

    pip install '.[trackers]'
    python examples/track_with_wandb.py

trains the preset `quick` on shapes100_tiny, a generated data set of 2,000 training images, with the callback of
Weights & Biases for Keras. `wandb sync runs/wandb/offline-run-*` uploads the record, if you want to.
"""

import os
import pathlib

os.environ.setdefault("WANDB_ERROR_REPORTING", "false")  # read on import; otherwise its own errors are sent home

import wandb
from wandb.integration.keras import WandbMetricsLogger

from models.config import from_preset
from models.training import loop
from pipeline import prepare
from pipeline.data_config import default_data_dir

# A record may be shared: no command, user, machine or repository, and no console output.
SETTINGS = wandb.Settings(disable_git=True, console="off", x_disable_meta=True, x_disable_machine_info=True)


def main(
    folder: str = "runs", preset: str = "quick", epochs: float = 3.0, data_dir: str = default_data_dir()
) -> pathlib.Path:
    """Train, record the training in `folder`, and return the folder of the record."""
    data, train = from_preset(preset, dataset="shapes100_tiny", data_dir=data_dir, num_validation=500, epochs=epochs)
    prepare.prepare(data)
    pathlib.Path(folder).mkdir(parents=True, exist_ok=True)

    config = {**data.as_dict(), **train.as_dict(), "data_dir": ""}  # no path of this machine
    with wandb.init(mode="offline", project="streaming-cifar100", dir=folder, config=config, settings=SETTINGS) as run:
        # The callback records the metrics of each epoch, and the learning rate.
        result = loop.train(data, train, callbacks=[WandbMetricsLogger()], verbose=2)
        run.summary.update({name: result.report[name] for name in ("fine_accuracy", "coarse_accuracy")})
        recorded = pathlib.Path(run.dir).parent
    print(f"recorded {len(result.rows)} epochs in {recorded}")
    return recorded


if __name__ == "__main__":
    main()
