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
import importlib.util
import os
import pathlib
import shlex
import shutil
import sys
import time
from typing import TYPE_CHECKING, Any

from models.training import preconditions
from pipeline import address
from pipeline.common import app, config, errors, files, locked_folder, paths, progress
from pipeline.data_config import AUTO, SourceConfig
from pipeline.datasets import prepared
from tuning.sessions import chief_address, journal, search_space
from tuning.sessions.folder import SessionFolder, ranked
from tuning.sessions.jobs import JobFactory, SessionConfig
from tuning.sessions.search_space import Space
from tuning.sessions.session import Session, begun_precision, check_begun, join_session, open_session
from tuning.sessions.trade_offs.front import front
from tuning.workers.job import MAX_SEEDS

if TYPE_CHECKING:
    from tuning.sessions.budget import Budget

MAX_CHOICES = 20  # in an error

flags = app.Flags(SourceConfig, SessionConfig)
SESSION_DIR = flags.DEFINE_path("session_dir", "", "folder of the session; default: runs/sessions/SPACE-TUNER-DATASET")
RETRAIN_BEST = flags.DEFINE_bool(
    "retrain_best", False, "after the search, retrain the best trial and the untuned preset, and evaluate on test"
)
PICK = flags.DEFINE_string(
    "pick", "", "number of a completed trial to retrain as --retrain_best does the best one, without any more search"
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
    "file with a secret of chief and workers, without which the chief refuses a worker; it is not encrypted on its way",
)
INSECURE = flags.DEFINE_bool(
    "insecure", False, "let --serve and --join use an address that other machines reach without a --token_file"
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
    _check_flags(set_flags, session_config, space)
    source = config.build(SourceConfig, set_flags)
    _check_places(session_config, space, source)
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
    if JOIN.value:
        from tuning.sessions import search

        session = join_session(path, session_config, space, source)
        session.settle_data()
        search.join(session, JOIN.value, token=_token())
        return
    with open_session(path, session_config, space, source) as session:
        if session.is_finished_by_earlier_version and not (_retrains() or SERVE.value):
            print(f"{path}: finished by an earlier version, which held out other images; drawing its report again")
            _report(session, _retrains())
            _check_completed(session.folder.records())
            return
        session.settle_data()
        _run(session, began)


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


def _run(session: Session, began: float) -> None:
    from tuning.sessions.budget import Budget

    budget = Budget(session, RETRAIN_SEEDS.value if _retrains() else 0, began, RETRAIN_CONTROLS.value)
    num_before, had_time = len(session.folder.records()), budget.left() > 0.0
    if not PICK.value:
        _search(session, budget)
    records = session.folder.records()
    if num_before == len(records) > 0 and not PICK.value:
        used_up = "time (--max_minutes) or petaflop (--max_petaflop)"
        print(f"{session.folder.path}: no trials, {used_up} left; only the report is drawn again")
    _report(session, _retrains())
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
    if _retrains():
        from tuning.sessions import retraining

        if not had_time:
            print(
                f"max_minutes={session.config.max_minutes:g}: used up by the search; retraining takes additional time"
            )
        first = session.config.seed
        seeds = range(first, first + RETRAIN_SEEDS.value)
        try:
            trial = _picked(session.config, records) if PICK.value else ranked(records)[0]
            on_poll = budget.check if had_time else lambda: None
            retraining.run(session, trial, seeds, on_poll=on_poll, has_controls=RETRAIN_CONTROLS.value)
        finally:
            budget.keep(at_once=True)
        _report(session, _retrains())


def _retrains() -> bool:
    return RETRAIN_BEST.value or bool(PICK.value)


def _picked(session_config: SessionConfig, records: list[dict[str, Any]]) -> dict[str, Any]:
    """The record of the trial of --pick; errors.BadArgumentError where none of that number has completed."""
    completed, names = ranked(records), session_config.objective_names
    for record in completed:
        if record["id"].lstrip("0") == PICK.value.lstrip("0"):  # some tuners write 0007
            return record
    choices = front(records, names) if len(names) > 1 else completed
    numbers = ", ".join(record["id"] for record in choices[:MAX_CHOICES]) or "none yet"
    raise errors.BadArgumentError(f"pick={PICK.value!r}: expected the number of a completed trial; the best: {numbers}")


def _check_flags(set_flags: dict[str, Any], session_config: SessionConfig, space: Space) -> None:
    """Check that flags do not contradict one another or the space."""
    if SERVE.value and JOIN.value:
        raise errors.BadArgumentError(f"serve={SERVE.value} and join={JOIN.value}: set only one of them")
    if TOKEN_FILE.value and INSECURE.value:
        raise errors.BadArgumentError(f"insecure=True and token_file={TOKEN_FILE.value}: set only one of them")
    for name, value in (("serve", SERVE.value), ("join", JOIN.value)):
        if value:
            chief_address.check(name, value)
            has_token = bool(_token())
            chief_address.check_protected(name, value, has_token=has_token, is_insecure=INSECURE.value)
    for name in ("token_file", "insecure"):
        if set_flags.get(name) and not (SERVE.value or JOIN.value):
            raise errors.BadArgumentError(
                f"{name}={set_flags[name]}: nothing reads it without --serve or --join; leave it out"
            )
    if SERVE.value and "workers" in set_flags:
        raise errors.BadArgumentError(
            f"workers={session_config.workers} and serve={SERVE.value}: a chief trains no trial; set --workers where "
            "you --join"
        )
    if "max_trials" in set_flags and session_config.tuner == "hyperband":
        raise errors.BadArgumentError(
            f"max_trials={session_config.max_trials}: hyperband's number of trials follows from --max_epochs, "
            "--max_minutes or --max_petaflop; leave it out"
        )
    for name in ("retrain_seeds", "retrain_controls"):
        if set_flags.get(name) and not _retrains():
            raise errors.BadArgumentError(
                f"{name}={set_flags[name]}: nothing reads it without --retrain_best or --pick; leave it out"
            )
    _check_objectives(set_flags, session_config)
    if "fine_weight" in set_flags and "both" not in session_config.objective_names:
        raise errors.BadArgumentError(
            f"fine_weight={session_config.fine_weight}: --objective={session_config.objective} does not read it; leave "
            "it out, or choose --objective=both"
        )
    if "precision" in set_flags and "precision" in space.base:
        raise errors.BadArgumentError(
            f"precision={session_config.precision}: the space sets {space.base['precision']}; leave it out"
        )


def _check_objectives(set_flags: dict[str, Any], session_config: SessionConfig) -> None:
    """Check the flags of several objectives, and of retraining, against one another."""
    if "objective" in set_flags and "objectives" in set_flags:
        raise errors.BadArgumentError(
            f"objective={set_flags['objective']} and objectives={set_flags['objectives']}: set only one of them"
        )
    if RETRAIN_BEST.value and session_config.objectives:
        raise errors.BadArgumentError(
            f"retrain_best=True: none is the best in objectives={session_config.objectives}; choose one by --pick"
        )
    if PICK.value and RETRAIN_BEST.value:
        raise errors.BadArgumentError(f"pick={PICK.value} and retrain_best=True: set only one of them")
    if PICK.value and (SERVE.value or JOIN.value):
        raise errors.BadArgumentError(f"pick={PICK.value}: nothing reads it with --serve or --join; leave it out")
    if session_config.tuner == "optuna" and importlib.util.find_spec("optuna") is None:
        raise errors.BadArgumentError(
            "tuner=optuna: needs optuna, which is not installed; run: python -m pip install -e '.[optuna]'"
        )


def _token() -> str:
    """The token of the chief; "" where no file is set."""
    return chief_address.token(pathlib.Path(TOKEN_FILE.value)) if TOKEN_FILE.value else ""


def _check_places(session_config: SessionConfig, space: Space, source: SourceConfig) -> None:
    """Check the data set's size, the session's folder and the chief's address, before minutes of preparing data."""
    path = _session_dir(session_config, space, source)
    folder = SessionFolder(paths.local(path, "session_dir"))
    JobFactory(session_config, space, source, folder.trunk_dir).check_shared()
    if JOIN.value:
        chief_address.wait_for_chief(JOIN.value)
        check_begun(path)
        return
    if PICK.value:
        _picked(session_config, folder.records())
    locked_folder.check_available(folder.path, flag="session_dir", identity=folder.identity_file.name)
    if SERVE.value:
        address.check_free("serve", SERVE.value)


def _session_dir(session_config: SessionConfig, space: Space, source: SourceConfig) -> str:
    default = os.path.join("runs", "sessions", f"{space.name}-{session_config.tuner}-{source.prepared_name}")
    return SESSION_DIR.value or default


def _search(session: Session, budget: "Budget") -> None:
    """Search here or as the chief; where that ends early, report the trials so far."""
    from tuning.sessions import search

    first = session.jobs.first()
    preconditions.check(first.data, first.train)  # before hours of trials that could not but fail
    try:
        if SERVE.value:
            search.serve(session, SERVE.value, budget=budget, token=_token())
        else:
            search.run(session, budget=budget)
    except (errors.FailedError, errors.InterruptedRunError):
        if session.folder.records():
            with contextlib.suppress(OSError):  # of a full disk, which may be why
                _report(session, _retrains())
        raise


def _report(session: Session, is_retrained: bool) -> None:
    from tuning.sessions import page as session_page
    from tuning.sessions import plots
    from tuning.sessions import report as session_report

    folder, best = session.folder.path, ranked(session.folder.records())
    report = session_report.document(session, shlex.join(["python", "-m", "tuning.tune", *sys.argv[1:]]))
    files.write_json(session.folder.report_file, report)
    session_page.show(report)
    page = folder / "report.md"
    with progress.task(f"drawing the plots of {page}"):
        pictures = plots.draw(report, folder)
    files.write_text(page, session_page.markdown(report, [path.name for path in pictures]))
    written, has_best = [*pictures], report["best"] is not None
    if has_best:
        written.append(folder / "best.json")
        files.write_json(written[-1], session.config_of(best[0]))
    for path in written:
        print(f"written: {paths.shown(path)}")
    python = "python" if shutil.which("python") == sys.executable else sys.executable
    if report["front"] and not is_retrained:
        arguments = [*sys.argv[1:], f"--pick={report['front'][0]}"]
        print(f"Train a trial of the front again: {shlex.join([python, '-m', 'tuning.tune', *arguments])}")
    if has_best and not is_retrained:
        run_dir = folder / "retrained" / f"trial-{best[0]['id']}"  # not models.train's default, which may be taken
        arguments = [f"--config={paths.shown(folder / 'best.json')}", f"--run_dir={paths.shown(run_dir)}"]
        print(f"Train the best trial again: {shlex.join([python, '-m', 'models.train', *arguments])}")
    print(f"Report: {paths.shown(page)}")


def run() -> None:
    """The console script `cifar-tune`."""
    app.run(main, flags, work="the search")


if __name__ == "__main__":
    run()
