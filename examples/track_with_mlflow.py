"""Record a training with MLflow, in local files and without a server.

    pip install '.[trackers]'
    python examples/track_with_mlflow.py

trains the preset `quick` on shapes100_tiny, a generated data set of 2,000 training images, with MLflow's own Keras
callback. `mlflow ui --backend-store-uri=sqlite:///runs/mlflow.db` shows the recorded runs.
"""

import os
import pathlib

os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")  # read on import; otherwise MLflow sends telemetry

import mlflow
from mlflow.tensorflow import MlflowCallback

from models.config import from_preset
from models.training import loop
from pipeline import prepare
from pipeline.data_config import default_data_dir

NAME = "streaming-cifar100"
# A record may be shared: it does not name the user, the path of the script and the repository, as it would by default.
GIT_TAGS = [f"mlflow.source.git.{name}" for name in ("commit", "branch", "repoURL")]
NO_TAGS = dict.fromkeys(["mlflow.user", "mlflow.source.name", *GIT_TAGS], "")


def main(folder: str = "runs", preset: str = "quick", epochs: float = 3.0, data_dir: str = default_data_dir()) -> str:
    """Train, record the training in `folder`, and return its identifier."""
    data, train = from_preset(preset, dataset="shapes100_tiny", data_dir=data_dir, num_validation=500, epochs=epochs)
    prepare.prepare(data)

    path = pathlib.Path(folder).absolute()
    path.mkdir(parents=True, exist_ok=True)
    mlflow.set_tracking_uri(f"sqlite:///{path / 'mlflow.db'}")  # without it, files go to the working folder
    if mlflow.get_experiment_by_name(NAME) is None:
        mlflow.create_experiment(NAME, artifact_location=(path / "mlflow-artifacts").as_uri())
    mlflow.set_experiment(NAME)

    with mlflow.start_run(tags=NO_TAGS) as run:
        mlflow.log_params({**data.as_dict(), **train.as_dict(), "data_dir": ""})  # no path of this machine
        # The callback records the optimizer, a summary of the model, and the metrics of each epoch.
        result = loop.train(data, train, callbacks=[MlflowCallback()], verbose=2)
        mlflow.log_dict(result.report, "report.json")
    print(f"recorded {len(result.rows)} epochs as run {run.info.run_id}")
    return run.info.run_id


if __name__ == "__main__":
    main()
