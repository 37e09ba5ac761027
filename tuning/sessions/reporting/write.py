"""Writes a session's report, page, plots and best.json, and says where they are."""

import shlex
import shutil
import sys
from collections.abc import Sequence

from pipeline.common import files, paths, progress
from tuning.sessions.folder import ranked
from tuning.sessions.reporting import page as session_page
from tuning.sessions.reporting import plots
from tuning.sessions.reporting import report as session_report
from tuning.sessions.session import Session


def write(session: Session, arguments: Sequence[str], is_retrained: bool) -> None:
    """Write them, show the table, and print the command that trains a trial again where none is retrained.

    `arguments` are those with which `tuning.tune` was called.
    """
    folder, best = session.folder.path, ranked(session.folder.records())
    report = session_report.document(session, shlex.join(["python", "-m", "tuning.tune", *arguments]))
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
    if report["front"] and not is_retrained:
        print(f"Train a trial of the front again: {pick_command(arguments, report['front'][0])}")
    if has_best and not is_retrained:
        run_dir = folder / "retrained" / f"trial-{best[0]['id']}"  # not models.train's default, which may be taken
        values = [f"--config={paths.shown(folder / 'best.json')}", f"--run_dir={paths.shown(run_dir)}"]
        print(f"Train the best trial again: {shlex.join([_python(), '-m', 'models.train', *values])}")
    print(f"Report: {paths.shown(page)}")


def pick_command(arguments: Sequence[str], trial: str) -> str:
    """How to retrain a trial of the session that `tuning.tune` ran with these arguments."""
    if any(argument.lstrip("-").startswith("serve") for argument in arguments):  # a chief trains nothing
        return f"the same command with --pick={trial}, without --serve, --token_file and --insecure"
    return shlex.join([_python(), "-m", "tuning.tune", *arguments, f"--pick={trial}"])


def _python() -> str:
    return "python" if shutil.which("python") == sys.executable else sys.executable
