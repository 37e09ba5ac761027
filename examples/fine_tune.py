"""Fine-tune a trained network on a small data set, and compare it with training from scratch.

    python examples/fine_tune.py RUN_DIR

RUN_DIR is a finished run on a larger data set, such as runs/tiny-cifar100 of `python -m models.train --preset=tiny`.
The small data set is scikit-learn's handwritten digits: 20 training images of each digit, 60 for validation, the others
for test.
"""

import pathlib
import sys
import tempfile

import numpy as np
import PIL.Image
from sklearn import datasets

from models.config import from_preset, saved
from models.runs import folder
from models.training import evaluation, loop
from pipeline import prepare

SPLITS = [*["train"] * 20, *["validation"] * 60]  # of the first images of each digit; the others are test images


def write_digits(home: pathlib.Path) -> None:
    """Write the digits as class folders: home/SPLIT/CLASS/*.png."""
    digits = datasets.load_digits()
    for digit, name in enumerate(digits.target_names):
        for number, image in enumerate(digits.images[digits.target == digit]):
            split = SPLITS[number] if number < len(SPLITS) else "test"
            path = home / split / f"digit {name}" / f"{number}.png"
            path.parent.mkdir(parents=True, exist_ok=True)
            PIL.Image.fromarray((image * 255 / 16).astype(np.uint8)).save(path)


def main(init_from: str, **fields: float | str) -> dict[str, float]:
    """Train in both ways for the same number of epochs; return the test accuracy by preset. `fields` are flags."""
    accuracies = {}
    with tempfile.TemporaryDirectory() as home:
        write_digits(pathlib.Path(home, "digits"))
        # The images have 8 x 8 pixels: they are resized once, while they are prepared.
        fields = {"dataset": f"folder:{home}/digits", "image_size": 32, "data_dir": f"{home}/data", **fields}
        tuned = from_preset("finetune", init_from=init_from, **fields)
        scratch = from_preset("quick", **{"epochs": tuned[1].epochs, **fields})
        prepare.prepare(tuned[0])
        for data, train in (scratch, tuned):
            with folder.open_locked(f"{home}/{train.preset}", saved.document(data, train), {}) as run:
                loop.train(data, train, run=run, verbose=0)
                report = evaluation.evaluate_run(run, "test")
            accuracies[train.preset] = report["fine_accuracy"]
            print(f"{train.preset:8}  {report['steps']} steps, test accuracy {report['fine_accuracy']:.1%}", flush=True)
    return accuracies


if __name__ == "__main__":
    main(sys.argv[1])
