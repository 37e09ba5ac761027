"""Train an image classifier, of CIFAR-100 or of your own images, and report its validation accuracy.

    python -m models.train --preset=quick --run_dir=runs/quick

Prints the progress and a table of results. Writes config.json, metrics.jsonl, checkpoint/, model.keras, report.json and
report.html to the run's folder, and, where images were held out, an evaluation on them: confusion.json and
calibration.json, with the fitted temperatures. The same command resumes an interrupted run. Values come from --preset
(default quick), from the --config file, which overrides the preset, and from flags, which override both; naming two
different presets is an error. The trunk is the network without its heads.
"""

import pathlib
import sys
from typing import TYPE_CHECKING, Any, NoReturn

from models.config import TrainConfig, resolve, saved
from models.config.fitted import check_given, fitted
from models.reporting import table
from models.runs import folder as run_folder
from models.runtime import cluster, launcher
from models.training import preconditions
from pipeline.common import app, config, errors, files, locked_folder, progress
from pipeline.common.progress import is_terminal
from pipeline.data_config import AUTO, DataConfig
from pipeline.datasets import prepared
from pipeline.datasets.builtin import CIFAR100

if TYPE_CHECKING:
    from models.runtime import replicas

flags = app.Flags(DataConfig, TrainConfig)
RUN_DIR = flags.DEFINE_path(
    "run_dir",
    "",
    "folder of the run, resumed if interrupted and shown if finished; default: runs/PRESET-DATASET",
)
PROFILE = flags.DEFINE_path(
    "profile",
    "",
    "folder for a TensorBoard profile of the training step, calls 11 to 15, of --steps_per_call steps each",
)
EVALUATE_TEST = flags.DEFINE_bool(
    "evaluate_test", False, "after training, evaluate on test, as models.evaluate --split=test does"
)
NUM_PROCESSES = flags.DEFINE_integer(
    "num_processes", 0, "number of workers to start on this machine; only with --distribute=multi_worker", lower_bound=0
)
RESTARTS = flags.DEFINE_integer(
    "restarts", 0, "times that lost workers are started again; only with --num_processes", lower_bound=0
)
CONFIG = flags.DEFINE_path("config", "", "JSON file of flag names and values, such as a run's config.json")


def main() -> None:
    """Resolve the configuration, train, report."""
    set_flags = config.given_flags()
    file = saved.load(CONFIG.value) if CONFIG.value else {}
    saved.check_paths(file, CONFIG.value, set_flags)
    data, train = resolve(set_flags, file)
    workers = _workers(train)
    if RUN_DIR.value or data.dataset != AUTO:  # a begun run decides what `auto` is, and whether there is work to do
        data, train = _as_begun(run_folder.RunFolder(_run_dir(data, train)), data, train)
    if workers is None or workers.is_chief:
        locked_folder.check_available(pathlib.Path(_run_dir(data, train)), flag="run_dir", identity="config.json")
    if PROFILE.value:
        files.check_folder_writable("profile", pathlib.Path(PROFILE.value))
    preconditions.check(data, train)
    if workers is not None:  # TensorFlow computes to prepare data, and a worker joins the others before that
        prepared.check_prepared(data.data_dir, CIFAR100 if data.dataset == AUTO else data.prepared_name)
    from pipeline import prepare

    data = data.replace(dataset=prepare.prepare(data), data_dir=str(prepared.root(data.data_dir)))
    preconditions.check(data, train)  # again, of the prepared data set: what `auto` has become, and its records
    data, train = fitted(data, train, prepared.description(data.data_dir, data.prepared_name))
    check_given(set_flags, data, train)
    if count := NUM_PROCESSES.value or (workers and len(workers.addresses)):
        cluster.check_parts(data.batch_size, count)
    if NUM_PROCESSES.value:
        sys.exit(launcher.run(_worker_command(data), NUM_PROCESSES.value, RESTARTS.value))
    app.load_tensorflow()
    with progress.task("loading Keras"):
        from models.reporting import page
        from models.runtime import cudnn, device, precision, replicas
        from models.training import evaluation, loop
        from models.training.callbacks import Profiler

    device.allow_gpu_memory_growth()
    cudnn.warn_if_old()
    of_run = replicas.of(train.distribute)  # a worker joins the others before TensorFlow computes anything
    if workers is not None and not workers.is_chief:
        if not _is_trained(of_run):
            loop.train(data, train, verbose=0)
        return
    path = _run_dir(data, train)
    name = run_folder.RunFolder(path).as_begun("precision", train.precision)
    resolved = train.replace(precision=precision.resolve(name))
    callbacks = [Profiler(PROFILE.value)] if PROFILE.value else []
    with run_folder.open_locked(path, saved.document(data, resolved), _identity(data, resolved)) as run:
        is_trained = _is_trained(of_run, run.is_finished)
        if _is_complete(run):
            _show_finished(run)
        if not is_trained:
            verbose = 1 if is_terminal(sys.stdout) else 2  # no bar into a log
            loop.train(data, train, run=run, callbacks=callbacks, verbose=verbose)
        splits = ["validation"] * run.awaits_validation + ["test"] * EVALUATE_TEST.value
        if splits:
            evaluation.evaluate_splits(run, splits, data.data_dir, lambda report: table.show(run, report=report))
        else:
            table.show(run)
        page.write(run)
        table.show_page(run)


def _workers(train: TrainConfig) -> cluster.Cluster | None:
    """The workers of a distributed training, of which this process is one; None in a process that is none."""
    if NUM_PROCESSES.value and train.distribute != "multi_worker":
        raise errors.BadArgumentError(
            f"num_processes={NUM_PROCESSES.value}: nothing reads it without --distribute=multi_worker; set that too"
        )
    if NUM_PROCESSES.value and cluster.is_described():
        raise errors.BadArgumentError(
            f"num_processes={NUM_PROCESSES.value}: it starts workers, and {cluster.VARIABLE} names others; leave out "
            "the flag or the variable"
        )
    if RESTARTS.value and not NUM_PROCESSES.value:
        raise errors.BadArgumentError(
            f"restarts={RESTARTS.value}: nothing reads it without --num_processes; let your scheduler restart workers"
        )
    return None if NUM_PROCESSES.value or train.distribute != "multi_worker" else cluster.from_environment()


def _is_trained(of_run: "replicas.Replicas", is_finished: bool = False) -> bool:
    """Whether the chief has found a finished run, which it evaluates alone."""
    with of_run.losing():
        return of_run.any(is_finished)


def _worker_command(data: DataConfig) -> list[str]:
    """The command of a worker: this one, with what `auto` has become, but for the flags that start workers."""
    of_worker = (f"--dataset={data.dataset}", "--num_processes=0", "--restarts=0")
    return [sys.executable, "-m", "models.train", *sys.argv[1:], *of_worker]


def _run_dir(data: DataConfig, train: TrainConfig) -> str:
    return RUN_DIR.value or f"runs/{train.preset}-{data.prepared_name}"


def _as_begun(folder: run_folder.RunFolder, data: DataConfig, train: TrainConfig) -> tuple[DataConfig, TrainConfig]:
    """The configurations with each `auto` as the folder's run has it. Ends here if nothing is left to do."""
    data = data.replace(dataset=folder.as_begun("dataset", data.dataset))
    train = train.replace(precision=folder.as_begun("precision", train.precision))
    description = prepared.describe(data.data_dir, data.prepared_name)
    if description is None and data.dataset != AUTO:
        return data, train  # what is read of a run's configuration depends on data that are still to be prepared
    if description is not None:
        data, train = fitted(data, train, description)
    unresolved = {name for name, value in (("dataset", data.dataset), ("precision", train.precision)) if value == AUTO}
    folder.check_identity({key: value for key, value in _identity(data, train).items() if key not in unresolved})
    if _is_complete(folder):
        _show_finished(folder)
    return data, train


def _is_complete(folder: run_folder.RunFolder) -> bool:
    """Whether the command has nothing left to do but to show the run."""
    return folder.is_finished and not EVALUATE_TEST.value and not folder.awaits_validation


def _identity(data: DataConfig, train: TrainConfig) -> dict[str, Any]:
    return {**data.as_dict(identity_only=True), **train.as_dict(identity_only=True)}


def _show_finished(folder: run_folder.RunFolder) -> NoReturn:
    print(f"{folder.path}: this run is finished; set another --run_dir to train a new one")
    table.show(folder)
    if not folder.has_page and folder.read_only_reason is None:  # a kill came between the report and its page
        app.load_tensorflow()
        from models.reporting import page

        page.write(folder)
    table.show_page(folder)
    sys.exit(0)


def run() -> None:
    """The console script `cifar-train`."""
    app.run(main, flags, work="the training")


if __name__ == "__main__":
    run()
