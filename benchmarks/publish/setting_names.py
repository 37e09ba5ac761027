"""The settings outside of this project that the installed packages read, their effect here, and the page of them.

They are the environment variables that the Python files of Keras, Keras Tuner, TFDS and TensorFlow read, the keys of
keras.json, and what TensorFlow's native code, Python and the system read as far as it is known.
"""

import ast
import importlib.util
import pathlib
import re
from collections.abc import Iterator, Mapping

from pipeline.common import errors, markdown_table
from pipeline.common.process import environment

PACKAGES = ("keras", "keras_tuner", "tensorflow", "tensorflow_datasets")
# Read, and of no effect on results here; tests/test_settings.py tries each.
NO_EFFECT = (
    "AUTOGRAPH_STRICT_CONVERSION",
    "AUTOGRAPH_VERBOSITY",
    "COLUMNS",
    "DTENSOR_CLIENT_ID",
    "DTENSOR_ENABLE_HEARTBEAT",
    "DTENSOR_ENABLE_MULTI_DEVICE_EXPANSION",
    "DTENSOR_GPU_USE_NCCL_COMMUNICATION",
    "DTENSOR_JOBS",
    "DTENSOR_JOB_NAME",
    "ENABLE_RUNTIME_UPTIME_TELEMETRY",
    "GCE_METADATA_HOST",
    "GCE_METADATA_IP",
    "GITHUB_TOKEN",
    "GRPC_FAIL_FAST",
    "HDF5_PLUGIN_PATH",
    "HOME",
    "HUGGING_FACE_HUB_TOKEN",
    "KERASTUNER_ORACLE_IP",
    "KERASTUNER_ORACLE_PORT",
    "KERASTUNER_TUNER_ID",
    "KERAS_DISTRIBUTION_JOB_ADDRESSES",
    "KERAS_DISTRIBUTION_NUM_PROCESSES",
    "KERAS_DISTRIBUTION_PROCESS_ID",
    "KERAS_HOME",
    "KERAS_TORCH_DEVICE",
    "LANG",
    "LC_ALL",
    "MATPLOTLIBRC",
    "MPLCONFIGDIR",
    "NO_COLOR",
    "PYCHARM_HOSTED",
    "PYTHONDEVMODE",
    "PYTHONHASHSEED",
    "PYTHONIOENCODING",
    "PYTHONOPTIMIZE",
    "PYTHONUTF8",
    "SM_CURRENT_HOST",
    "SM_HOSTS",
    "TERM",
    "TEST_REPORT_FILE_PREFIX",
    "TEST_TARGET",
    "TF2_BEHAVIOR",
    "TFDS_CACHE_DIR",
    "TFDS_DATA_DIR",
    "TF_CLUSTER_COORDINATOR_WATCH_DOG_TIMEOUT",
    "TF_COORDINATOR_IGNORE_TRANSIENT_PS_FAILURES",
    "TF_COORDINATOR_IGNORE_TRANSIENT_TIMEOUTS",
    "TF_COORDINATOR_SCHEDULE_START_DELAY",
    "TF_COORDINATOR_SCHEDULE_START_DELAY_MAX",
    "TF_CPP_MAX_VLOG_LEVEL",
    "TF_CPP_MIN_LOG_LEVEL",
    "TF_DATA_EXPERIMENT_OPT_IN",
    "TF_DEVICE_FOR_UNINITIALIZED_VARIABLE_REPORTING",
    "TF_DOCS_INFRA_KOKORO",
    "TF_ENABLE_COND_V2",
    "TF_ENABLE_CONTROL_FLOW_V2",
    "TF_ENABLE_EAGER_CLIENT_STREAMING_ENQUEUE",
    "TF_ENABLE_TENSOR_ARRAY_V2",
    "TF_ENABLE_WHILE_V2",
    "TF_FORCE_GPU_ALLOW_GROWTH",
    "TF_GRAPH_CACHING",
    "TF_JIT_COMPILE_REWRITE",
    "TF_OPTIONALS_IN_GRADIENTS",
    "TF_OVERRIDE_GLOBAL_THREADPOOL",
    "TF_PSS_ENABLE_COORDINATION_SERVICE",
    "TF_PSS_VERBOSE_VARIABLE_PLACEMENT",
    "TF_PS_DISABLE_ASYNC_EXECUTOR_GLOBALLY",
    "TF_PS_HANDLE_UNKNOWN_ERROR",
    "TF_TRT_EXPERIMENTAL_FEATURES",
    "TF_TRT_EXPORT_GRAPH_VIZ_PATH",
    "TF_USE_DEEP_CONV2D",
    "TF_USE_LEGACY_KERAS",
    "TF_XLA_SHARDING_FOR_RESOURCE_VARIABLES",
    "TMPDIR",
    "TPU_API_DISCOVERY_URL",
    "TPU_CONFIG",
    "TPU_ML_PLATFORM",
    "TPU_ML_PLATFORM_VERSION",
    "TZ",
    "XDG_CACHE_HOME",
    "http_proxy",
)
KERAS_JSON_KEYS = ("backend", "epsilon", "floatx", "image_data_format", "nnx_enabled")
_READS = re.compile("environ|getenv|keras.json")  # parsing every file would take half a minute
_HEADING = """# Settings of the machine

You have set environment variables or `keras.json`, and want to know whether they change the results of a training.

```
$ KERAS_BACKEND=jax python -m models.train --dataset=shapes100_tiny
error: KERAS_BACKEND=jax: expected tensorflow; unset KERAS_BACKEND
```

The [table](#all-settings) lists the settings that the installed Keras, Keras Tuner, TFDS and TensorFlow read, and those
of Python and the system that could change a training, except search paths (`PATH`, `PYTHONPATH`). Each has one of three
effects:

- **no effect**: results are bit-identical. *Removed* means that commands remove the variable from their environment
  (`--distribute=multi_worker` reads `TF_CONFIG` first).
- **followed**: the setting selects instructions, threads, processors or GPU kernels. Results differ only by rounding,
  and `report.json` names the variable under `settings`.
- **refused**: with a value other than the default, a command ends at its start with exit code 2. In Python, an error is
  raised.

On x86 processors, commands set `TF_ENABLE_ONEDNN_OPTS=1` unless it is set. TensorFlow itself does so only on processors
with instructions such as AVX-512 VNNI.

An empty variable counts as unset, except `CUDA_VISIBLE_DEVICES` and `HIP_VISIBLE_DEVICES`, where an empty list hides
the GPUs.

## From Python

`models.training.loop.train`, `models.training.evaluation.evaluate_run` and `models.classifier.build` set Keras's global
settings (`floatx`, `epsilon`, image data format, dtype policy) and TensorFlow's graph options (no XLA auto-clustering,
no reduced precision) for the time of the call, and restore yours afterwards. So a notebook may use other settings.

`--tf_xla_auto_jit` in `TF_XLA_FLAGS` is disabled in commands and an error in Python, because auto-clustering changes
the random numbers that XLA draws.

## All settings

`python -m benchmarks.publish.settings` draws this page. It fails if an installed package reads a setting that is not in
the table, so that an update of Keras or TensorFlow cannot add one unnoticed. `tests/test_settings.py` trains a few
steps with each of them. The rules are in [environment.py](../pipeline/common/process/environment.py).
"""


def page(readers: Mapping[str, str]) -> str:
    """The Markdown page of all known settings; `readers` has those that the packages read, as of `settings_read`.

    Raises:
      errors.FailedError: a package reads a setting whose effect is not known.
    """
    if unknown := sorted(readers.keys() - effects().keys()):
        names = ", ".join(f"{name} ({readers[name]})" for name in unknown)
        raise errors.FailedError(
            f"{names}: expected in FOLLOWED, REMOVED or REFUSED of pipeline/common/process/environment.py, or in "
            "NO_EFFECT or KERAS_JSON_KEYS of benchmarks/publish/setting_names.py"
        )
    return "\n".join([_HEADING, *_table(readers), ""])


def effects() -> dict[str, str]:
    """The effect of each known setting, keys of keras.json with the file's name before them."""
    return {
        **dict.fromkeys(NO_EFFECT, "no effect"),
        **{f"keras.json: {key}": "no effect" for key in KERAS_JSON_KEYS},
        **dict.fromkeys(environment.REMOVED, "no effect (removed)"),
        **dict.fromkeys(environment.FOLLOWED, "followed"),
        **{name: f"refused (expected {values[0]})" for name, values in environment.REFUSED.items()},
    }


def settings_read(packages: tuple[str, ...] = PACKAGES) -> dict[str, str]:
    """The settings that packages read, each with their names; tests and build tools are left out."""
    readers: dict[str, set[str]] = {}
    for package in packages:
        spec = importlib.util.find_spec(package)
        assert spec is not None
        assert spec.origin is not None
        folder = pathlib.Path(spec.origin).parent
        for path in folder.rglob("*.py"):
            inside, text = path.relative_to(folder), path.read_text(encoding="utf-8")
            if inside.parts[0] == "tools" or "test" in inside.as_posix() or not _READS.search(text):
                continue
            for name in names_read(text):
                readers.setdefault(name, set()).add(package)
    return {name: ", ".join(sorted(packages)) for name, packages in readers.items()}


def names_read(text: str) -> Iterator[str]:
    """The environment variables, named by a literal or a constant, and keys of keras.json that a module reads."""
    tree = ast.parse(text)
    constants = {
        target.id: statement.value.value
        for statement in tree.body
        if isinstance(statement, ast.Assign) and isinstance(statement.value, ast.Constant)
        for target in statement.targets
        if isinstance(target, ast.Name)
    }
    for node in ast.walk(tree):
        match node:
            case (
                ast.Subscript(value=ast.Attribute(attr="environ") | ast.Name(id="environ"), slice=argument)
                | ast.Call(func=ast.Attribute(attr="getenv") | ast.Name(id="getenv"), args=[argument, *_])
                | ast.Call(func=ast.Attribute(value=ast.Attribute(attr="environ")), args=[argument, *_])
                | ast.Call(func=ast.Attribute(value=ast.Name(id="environ")), args=[argument, *_])
                | ast.Compare(left=argument, comparators=[ast.Attribute(attr="environ") | ast.Name(id="environ")])
            ):
                prefix = ""
            case ast.Call(func=ast.Attribute(value=ast.Name(id="_config"), attr="get"), args=[argument, *_]):
                prefix = "keras.json: "
            case _:
                continue
        name = constants.get(argument.id) if isinstance(argument, ast.Name) else getattr(argument, "value", None)
        if isinstance(name, str):
            yield prefix + name


def _table(readers: Mapping[str, str]) -> list[str]:
    columns = [
        markdown_table.Column[tuple[str, str]]("setting", lambda row: f"`{row[0]}`"),
        markdown_table.Column[tuple[str, str]]("effect", lambda row: row[1]),
        markdown_table.Column[tuple[str, str]](
            "read by", lambda row: readers.get(row[0], "native code, Python or system")
        ),
    ]
    return markdown_table.lines(columns, sorted(effects().items()))
