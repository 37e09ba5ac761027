"""Retrains the best trial of a session and the untuned preset with the same seeds, and evaluates the trial on test.

Where trials had a frozen trunk, the untuned preset of a seed is also the trunk of that seed's heads. The controls
measure other possible causes of a difference than the hyperparameters: more epochs, or the precision.
"""

import dataclasses
import pathlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from models.config import saved
from models.runs.folder import RunFolder
from pipeline.common import errors, files, progress
from pipeline.common.process import signals
from pipeline.common.process.worker_process import WorkerError
from tuning.sessions.scores import accuracies, objective
from tuning.sessions.session import Session
from tuning.workers import train_job
from tuning.workers.job import TrainingJob
from tuning.workers.pool import WorkerPool
from tuning.workers.train_job import Train

UNTUNED, TUNED = "untuned", "tuned"
LONGER, FLOAT32 = "untuned_longer", "tuned_float32"  # the controls
ACCURACIES = ("fine_accuracy", "coarse_accuracy", "coarse_from_fine_accuracy")
Evaluate = Callable[[pathlib.Path, Sequence[str]], dict[str, Any]]


@dataclasses.dataclass(frozen=True)
class _Retraining:
    name: str  # UNTUNED, TUNED or a control
    job: TrainingJob
    path: pathlib.Path
    title: str


def run(
    session: Session,
    best: Mapping[str, Any],
    seeds: Sequence[int],
    train: Train = train_job.train,
    evaluate: Evaluate = train_job.evaluate,
    on_poll: Callable[[], None] = lambda: None,
    has_controls: bool = False,
) -> dict[str, Any]:
    """Train both with each seed, finished runs excepted, and evaluate the tuned ones on test.

    With controls, where there is something to control: the preset for as many epochs as the heads and their frozen
    trunk together, and the trial in float32. `on_poll` is called again and again; an error of its own ends the
    retraining, with what is under way saved.

    Returns:
      {"trial": the best one's id, "untuned": objective on validation by seed, "tuned", "untuned_longer" and
      "tuned_float32": the same, "longer_epochs": of the control, "test": mean accuracies by name, 0 to 1}; the
      session's folder keeps it.

    Raises:
      errors.FailedError: a training or an evaluation failed.
      errors.InterruptedRunError: a signal came that ends a process; the same call goes on.
    """
    objectives: dict[str, dict[str, float]] = {}
    tests: list[dict[str, float | None]] = []
    longer_epochs = None
    try:
        with signals.Requests(listen=True) as requests, WorkerPool(requests) as pool:
            for one in (one for seed in seeds for one in _retrainings(session, best, seed, has_controls)):
                seed = one.job.train.seed
                if not RunFolder(one.path).is_finished:
                    print(f"retraining {one.title}, seed {seed}", flush=True)
                outcome = pool.call(train, one.job.shown(), one.path, on_poll=on_poll)
                value = objective(session.config, _on_validation(outcome))
                objectives.setdefault(one.name, {})[str(seed)] = value
                if one.name == LONGER:
                    longer_epochs = one.job.train.epochs
                if one.name == TUNED:
                    if outcome["report"]["split"] != "test":  # else an earlier call has read it
                        with progress.task(f"evaluating {one.title}, seed {seed}, on test"):
                            # Validation fits the temperatures, which `models.predict` needs.
                            splits = ("validation", "test")
                            outcome["report"] = pool.call(evaluate, one.path, splits, on_poll=on_poll)
                    tests.append(accuracies(outcome["report"]))
    except WorkerError as error:
        raise errors.FailedError(f"retrain_best: {error}") from error
    tested = {name: _mean([test[name] for test in tests]) for name in ("fine", "coarse")}
    outcome = {"trial": best["id"], **objectives, "longer_epochs": longer_epochs, "test": tested}
    files.write_json(session.folder.retrained_file, outcome)
    return outcome


def _retrainings(session: Session, best: Mapping[str, Any], seed: int, has_controls: bool) -> Iterator[_Retraining]:
    folder, title = session.folder, f"trial {best['id']}"
    untuned = session.jobs.trunk(seed)
    is_trunk = seed == session.config.seed and folder.trunk_dir.exists()  # the session's own
    path = folder.trunk_dir if is_trunk else folder.retrained_dir(untuned)
    yield _Retraining(UNTUNED, untuned, path, "the untuned preset")
    tuned = _tuned(session, best, seed, untuned, path)
    yield _Retraining(TUNED, tuned, folder.retrained_dir(tuned), title)
    if has_controls and session.space.has_frozen_trunk:
        epochs = untuned.train.epochs + tuned.train.epochs
        job = _changed(untuned, f"longer-{epochs:g}", epochs=epochs)  # a trial of another rung has another control
        yield _Retraining(LONGER, job, folder.retrained_dir(job), f"the untuned preset for {epochs:g} epochs")
    if has_controls and tuned.train.precision != "float32":
        job = _changed(tuned, "float32", precision="float32")
        yield _Retraining(FLOAT32, job, folder.retrained_dir(job), f"{title} in float32")


def _tuned(
    session: Session, best: Mapping[str, Any], seed: int, untuned: TrainingJob, untuned_path: pathlib.Path
) -> TrainingJob:
    """The best trial's configuration with another seed, on this seed's trunk or as long as the preset."""
    changes: dict[str, Any] = {"seed": seed}
    if session.space.has_frozen_trunk:
        changes["init_from"] = str(untuned_path)
    else:
        changes |= {"epochs": untuned.train.epochs, "patience": untuned.train.patience}
    data, train = saved.configs({**best["config"], **changes})
    return TrainingJob(f"tuned-{best['id']}", data.replace(data_dir=untuned.data.data_dir), train)


def _changed(job: TrainingJob, label: str, **changes: Any) -> TrainingJob:
    return dataclasses.replace(job, label=f"{job.label}-{label}", train=job.train.replace(**changes))


def _on_validation(outcome: Mapping[str, Any]) -> dict[str, Any]:
    """The report as the training left it; an evaluation on test may have come since."""
    last, report = outcome["rows"][-1], outcome["report"]
    return {**report, "split": "validation", **{name: last[f"validation_{name}"] for name in ACCURACIES}}


def _mean(values: Sequence[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return sum(known) / len(known) if len(known) == len(values) else None
