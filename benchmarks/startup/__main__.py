"""Measure the seconds from the start of a process to the end of --help, and to the first training step.

    python -m benchmarks.startup --presets=quick,tiny --out=FILE.json

Each preset is trained for one step, without validation, in a process of its own and a temporary folder. Rows:
  ours/help/BINARY         seconds to the end of `python -m BINARY --help`
  ours/PRESET/first_step   seconds to the start of the first step: imports, data opened and shuffled, network built
  ours/PRESET/first_result seconds to its end, tracing and compiling included
The data set is prepared before anything is timed.
"""

import collections
import dataclasses
import sys

from benchmarks.harness import cli_output, results
from benchmarks.harness import data as harness_data
from benchmarks.harness.labels import Labels
from benchmarks.harness.startup_times import BINARIES, first_step_s, help_s
from models.config import presets
from pipeline.common import app, errors, progress
from pipeline.data_config import SourceConfig

flags = app.Flags(SourceConfig)
PRESETS = flags.DEFINE_list("presets", ["quick", "tiny"], f"some of {', '.join(presets.WITH_NETWORK)}")
REPEATS = flags.DEFINE_integer("repeats", 7, "number of processes of each kind; kinds take turns", lower_bound=1)
QUICK = flags.DEFINE_bool("quick", False, "under a minute: the first of --presets, one process of each kind")
cli_output.define_flags(flags)


def main() -> None:
    """Prepare, measure in turns, publish."""
    cli_output.check("startup", ("repeats",))
    names = list(dict.fromkeys(PRESETS.value))
    if not names:
        raise errors.BadArgumentError("presets is empty: expected some, such as quick,tiny")
    for name in names:
        if name not in presets.WITH_NETWORK:
            raise errors.BadArgumentError(f"presets={name!r}: expected some of {', '.join(presets.WITH_NETWORK)}")
    names, repeats = (names[:1], 1) if QUICK.value else (names, REPEATS.value)
    from pipeline.datasets import prepared

    source = harness_data.source_of_flags()
    data_dir = str(prepared.root(source.data_dir))
    data = harness_data.flags_of(dataclasses.replace(source, data_dir=data_dir, archive=""))
    seconds: dict[Labels, list[float]] = collections.defaultdict(list)

    def rows() -> list[results.Row]:
        return [results.row(labels, "s", values) for labels, values in seconds.items()]

    with cli_output.publishing("startup", rows):
        calls = [*BINARIES, *names] * repeats
        for name in progress.track(calls, "measuring", len(calls), "processes", in_background=False):
            if name in BINARIES:
                seconds[Labels.of("ours/help/{binary}", "help", binary=name)].append(help_s(name))
            else:
                spent = first_step_s([sys.executable, "-m", "models.train", f"--preset={name}", *data])
                for kind, value in zip(("first_step", "first_result"), spent, strict=True):
                    seconds[Labels.of(f"ours/{{recipe}}/{kind}", kind, recipe=name)].append(value)


if __name__ == "__main__":
    app.run(main, flags)
