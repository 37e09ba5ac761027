"""Tune: Keras Tuner searches the heads of a network, or all of it, on validation; what was best is a --config.

    python -m tuning.tune --space=heads --tuner=hyperband --objective=both --max_minutes=30

shows the best trials as they come, and leaves report.json, report.md, plots and best.json in the session's folder. The
same command goes on where it was cut off, by whatever; on a finished session it draws the report again. Then

    python -m models.train --config=SESSION/best.json --run_dir=runs/tuned

trains the best trial again, to the same figures on the same machine; `--retrain_best` does that at once. Several
machines work on one session through `--serve` and `--join` (tuning/service.py).
"""

import contextlib
import dataclasses
import os
import pathlib
import shlex
import sys
from typing import Any, NoReturn

from absl import flags

from pipeline.common import app, config, errors, files
from pipeline.data_config import SourceConfig
from pipeline.datasets import prepared
from tuning.sessions import search_space
from tuning.sessions.search_space import Space
from tuning.sessions.session import Session, SessionConfig, ranked

config.define_flags(SourceConfig, SessionConfig)
SESSION_DIR = flags.DEFINE_string("session_dir", "", "folder of the session; default runs/sessions/SPACE-TUNER-DATASET")
RETRAIN_BEST = flags.DEFINE_bool(
    "retrain_best", False, "train the best trial again beside the untuned preset, --retrain_seeds times; then read test"
)
SERVE = flags.DEFINE_string(
    "serve",
    "",
    "HOST:PORT, such as 127.0.0.1:8700: propose trials to workers there, and train none; it has no password",
)
JOIN = flags.DEFINE_string("join", "", "HOST:PORT of a --serve: train trials for it; same flags, same --session_dir")
RETRAIN_SEEDS = flags.DEFINE_integer("retrain_seeds", 3, "seeds of --retrain_best", lower_bound=1)


def main() -> None:
    """Search what is not searched yet, then report."""
    given = config.given_flags()
    plan = config.build(SessionConfig, given)
    found = search_space.find(plan.space)
    if plan.init_from:
        found = search_space.on_trunk(found, plan.init_from)
    _refuse_contradictions(given, plan, found)
    from pipeline import prepare

    source = config.build(SourceConfig, given)
    dataset = prepare.prepare(source)
    source = dataclasses.replace(source, data_dir=str(prepared.root(source.data_dir)), dataset=dataset)
    path = pathlib.Path(
        SESSION_DIR.value or os.path.join("runs", "sessions", f"{found.name}-{plan.tuner}-{dataset}")
    ).absolute()
    app.load_tensorflow()
    from models.runtime import device, precision
    from tuning.sessions import search, session

    device.allow_gpu_memory_growth()
    plan = dataclasses.replace(plan, precision=precision.resolve(plan.precision))
    if JOIN.value:
        search.join(session.joined(path, plan, found, source), JOIN.value)
        return
    with session.claim(path, plan, found, source) as tuned:
        before = len(tuned.records())
        _search(tuned)
        if before == len(tuned.records()) > 0:
            print(f"{path}: no trial was left to train, or no time (--max_minutes); its report is drawn again")
        _report(tuned)
        best = ranked(tuned.records())
        if not best:
            _refuse_nothing(tuned)
        if RETRAIN_BEST.value:
            from tuning.sessions import retraining

            retraining.run(tuned, best[0], range(plan.seed, plan.seed + RETRAIN_SEEDS.value))
            _report(tuned)


def _refuse_contradictions(given: dict[str, Any], plan: SessionConfig, found: Space) -> None:
    if SERVE.value and JOIN.value:
        raise errors.BadArgumentError(f"serve={SERVE.value} and join={JOIN.value}: give one of the two")
    for name in ("serve", "join"):
        _refuse_address(name, given.get(name, ""))
    if SERVE.value and "workers" in given:
        raise errors.BadArgumentError(
            f"workers={plan.workers} and serve={SERVE.value}: a chief trains no trial; give --workers to those that "
            "--join"
        )
    if "max_trials" in given and plan.tuner == "hyperband":
        raise errors.BadArgumentError(
            f"max_trials={plan.max_trials}: hyperband's number of trials follows from --max_epochs, or from "
            "--max_minutes; leave it out"
        )
    if "precision" in given and "precision" in found.base:
        raise errors.BadArgumentError(
            f"precision={plan.precision}: the space has {found.base['precision']} for all of its trials; leave it out"
        )


def _search(tuned: Session) -> None:
    """Search here or as the chief; where that ends early, report what there is before the error goes on its way."""
    from models import training
    from tuning.sessions import search

    first = tuned.first_job()
    training.check(first.data, first.train)  # before hours of trials that could not but fail
    num_retrained = RETRAIN_SEEDS.value if RETRAIN_BEST.value else 0
    try:
        if SERVE.value:
            search.serve(tuned, SERVE.value, num_retrained=num_retrained)
        else:
            search.run(tuned, num_retrained=num_retrained)
    except (errors.FailedError, errors.InterruptedRunError):
        if tuned.records():
            with contextlib.suppress(OSError):  # of a full disk, which may be why
                _report(tuned)
        raise


def _refuse_address(flag: str, address: str) -> None:
    host, _, port = address.rpartition(":")
    if address and not (host and port.isdecimal() and 0 < int(port) < 2**16):
        raise errors.BadArgumentError(f"{flag}={address}: expected HOST:PORT, such as 127.0.0.1:8700")


def _report(tuned: Session) -> None:
    from tuning.sessions import page as session_page
    from tuning.sessions import plots
    from tuning.sessions import report as session_report

    command = shlex.join(["python", "-m", "tuning.tune", *sys.argv[1:]])
    report = session_report.document(tuned, command)
    files.write_json(tuned.path / "report.json", report)
    best = ranked(tuned.records())
    if best:
        files.write_json(tuned.path / "best.json", best[0]["config"])
    session_page.show(report)
    page, pictures = tuned.path / "report.md", plots.draw(report, tuned.path)
    files.write_text(page, session_page.markdown(report, [path.name for path in pictures]))
    for written in (page, *pictures, *([tuned.path / "best.json"] if best else [])):
        print(f"written: {written}")
    if best:
        print(f"to train the best trial again: python -m models.train --config={tuned.path / 'best.json'}")


def _refuse_nothing(tuned: Session) -> NoReturn:
    records = tuned.records()
    reason = records[-1]["reason"] if records else "none began within --max_minutes"
    raise errors.FailedError(f"no trial of {len(records)} completed: {reason}")


def run() -> None:
    """The console script `cifar-tune`."""
    app.run(main)


if __name__ == "__main__":
    run()
