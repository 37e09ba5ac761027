"""Train from Python with a Keras callback of your own.

    python examples/train_with_callback.py

trains the preset `quick` on shapes100_tiny, a generated data set of 2,000 training images, until the validation
accuracy reaches a target. Call `main(dataset="cifar100", num_validation=10_000)` to train on CIFAR-100.
"""

import keras

from models.config import from_preset
from models.training import loop
from pipeline import prepare
from pipeline.data_config import default_data_dir


class StopAtAccuracy(keras.callbacks.Callback):
    """Stops training after the first epoch whose fine validation accuracy reaches `target` (0 to 1)."""

    def __init__(self, target: float) -> None:
        super().__init__()
        self.target = target

    def on_epoch_end(self, epoch: int, logs: dict[str, float]) -> None:
        """Keras's hook. The logs hold the metrics of each head: fine, coarse, and val_... of both."""
        if logs["val_fine_accuracy"] >= self.target:
            print(f"epoch {epoch + 1}: validation accuracy {logs['val_fine_accuracy']:.1%}, target {self.target:.1%}")
            self.model.stop_training = True


def main(
    dataset: str = "shapes100_tiny",
    data_dir: str = default_data_dir(),
    num_validation: int = 500,
    epochs: float = 12.0,
    target: float = 0.1,
) -> loop.TrainResult:
    """Prepare the data, train, and use the trained model."""
    # A preset is a complete recipe. The keywords are the flags of `python -m models.train`.
    data, train = from_preset("quick", dataset=dataset, data_dir=data_dir, num_validation=num_validation, epochs=epochs)
    prepare.prepare(data)  # does nothing where the data set is prepared

    # Without `run=` nothing is written to disk: no checkpoint, no report.
    result = loop.train(data, train, callbacks=[StopAtAccuracy(target)], verbose=2)

    # The report is the content of report.json; `rows` has one entry for each epoch, as metrics.jsonl.
    report = result.report
    print(f"{len(result.rows)} epochs, {report['steps']} steps on {report['num_train']:,} images")
    print(f"validation accuracy: fine {report['fine_accuracy']:.1%}, coarse {report['coarse_accuracy']:.1%}")

    # The model is a plain keras.Model: pixels from 0 to 255 in, logits of both heads out.
    logits = result.model(keras.ops.zeros((1, 32, 32, 3)))
    print("output shapes:", {head: tuple(values.shape) for head, values in logits.items()})
    return result


if __name__ == "__main__":
    main()
