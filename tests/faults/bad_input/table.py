"""The table of bad input: for each flag of each binary, values that must be refused, by kind.

The values follow from the type and range of a flag; those that depend on what a flag means are in CONTRADICTIONS.
"""

import dataclasses
import importlib
from typing import Any

from absl import flags as absl_flags

from models.config.training import TrainConfig
from pipeline.common import app, paths
from pipeline.common.config import CHECKOUT, settings
from pipeline.common.setting import Setting, as_text
from pipeline.data_config import DataConfig
from pipeline.explore.__main__ import ExploreConfig
from pipeline.gallery.__main__ import GalleryConfig
from tuning.sessions.config import SessionConfig

LAYERS = ("pipeline", "models", "tuning", "benchmarks")
MAX_ENTRIES = 10  # of a flag
HUGE = "9" * 400
FILE, FOLDER = "a-file", "a-folder"  # which are in the working folder of each call
WRONG_TYPE, OUT_OF_RANGE, EMPTY, HUGE_VALUE = "wrong type", "out of range", "empty", "huge"
UNICODE, NEWLINE, CONTRADICTION = "Unicode", "newline", "contradiction"
Values = tuple[tuple[str, str], ...]  # kind and value

WHOLE: Values = (
    (WRONG_TYPE, "ten"),
    (WRONG_TYPE, "1.5"),
    (WRONG_TYPE, "nan"),
    (EMPTY, ""),
    (HUGE_VALUE, HUGE),
    (UNICODE, "五"),
    (NEWLINE, "1\n2"),
)
NUMBER: Values = (
    (WRONG_TYPE, "ten"),
    (WRONG_TYPE, "nan"),
    (OUT_OF_RANGE, "-inf"),
    (EMPTY, ""),
    (HUGE_VALUE, "1e999"),
    (UNICODE, "五"),
    (NEWLINE, "1\n2"),
)
BOOLEAN: Values = (
    (WRONG_TYPE, "maybe"),
    (OUT_OF_RANGE, "2"),
    (EMPTY, ""),
    (HUGE_VALUE, HUGE),
    (UNICODE, "да"),
    (NEWLINE, "true\nfalse"),
)
CHOICE: Values = (
    (WRONG_TYPE, "1"),
    (OUT_OF_RANGE, "no_such_value"),
    (EMPTY, ""),
    (HUGE_VALUE, "x" * 100_000),
    (UNICODE, "données"),
    (NEWLINE, "auto\n"),
)
NUMBERS: Values = (
    (WRONG_TYPE, "ten"),
    (WRONG_TYPE, "1,nan"),
    (OUT_OF_RANGE, "0,0,0"),
    (OUT_OF_RANGE, "-1,8,8"),
    (HUGE_VALUE, f"{HUGE},{HUGE},{HUGE}"),
    (UNICODE, "五,五,五"),
    (NEWLINE, "8\n8,8"),
)
PATH: Values = (
    (WRONG_TYPE, "gs://bucket/folder"),
    (OUT_OF_RANGE, "~no_such_user/folder"),
    (HUGE_VALUE, "x" * 300),
    (HUGE_VALUE, "folder/" * 1000),
    (UNICODE, "\udcff"),
    (NEWLINE, "two\nlines"),
)
NAMES: Values = (
    (WRONG_TYPE, "nan"),
    (OUT_OF_RANGE, "-1"),
    (OUT_OF_RANGE, "no_such_value"),
    (HUGE_VALUE, "x" * 100_000),
    (UNICODE, "五"),
    (NEWLINE, "two\nlines"),
    (EMPTY, ","),
)

# The first class that a flag's parser is of.
BY_PARSER: tuple[tuple[type[absl_flags.ArgumentParser], Values], ...] = (
    (absl_flags.BooleanParser, BOOLEAN),
    (absl_flags.IntegerParser, WHOLE),
    (absl_flags.FloatParser, NUMBER),
    (absl_flags.EnumParser, CHOICE),
    (paths.PathParser, PATH),
    (paths.PathListParser, PATH),
    (absl_flags.ListParser, NAMES),
    (absl_flags.ArgumentParser, CHOICE),
)
SETTINGS = settings(DataConfig, TrainConfig, SessionConfig, ExploreConfig, GalleryConfig)
# Of the flags that are texts.
MAY_BE_EMPTY = {"coarse_key", "data_service", "dispatcher", "fine_key", "join", "objectives", "pick", "serve"}
# Flags whose names are those of Keras layers, so that a wrong one is refused after TensorFlow is loaded.
LATE = {("benchmarks.augment.__main__", "sets")}
# A run that has ended; it is of an earlier version, whose trunk no run of this one takes.
RUN = CHECKOUT / "tests" / "models" / "written_by_710a023" / "finished"
# Flags without which a binary refuses every call.
NEEDED = {"models.serve": (f"--run_dir={RUN}",), "tuning.study": ("--study=fast_ablation", "--budget=smoke")}


def _of_data(*needed: str) -> tuple[tuple[str, tuple[str, ...]], ...]:
    """Contradictions of the flags of a data set, with the flags without which the binary refuses every call."""
    rows = (
        ("data_dir", f"--data_dir={FILE}"),
        ("data_dir", f"--data_dir={FILE}/data"),
        ("archive", "--archive=missing.tar.gz"),
        ("archive", f"--archive={FILE}"),
        ("archive", f"--archive={FOLDER}"),
        ("crop_size", "--crop_size=7"),
        ("crop_size", "--crop_size=33"),
    )
    unread = ("archive", (*needed, f"--archive={FILE}", "--dataset=shapes100"))
    return (*((flag, (*needed, argument)) for flag, argument in rows), unread)


_OF_BENCHMARKS = (
    ("out", (f"--out={FOLDER}",)),
    ("out", (f"--out={FILE}/result.json",)),
    ("compare", ("--compare=missing.json",)),
    ("compare", (f"--compare={FILE}",)),
)
# By binary: a flag and the arguments in which it contradicts another flag or the working folder.
CONTRADICTIONS: dict[str, tuple[tuple[str, tuple[str, ...]], ...]] = {
    "models.train": (
        *_of_data(),
        ("num_validation", ("--num_validation=50000",)),
        ("num_validation", ("--num_validation=2000", "--dataset=shapes100_tiny")),
        ("batch_size", ("--batch_size=45001",)),
        ("batch_size", ("--batch_size=1501", "--dataset=shapes100_tiny")),
        ("virtual_examples", ("--virtual_examples=1",)),
        ("patience", ("--patience=3", "--num_validation=0")),
        ("data_service", ("--data_service=127.0.0.1",)),
        ("data_service", ("--data_service=127.0.0.1:8710", "--cache=disk")),
        ("epochs", ("--epochs=0.000001",)),
        ("epochs", ("--epochs=1e17",)),
        ("init_from", ("--init_from=missing",)),
        ("init_from", (f"--init_from={FOLDER}",)),
        ("init_from", (f"--init_from={FILE}",)),
        ("init_from", (f"--init_from={RUN}",)),
        ("preset", ("--preset=finetune",)),
        ("profile", (f"--profile={FILE}",)),
        ("profile", (f"--profile={FILE}/trace",)),
        ("config", ("--config=missing.json",)),
        ("config", (f"--config={FILE}",)),
        ("config", (f"--config={FOLDER}",)),
        ("run_dir", (f"--run_dir={FILE}",)),
        ("run_dir", (f"--run_dir={FILE}/run",)),
        ("resolutions", ("--resolutions=16:0.5,24:0.5",)),
        ("resolutions", ("--resolutions=16:0.5,32:0.6",)),
        ("resolutions", ("--resolutions=16:0.5,32:0.5", "--architecture=linear")),
        ("unaugmented_fraction", ("--unaugmented_fraction=0.00001",)),
        ("distribute", ("--distribute=multi_worker",)),
        ("data_service", ("--data_service=127.0.0.1:8710", "--distribute=mirrored")),
        ("num_processes", ("--num_processes=2",)),
        ("restarts", ("--restarts=1",)),
    ),
    "models.evaluate": (
        ("run_dir", ()),
        ("run_dir", ("--run_dir=missing",)),
        ("run_dir", (f"--run_dir={FILE}",)),
        ("run_dir", (f"--run_dir={FOLDER}",)),
        ("data_dir", (f"--data_dir={FILE}", f"--run_dir={RUN}")),
        ("data_dir", (f"--data_dir={FILE}/data", f"--run_dir={RUN}")),
    ),
    "models.predict": (
        ("run_dir", ()),
        ("run_dir", ("--run_dir=missing",)),
        ("run_dir", (f"--run_dir={FILE}", FILE)),
        ("split", ("--split=test", f"--run_dir={RUN}", FILE)),
        ("data_dir", (f"--data_dir={FILE}", "--split=test", f"--run_dir={RUN}")),
        ("data_dir", (f"--data_dir={FOLDER}", f"--run_dir={RUN}", FILE)),
        ("out", (f"--out={FOLDER}", f"--run_dir={RUN}", FILE)),
        ("out", (f"--out={FILE}/rows.csv", f"--run_dir={RUN}", FILE)),
        ("explain", (f"--explain={FILE}", f"--run_dir={RUN}", FILE)),
    ),
    "models.export": (
        ("run_dir", ()),
        ("run_dir", ("--run_dir=missing",)),
        ("run_dir", (f"--run_dir={FILE}",)),
        ("format", (f"--run_dir={RUN}", "--format=tflite")),
        ("format", (f"--run_dir={RUN}", "--format=keras,keras")),
        ("data_dir", (f"--data_dir={FILE}", f"--run_dir={RUN}")),
        ("out", (f"--run_dir={RUN}", f"--out={FILE}")),
        ("out", (f"--run_dir={RUN}", f"--out={FILE}/out")),
        ("figures", (f"--run_dir={RUN}", f"--figures={FOLDER}")),
        ("figures", (f"--run_dir={RUN}", f"--figures={FILE}/a.json")),
    ),
    "models.serve": (
        ("run_dir", ("--run_dir=missing",)),
        ("run_dir", (f"--run_dir={FILE}",)),
        ("host", ("--host=203.0.113.1",)),
    ),
    "pipeline.data_service.__main__": (
        ("role", ("--role=worker,worker",)),
        ("dispatcher", ("--dispatcher=127.0.0.1:8710",)),
        ("dispatcher", ("--role=worker",)),
        ("work_dir", ("--role=worker", "--dispatcher=127.0.0.1:8710", "--work_dir=work")),
        ("work_dir", (f"--work_dir={FILE}",)),
        ("work_dir", (f"--work_dir={FILE}/work",)),
        ("host", ("--host=0.0.0.0",)),
        ("host", ("--role=worker", "--dispatcher=203.0.113.1:8710")),
    ),
    "pipeline.prepare": (*_of_data(), ("archive", ("--archive=/dev/zero",))),
    "tuning.tune": (
        *_of_data(),
        ("serve", ("--serve=127.0.0.1:8700", "--join=127.0.0.1:8700")),
        ("serve", ("--serve=127.0.0.1",)),
        ("serve", ("--serve=127.0.0.1:99999",)),
        ("join", ("--join=127.0.0.1:port",)),
        ("serve", ("--serve=0.0.0.0:8700",)),
        ("join", ("--join=203.0.113.1:8700",)),
        ("token_file", ("--serve=127.0.0.1:8700", "--token_file=missing")),
        ("token_file", ("--serve=127.0.0.1:8700", "--token_file=/dev/null")),
        ("token_file", (f"--token_file={FILE}",)),
        ("insecure", ("--insecure",)),
        ("insecure", ("--serve=127.0.0.1:8700", f"--token_file={RUN}/config.json", "--insecure")),
        ("workers", ("--workers=2", "--serve=127.0.0.1:8700")),
        ("max_trials", ("--max_trials=3", "--tuner=hyperband")),
        ("space", ("--space=missing.py",)),
        ("space", (f"--space={FILE}",)),
        ("session_dir", (f"--session_dir={FILE}",)),
        ("session_dir", (f"--session_dir={FILE}/session",)),
        ("init_from", ("--init_from=missing",)),
        ("init_from", (f"--init_from={FOLDER}",)),
        ("init_from", (f"--init_from={FILE}",)),
        ("init_from", (f"--init_from={RUN}", "--space=full")),
        ("fine_weight", ("--fine_weight=0.3", "--objective=fine")),
        ("objectives", ("--objectives=fine,speed",)),
        ("objectives", ("--objectives=fine,fine",)),
        ("objectives", ("--objectives=fine,",)),
        ("objectives", ("--objectives=petaflop,parameters",)),
        ("objectives", ("--objectives=petaflop",)),
        ("objectives", ("--objectives=fine,petaflop", "--tuner=hyperband")),
        ("objectives", ("--objectives=fine,petaflop", "--tuner=bayesian")),
        ("objective", ("--objectives=fine,petaflop", "--objective=fine")),
        ("retrain_best", ("--objectives=fine,petaflop", "--retrain_best")),
        ("pick", ("--pick=0",)),
        ("pick", ("--pick=0", "--retrain_best")),
        ("pick", ("--pick=0", "--serve=127.0.0.1:8700")),
        ("retrain_seeds", ("--retrain_seeds=5",)),
        ("retrain_controls", ("--retrain_controls",)),
        ("retrain_seeds", ("--retrain_seeds=5", "--retrain_best=false")),
    ),
    "tuning.study": (
        *_of_data(),
        ("variants", ("--variants=all,all",)),
        ("seed", (f"--seed={2**63 - 1}", "--repeats=2")),
        ("study", ("--study=fast",)),
        ("study_dir", (f"--study_dir={FILE}",)),
        ("study_dir", (f"--study_dir={FILE}/study",)),
    ),
    "pipeline.gallery.__main__": (
        *_of_data("--out=rows.png"),
        ("out", ()),
        ("out", (f"--out={FOLDER}",)),
        ("out", (f"--out={FILE}/a.png",)),
        ("out", ("--out=rows.txt",)),
        ("columns", ("--columns=1000000", "--out=rows.png")),
    ),
    "pipeline.explore.__main__": (
        *_of_data("--out=pages"),
        ("out", ()),
        ("out", (f"--out={FILE}",)),
        ("out", (f"--out={FILE}/pages",)),
        ("num_validation", ("--num_validation=50000", "--out=pages")),
    ),
    "benchmarks.show": (("files", ("--files=missing.json",)), ("files", (f"--files={FILE}",))),
    "benchmarks.accuracy": (
        ("run_dirs", ()),
        ("run_dirs", (f"--run_dirs={FOLDER}",)),
        ("run_dirs", ("--run_dirs=missing",)),
        *_OF_BENCHMARKS,
    ),
    "benchmarks.augment.__main__": (*_OF_BENCHMARKS, *_of_data()),
    "benchmarks.gpu.__main__": (
        *_OF_BENCHMARKS,
        *_of_data("--quick"),
        ("preset", ("--preset=tiny", "--quick")),
        ("repeats", ("--repeats=2", "--quick")),
    ),
    "benchmarks.input.__main__": (
        *_OF_BENCHMARKS,
        *_of_data(),
        ("repeats", ("--repeats=2", "--quick")),
        ("passes", ("--passes=2", "--quick")),
        ("batch_size", ("--batch_size=45001",)),
    ),
    "benchmarks.memory.__main__": (
        *_OF_BENCHMARKS,
        *_of_data(),
        ("views", ("--views=1000", "--quick")),
        ("limits_gib", ("--limits_gib=2", "--quick")),
        ("max_steps", ("--max_steps=9", "--quick")),
        ("repeats", ("--repeats=9", "--quick")),
        ("epochs", ("--epochs=9",)),
    ),
    "benchmarks.publish.settings": (("out", (f"--out={FILE}/settings.md",)), ("out", (f"--out={FOLDER}",))),
    "benchmarks.publish.tables": (("checkout", ("--checkout=missing",)), ("checkout", (f"--checkout={FOLDER}",))),
    "benchmarks.publish.reports": (("docs", ("--docs=missing",)), ("docs", (f"--docs={FILE}",))),
    "benchmarks.scaling.__main__": (
        *_OF_BENCHMARKS,
        ("sizes", ("--sizes=1000", "--quick")),
        ("sizes", ("--sizes=1001",)),
        ("batch_sizes", ("--batch_sizes=1000", "--quick")),
        ("batch_sizes", ("--batch_sizes=10001",)),
        ("batch_images", ("--batch_images=9",)),
        ("threads", ("--threads=1", "--quick")),
        ("threads", ("--threads=1000000",)),
        ("repeats", ("--repeats=9", "--quick")),
        ("rounds", ("--rounds=9", "--quick")),
    ),
    "benchmarks.shapes100.__main__": _OF_BENCHMARKS,
    "benchmarks.predict.__main__": (
        *_OF_BENCHMARKS,
        *_of_data(),
        ("num_images", ("--num_images=2000", "--quick")),
        ("repeats", ("--repeats=9", "--quick")),
    ),
    "benchmarks.prepare.__main__": (
        *_OF_BENCHMARKS,
        ("num_images", ("--num_images=2000", "--quick")),
        ("num_images", ("--num_images=1000", "--num_classes=1000")),
        ("num_classes", ("--num_classes=9", "--quick")),
        ("max_steps", ("--max_steps=9", "--quick")),
    ),
    "benchmarks.profile.__main__": (
        *_OF_BENCHMARKS,
        *_of_data(),
        ("recipes", ("--recipes=quick,quick",)),
        ("steps", ("--steps=9", "--quick")),
        ("repeats", ("--repeats=9", "--quick")),
    ),
    "benchmarks.replicas.__main__": (
        *_OF_BENCHMARKS,
        *_of_data(),
        ("preset", ("--preset=tiny", "--quick")),
        ("steps", ("--steps=9", "--quick")),
        ("repeats", ("--repeats=9", "--quick")),
    ),
    "benchmarks.robustness.__main__": (
        *_OF_BENCHMARKS,
        ("run_dir", ()),
        ("run_dir", ("--run_dir=missing",)),
        ("run_dir", (f"--run_dir={FILE}",)),
        ("run_dir", (f"--run_dir={FOLDER}",)),
        ("data_dir", (f"--data_dir={FILE}", f"--run_dir={RUN}")),
        ("corruptions", ("--corruptions=fog,fog",)),
        ("severities", ("--severities=0",)),
        ("severities", ("--severities=6",)),
        ("severities", ("--severities=1", "--quick")),
        ("num_images", ("--num_images=9", "--quick")),
        ("ood", (f"--ood=folder:{FILE}",)),
        ("ood", (f"--ood=folder:{FOLDER}",)),
        ("ood", ("--ood=shapes100,shapes100",)),
    ),
    "benchmarks.startup.__main__": (*_OF_BENCHMARKS, *_of_data(), ("repeats", ("--repeats=2", "--quick"))),
    "benchmarks.train_step.__main__": (
        *_OF_BENCHMARKS,
        *_of_data(),
        ("recipes", ("--recipes=quick,quick",)),
        ("precisions", ("--precisions=float32,float32",)),
        ("steps", ("--steps=9", "--quick")),
        ("compile_s", ("--compile_s=9", "--quick")),
    ),
    "benchmarks.tuner.__main__": (
        *_OF_BENCHMARKS,
        ("workers", ("--workers=1", "--quick")),
        ("workers", ("--workers=1001",)),
        ("num_trials", ("--num_trials=9", "--quick")),
        ("repeats", ("--repeats=9", "--quick")),
    ),
}


@dataclasses.dataclass(frozen=True)
class Entry:
    """One call of a binary that must be refused.

    Attributes:
      binary: its module.
      flag: the flag with which the message must begin.
      kind: of the bad value.
      arguments: of the command line.
    """

    binary: str
    flag: str
    kind: str
    arguments: tuple[str, ...]

    @property
    def needs_tensorflow(self) -> bool:
        """Whether the refusal comes after TensorFlow is loaded."""
        return (self.binary, self.flag) in LATE


def binaries() -> list[str]:
    """The modules that are binaries."""
    files = sorted(path for layer in LAYERS for path in (CHECKOUT / layer).rglob("*.py"))
    found = [path for path in files if 'if __name__ == "__main__":' in path.read_text(encoding="utf-8")]
    return [".".join(path.relative_to(CHECKOUT).with_suffix("").parts) for path in found]


def flags_of(binary: str) -> absl_flags.FlagValues:
    """The flags of a binary; it may have none."""
    return getattr(importlib.import_module(binary), "flags", app.Flags()).values


def entries(binary: str) -> list[Entry]:
    """The entries of every flag of a binary, at most MAX_ENTRIES each.

    Raises:
      LookupError: a flag has none.
    """
    found = []
    values = flags_of(binary)
    for name in values:
        rows = contradictions(binary, name)
        rows += [(kind, (f"--{name}={value}",)) for kind, value in bad_values(values[name])]
        rows = [row for row in rows if row[0] != EMPTY or name not in MAY_BE_EMPTY]
        if not rows:
            raise LookupError(f"{binary} --{name}: no entry in {__name__}")
        needed = NEEDED.get(binary, ())
        found += [Entry(binary, name, kind, (*needed, *given)) for kind, given in rows[:MAX_ENTRIES]]
    return found


def bad_values(flag: absl_flags.Flag) -> Values:
    """The values that a flag must refuse by itself."""
    one = SETTINGS.get(flag.name)
    if one and isinstance(one.default, tuple):
        return NUMBERS
    values = next(values for kind, values in BY_PARSER if isinstance(flag.parser, kind))
    for bound, step in (("lower_bound", -1), ("upper_bound", 1)):
        limit = getattr(flag.parser, bound, None)
        if limit is None and one:
            limit = one.metadata["low" if step < 0 else "high"]
        if limit is not None and values in (WHOLE, NUMBER):
            values = ((OUT_OF_RANGE, str(limit + step)), *values)
    return values


def contradictions(binary: str, name: str) -> list[tuple[str, tuple[str, ...]]]:
    """Values of a flag that contradict another flag or what is in the working folder."""
    found = [(CONTRADICTION, given) for flag, given in CONTRADICTIONS.get(binary, ()) if flag == name]
    one = SETTINGS.get(name)
    if binary != "models.train" or not one:
        return found
    value = f"--{name}={as_text(other_value(one))}"
    others = [choice for choice, reads in one.readers.items() if not reads]
    if others:
        found.append((CONTRADICTION, (f"--{one.choice}={others[0]}", value)))
    needed, _, needed_value = one.needs.partition("=")
    if needed and not needed_value:
        found.append((CONTRADICTION, (value,)))
    elif needed:
        choices = SETTINGS[needed].metadata["choices"]
        found.append((CONTRADICTION, (f"--{needed}={next(one for one in choices if one != needed_value)}", value)))
    return found


def other_value(one: Setting) -> Any:
    """A correct value of a setting that is not its default."""
    if one.metadata["choices"]:
        return next(value for value in one.metadata["choices"] if value != one.default)
    if isinstance(one.default, bool):
        return not one.default
    if isinstance(one.default, tuple):
        return [*one.default[:-1], one.default[-1] + 8] if one.default else [[16, 0.5], [32, 0.5]]
    low, high = one.metadata["low"] or 0, one.metadata["high"]
    return next(value for value in (low, low + 1, high) if value != one.default)
