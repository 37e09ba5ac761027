"""Damages each saved file in each way, and reads it: the table file x kind of damage.

    python -m tests.faults.damage                    # the readers, and then the commands
    python -m tests.faults.damage --command=tune     # one command alone
    python -m tests.faults.damage --command=none     # the readers alone: seconds, without TensorFlow

Whatever a file holds, a reader returns what it stands for, or raises an error of the project in one line that names the
file. A command ends with 0, or with 1 or 2 and one line that names a file of its folder; it ends in time, and an error
leaves the file as it is.
"""

import pathlib
import tempfile

from pipeline.common import app, errors, progress
from tests.faults.damage import commands, kinds, readers

flags = app.Flags()
NAMES = [command.name for command in commands.COMMANDS]
COMMAND = flags.DEFINE_enum("command", "all", ("all", "none", *NAMES), "command to run on damaged files")


def main() -> None:
    """Try the whole table, and print the numbers tried and mishandled."""
    tried, mishandled = 0, 0
    tries = [(file, kind) for file in readers.FILES for kind in kinds.KINDS]
    with tempfile.TemporaryDirectory(prefix="damage-") as name:
        home = pathlib.Path(name).resolve()
        if COMMAND.value in ("all", "none"):
            for number, (file, kind) in enumerate(progress.track(tries, "damaging files", len(tries), "files")):
                problem = readers.read(file, kind, home / str(number))
                tried, mishandled = tried + 1, mishandled + bool(problem)
                if problem:
                    print(f"reading {file.name}, {kind}: {problem}", flush=True)
        chosen = [command for command in commands.COMMANDS if COMMAND.value in ("all", command.name)]
        if chosen:
            commands.make_states(home)
        for command in chosen:
            results = commands.problems(command, home)
            total = len(commands.tries(command, home))
            for file_name, kind, problem in progress.track(results, f"calling {command.name}", total, "calls"):
                tried, mishandled = tried + 1, mishandled + bool(problem)
                if problem:
                    print(f"{command.name} {file_name}, {kind}: {problem}", flush=True)
    print(f"{tried} tried, {mishandled} mishandled")
    if mishandled:
        raise errors.FailedError(f"{mishandled} damaged files are mishandled")


if __name__ == "__main__":
    app.run(main, flags)
