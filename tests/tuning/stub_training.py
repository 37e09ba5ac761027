"""What stands in for the training of a job: importable by a worker's process, and done in no time."""

import os
import pathlib
import signal
import threading
import time
from typing import Any

from pipeline.common import errors
from tuning.workers.job import TrainingJob


def outcome(job: TrainingJob, accuracy: float = 0.5, **changes: Any) -> dict[str, Any]:
    """What `tuning.workers.train_job.train` would have returned."""
    report = {
        "fine_accuracy": accuracy,
        "coarse_accuracy": accuracy + 0.1,
        "coarse_from_fine_accuracy": accuracy + 0.2,
        "coarse_source": "summed",
        "split": "validation",
        "num_train": 1500,
        "num_validation": 500,
        "num_parameters": 1_000_000,
        "epochs": 1.0,
        "train_petaflop": 0.25,
        "train_seconds": 100.0,
        "peak_rss_mib": 1500.0,
        "device": "a processor",
        "precision": "float32",
        "versions": {"python": "3.11"},
        "git_commit": "abc",
        **changes,
    }
    names = ("fine_accuracy", "coarse_accuracy", "coarse_from_fine_accuracy")
    rows = [
        {
            "epoch": epoch,
            "step": 6 * epoch,
            "examples_per_second": 1000.0 * epoch,
            **{f"validation_{name}": report[name] and epoch * report[name] / 3 for name in names},
            **{f"train_{name}": report[name] and epoch * report[name] / 4 for name in names},
        }
        for epoch in (1, 2, 3)
    ]
    return {"report": report, "rows": rows, "cell_seconds": 0.0}


def train_and_tell(job: TrainingJob, run_dir: pathlib.Path) -> dict[str, Any]:
    return outcome(job, pid=os.getpid())


def choose(precision: str) -> tuple[str, str]:
    return {"auto": "float32"}[precision], "it is the only one"


def choose_elsewhere(precision: str) -> tuple[str, str]:
    return {"auto": "mixed_bfloat16"}[precision], "it is fast"


def fail_to_choose(precision: str) -> tuple[str, str]:
    raise OSError(f"no machine for {precision}")


def train(job: TrainingJob, run_dir: pathlib.Path) -> dict[str, Any]:
    _count(job, run_dir)
    return outcome(job)


def train_but_fail_one(job: TrainingJob, run_dir: pathlib.Path) -> dict[str, Any]:
    _count(job, run_dir)
    if job.label == "unit":
        raise errors.DivergedError("fine_loss is nan,\nexpected a number")
    return outcome(job)


def train_but_fill_the_disk(job: TrainingJob, run_dir: pathlib.Path) -> dict[str, Any]:
    _count(job, run_dir)
    raise errors.WriteError(f"run_dir={run_dir}: metrics.jsonl cannot be written (No space left on device); free some")


def train_without_data(job: TrainingJob, run_dir: pathlib.Path) -> dict[str, Any]:
    _count(job, run_dir)
    raise errors.FailedError("the data set is not prepared")


def train_and_leave(job: TrainingJob, run_dir: pathlib.Path) -> dict[str, Any]:
    """Train, answer, and end the process as soon as the run folder has a file `leave`."""
    _count(job, run_dir)

    def leave() -> None:
        while not (run_dir / "leave").exists():
            time.sleep(0.01)
        os._exit(1)

    threading.Thread(target=leave, daemon=True).start()
    return outcome(job, pid=os.getpid())


def train_but_be_killed_thrice(job: TrainingJob, run_dir: pathlib.Path) -> dict[str, Any]:
    """Train, but the first three attempts at a job of the label `1` or `unit` end by SIGKILL."""
    _count(job, run_dir)
    if job.label in ("1", "0001", "unit") and _calls(run_dir).count(job.name) <= 3:
        os.kill(os.getpid(), signal.SIGKILL)
    return outcome(job, accuracy=0.5 - abs(job.train.learning_rate - 0.3), epochs=job.train.epochs)


def train_with_costs(job: TrainingJob, run_dir: pathlib.Path) -> dict[str, Any]:
    """As `train_as_well_as_the_rate`; the costs follow from the weight of the coarse loss."""
    report = train_as_well_as_the_rate(job, run_dir)
    costs = {"train_petaflop": job.train.coarse_loss_weight, "num_parameters": round(1000 * job.train.learning_rate)}
    return {**report, "report": {**report["report"], **costs}}


def train_at_no_known_cost(job: TrainingJob, run_dir: pathlib.Path) -> dict[str, Any]:
    return outcome(job, epochs=job.train.epochs, train_petaflop=float("nan"))


def train_but_wait_in_the_third_call(job: TrainingJob, run_dir: pathlib.Path) -> dict[str, Any]:
    outcome = train_as_well_as_the_rate(job, run_dir)
    return train_until_told(job, run_dir) if len(_calls(run_dir)) == 3 else outcome


def train_until_asked_to_end(job: TrainingJob, run_dir: pathlib.Path) -> dict[str, Any]:
    """Train until asked to end; a first row of metrics tells that this has begun."""
    run_dir.mkdir(parents=True)
    signal.signal(signal.SIGTERM, lambda *_: (run_dir / "saved").write_text(f"verbose={job.verbose} {job.deadline}"))
    (run_dir / "metrics.jsonl").write_text("{}\n")
    while not (run_dir / "saved").exists():
        time.sleep(0.01)
    raise errors.InterruptedRunError("saved")


def train_a_trunk_and_never_save(job: TrainingJob, run_dir: pathlib.Path) -> dict[str, Any]:
    """Train on for a minute after one is asked to end."""
    run_dir.mkdir(parents=True)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    (run_dir / "metrics.jsonl").write_text("{}\n")
    time.sleep(60.0)
    (run_dir / "saved").touch()
    raise errors.InterruptedRunError("saved")


def train_but_be_asked_to_end_once(job: TrainingJob, run_dir: pathlib.Path) -> dict[str, Any]:
    _count(job, run_dir)
    if len(_calls(run_dir)) == 1:
        raise errors.InterruptedRunError("saved")
    return outcome(job)


def train_and_be_killed(job: TrainingJob, run_dir: pathlib.Path) -> dict[str, Any]:
    _count(job, run_dir)
    os.kill(os.getpid(), signal.SIGKILL)
    raise AssertionError


def train_and_crash(job: TrainingJob, run_dir: pathlib.Path) -> dict[str, Any]:
    _count(job, run_dir)
    os.abort()


def train_and_exit(job: TrainingJob, run_dir: pathlib.Path) -> dict[str, Any]:
    _count(job, run_dir)
    os._exit(7)


def train_until_told(job: TrainingJob, run_dir: pathlib.Path) -> dict[str, Any]:
    _count(job, run_dir)
    told = []
    signal.signal(signal.SIGTERM, lambda *_: told.append(True))
    (run_dir / "waits").touch()
    while not told:
        time.sleep(0.01)
    (run_dir / "saved").touch()
    raise errors.InterruptedRunError("saved")


def _count(job: TrainingJob, run_dir: pathlib.Path) -> None:
    run_dir.mkdir(parents=True, exist_ok=True)
    with open(run_dir.parent.parent / "calls.txt", "a", encoding="ascii") as calls:
        calls.write(f"{job.name}\n")


def _calls(run_dir: pathlib.Path) -> list[str]:
    return (run_dir.parent.parent / "calls.txt").read_text(encoding="ascii").split()


def train_as_well_as_the_rate(job: TrainingJob, run_dir: pathlib.Path) -> dict[str, Any]:
    """A trial: the better, the nearer its learning rate is to 0.3; each call is counted beside the runs."""
    _count(job, run_dir)
    return outcome(job, accuracy=0.5 - abs(job.train.learning_rate - 0.3), epochs=job.train.epochs)


def train_slowly(job: TrainingJob, run_dir: pathlib.Path) -> dict[str, Any]:
    time.sleep(0.3)
    return train_as_well_as_the_rate(job, run_dir)


def train_but_fail_every_other(job: TrainingJob, run_dir: pathlib.Path) -> dict[str, Any]:
    if int(job.label) % 2:
        raise MemoryError("no room for the network")
    return train_as_well_as_the_rate(job, run_dir)


def train_and_fail(job: TrainingJob, run_dir: pathlib.Path) -> dict[str, Any]:
    raise errors.FailedError("fine_loss is nan, expected a number")


def train_to_no_number(job: TrainingJob, run_dir: pathlib.Path) -> dict[str, Any]:
    return outcome(job, accuracy=float("nan"), epochs=job.train.epochs)


def train_for_ever(job: TrainingJob, run_dir: pathlib.Path) -> dict[str, Any]:
    _count(job, run_dir)
    while True:
        time.sleep(1.0)


def train_until_the_chief_is_back(job: TrainingJob, run_dir: pathlib.Path) -> dict[str, Any]:
    outcome = train_as_well_as_the_rate(job, run_dir)
    while not (run_dir.parent.parent / "back").exists():
        time.sleep(0.01)
    return outcome


def train_again(job: TrainingJob, run_dir: pathlib.Path) -> dict[str, Any]:
    """The best trial is better by 0.05 than the untuned preset; both by a hundredth a seed."""
    better = 0.05 if job.label == "tuned-00" else 0.0
    trained = outcome(job, accuracy=0.5 + better + 0.01 * job.train.seed)
    if (run_dir / "tested").exists():
        trained["report"] |= {"split": "test", "fine_accuracy": 0.4, "coarse_from_fine_accuracy": 0.6}
    return trained


def evaluate_once(run_dir: pathlib.Path, split: str) -> dict[str, Any]:
    run_dir.mkdir(parents=True, exist_ok=True)
    (run_dir / "tested").touch(exist_ok=False)
    return outcome(None, split=split, fine_accuracy=0.4, coarse_from_fine_accuracy=0.6)["report"]
