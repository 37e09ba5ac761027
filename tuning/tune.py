"""Search the hyperparameters of the heads, or of the whole network, by validation accuracy or several objectives.

    python -m tuning.tune --space=heads --tuner=hyperband --objective=both --max_minutes=30

Prints the best trials. Writes report.json, report.md, plots and best.json to the session's folder. The same command
resumes an interrupted session; for a finished session it draws the report again. Then

    python -m models.train --config=SESSION/best.json --run_dir=runs/tuned

trains the best trial again, with the same accuracies on the same machine; --retrain_best does so with several seeds.
--objectives=fine,petaflop searches for trade-offs, of which --pick=TRIAL trains one again.
Several machines share one session with --serve and --join (tuning/sessions/chief.py).
"""

import contextlib
import dataclasses
import os
import sys
import time
from typing import TYPE_CHECKING, Any

from models.training import preconditions
from pipeline import address
from pipeline.common import app, config, errors, locked_folder, paths
from pipeline.data_config import AUTO, SourceConfig
from pipeline.datasets import prepared
from tuning.sessions import chief_address, journal, search_space
from tuning.sessions.config import SessionConfig
from tuning.sessions.folder import SessionFolder, ranked
from tuning.sessions.jobs import JobFactory
from tuning.sessions.options import Options
from tuning.sessions.search_space import Space
from tuning.sessions.session import Session, begun_precision, check_begun, join_session, open_session
from tuning.workers.job import MAX_SEEDS

if TYPE_CHECKING:
    from tuning.sessions.budget import Budget

flags = app.Flags(SourceConfig, SessionConfig)
SESSION_DIR = flags.DEFINE_path("session_dir", "", "folder of the session; default: runs/sessions/SPACE-TUNER-DATASET")
RETRAIN_BEST = flags.DEFINE_bool(
    "retrain_best", False, "after the search, retrain the best trial and the untuned preset, and evaluate on test"
)
PICK = flags.DEFINE_string(
    "pick",
    "",
    "number of a completed trial to retrain as --retrain_best does the best one, without further search; "
    "--max_minutes does not limit it",
)
RETRAIN_SEEDS = flags.DEFINE_integer(
    "retrain_seeds", 3, "number of seeds of --retrain_best and --pick", lower_bound=1, upper_bound=MAX_SEEDS
)
RETRAIN_CONTROLS = flags.DEFINE_bool(
    "retrain_controls",
    False,
    "with --retrain_best or --pick, also train the trial in float32, and the untuned preset for as many epochs as the "
    "frozen trunk and the heads together",
)
SERVE = flags.DEFINE_string(
    "serve",
    "",
    "HOST:PORT, such as 127.0.0.1:8700, of the session's chief, which only proposes trials",
)
JOIN = flags.DEFINE_string(
    "join", "", "HOST:PORT of a --serve, whose trials are trained here; set the same flags and the same --session_dir"
)
TOKEN_FILE = flags.DEFINE_path(
    "token_file",
    "",
    "file with the secret that workers send to the chief, which rejects calls without it; it is sent unencrypted",
)
INSECURE = flags.DEFINE_bool(
    "insecure", False, "allow --serve and --join at an address that other machines reach, without --token_file"
)


def main() -> None:
    """Run what is left of the search, then report."""
    began = time.perf_counter()
    set_flags = config.given_flags()
    if "," in set_flags.get("objectives", ""):
        set_flags = {"tuner": "optuna", **set_flags}
    session_config = config.build(SessionConfig, set_flags)
    space = search_space.find(session_config.space)
    if session_config.init_from:
        space = search_space.on_trunk(space, session_config.init_from)
    options = _options()
    options.check(set_flags, session_config, space)
    source = config.build(SourceConfig, set_flags)
    _check_places(options, session_config, space, source)
    from pipeline import prepare

    dataset = prepare.prepare(source)
    source = dataclasses.replace(source, data_dir=str(prepared.root(source.data_dir)), dataset=dataset)
    is_chosen = "objective" in set_flags or "objectives" in set_flags
    session_config, space = _fitted(session_config, space, source, is_chosen)
    path = _session_dir(session_config, space, source)
    app.load_tensorflow()
    from models.runtime import cudnn, device, precision

    device.allow_gpu_memory_growth()
    cudnn.warn_if_old()
    name = begun_precision(path, session_config.precision)
    choice = precision.choose(name)
    if name == AUTO:
        print(f"Precision: {choice.policy} ({choice.reason})")
    session_config = dataclasses.replace(session_config, precision=choice.policy)
    if options.join:
        from tuning.sessions import search

        session = join_session(path, session_config, space, source)
        session.settle_data()
        search.join(session, options.join, token=options.token)
        return
    with open_session(path, session_config, space, source) as session:
        if session.is_finished_by_earlier_version and not (options.retrains or options.serve):
            print(f"{path}: finished by an earlier version, which held out other images; drawing its report again")
            _report(session, options)
            _check_completed(session.folder.records())
            return
        session.settle_data()
        _run(session, options, began)


def _options() -> Options:
    return Options(
        retrain_best=RETRAIN_BEST.value,
        pick=PICK.value,
        retrain_seeds=RETRAIN_SEEDS.value,
        retrain_controls=RETRAIN_CONTROLS.value,
        serve=SERVE.value,
        join=JOIN.value,
        token_file=TOKEN_FILE.value,
        insecure=INSECURE.value,
    )


def _fitted(
    session_config: SessionConfig, space: Space, source: SourceConfig, is_chosen: bool
) -> tuple[SessionConfig, Space]:
    """The objective and the space for the levels of labels that the data set has; a chosen objective must fit them."""
    description = prepared.description(source.data_dir, source.prepared_name)
    of_coarse = [name for name in session_config.objective_names if name in ("both", "coarse")]
    if of_coarse and is_chosen and not description.classes.coarse:
        raise errors.BadArgumentError(
            f"objective={of_coarse[0]}: {description.dataset} has one level of labels; expected fine"
        )
    if not description.classes.coarse:
        session_config = dataclasses.replace(session_config, objective="fine")
    return session_config, search_space.for_levels(space, description.classes.counts)


def _check_completed(records: list[dict[str, Any]]) -> None:
    if not ranked(records):
        reason = f": {records[-1]['reason']}" if records else ""
        raise errors.FailedError(f"no trial of {len(records)} completed{reason}")


def _run(session: Session, options: Options, began: float) -> None:
    from tuning.sessions.budget import Budget

    budget = Budget(session, options.retrain_seeds if options.retrains else 0, began, options.retrain_controls)
    num_before, had_time = len(session.folder.records()), budget.left() > 0.0
    if not options.pick:
        _search(session, options, budget)
    records = session.folder.records()
    if num_before == len(records) > 0 and not options.pick:
        used_up = "time (--max_minutes) or petaflop (--max_petaflop)"
        print(f"{session.folder.path}: no trials, {used_up} left; only the report is drawn again")
    _report(session, options)
    if not records and any(event["event"] == "end" for event in session.folder.journal.events()):
        place = f"session_dir={session.folder.path}"
        raise errors.DamagedError(f"{place}: the records of all trials, trials/*.json, are missing; {journal.REMEDY}")
    given = {name: getattr(session.config, name) for name in ("max_minutes", "max_petaflop")}
    limits = [f"{name}={value:g}" for name, value in given.items() if value]
    if not records and not limits:
        raise errors.FailedError(f"session_dir={session.folder.path}: no trial has finished; run the command again")
    if not records:
        raise errors.BadArgumentError(
            f"{' and '.join(limits)}: no trial has ended in time; the same command with more goes on from there"
        )
    _check_completed(records)
    if options.retrains:
        from tuning.sessions import retraining

        if not had_time and not options.pick:
            print(
                f"max_minutes={session.config.max_minutes:g}: used up by the search; retraining takes additional time"
            )
        first = session.config.seed
        seeds = range(first, first + options.retrain_seeds)
        try:
            trial = options.picked(session.config, records)
            on_poll = budget.check if had_time and not options.pick else lambda: None
            retraining.run(session, trial, seeds, on_poll=on_poll, has_controls=options.retrain_controls)
        finally:
            budget.keep(at_once=True)
        _report(session, options)


def _check_places(options: Options, session_config: SessionConfig, space: Space, source: SourceConfig) -> None:
    """Check the data set's size, the session's folder and the chief's address, before minutes of preparing data."""
    path = _session_dir(session_config, space, source)
    folder = SessionFolder(paths.local(path, "session_dir"))
    JobFactory(session_config, space, source, folder.trunk_dir).check_shared()
    if options.join:
        chief_address.wait_for_chief(options.join)
        check_begun(path)
        return
    if options.pick:
        options.picked(session_config, folder.records())
    locked_folder.check_available(folder.path, flag="session_dir", identity=folder.identity_file.name)
    if options.serve:
        address.check_free("serve", options.serve)


def _session_dir(session_config: SessionConfig, space: Space, source: SourceConfig) -> str:
    default = os.path.join("runs", "sessions", f"{space.name}-{session_config.tuner}-{source.prepared_name}")
    return SESSION_DIR.value or default


def _search(session: Session, options: Options, budget: "Budget") -> None:
    """Search here or as the chief; where that ends early, report the trials so far."""
    from tuning.sessions import search

    first = session.jobs.first()
    preconditions.check(first.data, first.train)  # before hours of trials that could not but fail
    try:
        if options.serve:
            search.serve(session, options.serve, budget=budget, token=options.token)
        else:
            search.run(session, budget=budget)
    except (errors.FailedError, errors.InterruptedRunError):
        if session.folder.records():
            with contextlib.suppress(OSError):  # of a full disk, which may be why
                _report(session, options)
        raise


def _report(session: Session, options: Options) -> None:
    from tuning.sessions.reporting import write

    write.write(session, sys.argv[1:], options.retrains)


def run() -> None:
    """The console script `cifar-tune`."""
    app.run(main, flags, work="the search")


if __name__ == "__main__":
    run()
