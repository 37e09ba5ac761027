"""Measure the features for GPUs on a GPU: XLA, precisions, caches, and a whole training.

    python -m benchmarks.gpu --out=FILE.json

Rows, of the recipe of --preset, at its batch size, with all training images:
  ours/train/PRESET/CACHE/METRIC   a training with --cache=memory (batches are prefetched to the device) and one with
                                   --cache=device, each in a process of its own: seconds (tracing and compiling
                                   included), accuracy (on test, in %; fast is made for 75 on CIFAR-100), host_mib and
                                   device_mib (peaks of memory)
  ours/step/PRESET/PRECISION/jit_XLA/N_a_call/FEED
                                   images/s of whole steps: with and without XLA (--jit_compile), at each precision;
                                   N steps in a call of the graph (--steps_per_call); batches from memory, gathered on
                                   the device, or one_batch again and again. Ratios are to the setting without the last
                                   of these. Settings take turns.
  ours/waits_for_data/PRESET/CACHE percent of the time of a step that input costs, against one_batch, at the precision
                                   that `auto` chooses, with XLA
  ours/augment/SET                 images/s of the transforms of a set alone
What fails is named at the end, with exit code 1, and the other rows are written. What has not begun after --minutes is
left out, and named. Without a GPU the command ends with an error, except with --quick, whose small cases show that the
code works; their rows say nothing about a GPU.
"""

from benchmarks.gpu.plan import PRECISIONS, Plan
from benchmarks.harness import cli_output
from benchmarks.harness import data as harness_data
from benchmarks.harness.results import Row
from models.config import presets
from pipeline.common import app, errors
from pipeline.data_config import SourceConfig

AUGMENTATIONS = ("flip_shift", "original", "modern")
QUICK_PLAN = Plan(
    "linear", ("device",), 2, ("mixed_float16",), "mixed_float16", AUGMENTATIONS[:1], repeats=1, round_s=0.0
)

flags = app.Flags(SourceConfig)
PRESET = flags.DEFINE_enum("preset", "fast", presets.WITH_NETWORK, "recipe that is trained, and whose steps are timed")
REPEATS = flags.DEFINE_integer("repeats", 3, "number of rounds", lower_bound=1)
MINUTES = flags.DEFINE_float(
    "minutes",
    8.0,
    "minutes after which nothing more is begun; what has begun takes one or two more",
    lower_bound=0.0,
)
QUICK = flags.DEFINE_bool("quick", False, f"small cases of the preset {QUICK_PLAN.preset}, also on a CPU")
cli_output.define_flags(flags)


def main() -> None:
    """Measure part after part, and publish the rows."""
    cli_output.check("gpu", ("preset", "repeats"))
    if not QUICK.value:
        _check_gpu()  # before data are prepared
    source = harness_data.source_of_flags()
    app.load_tensorflow()
    from benchmarks.gpu import rows as gpu_rows
    from benchmarks.gpu.attempts import Attempts
    from models.runtime import cudnn, device, precision

    device.allow_gpu_memory_growth()
    cudnn.warn_if_old()
    if QUICK.value:
        plan = QUICK_PLAN
    else:
        of_steps = PRECISIONS, precision.resolve("auto")
        plan = Plan(PRESET.value, ("memory", "device"), 0, *of_steps, AUGMENTATIONS, REPEATS.value, round_s=1.0)
    attempt = Attempts(60.0 * MINUTES.value)
    rows: list[Row] = []
    with cli_output.publishing("gpu", lambda: rows, dataset=source.shown_name):
        for row in gpu_rows.measure(plan, source.as_dict(), attempt):
            rows.append(row)
    for name in attempt.left_out:
        print(f"left out, since {MINUTES.value:g} minutes were over: {name}")
    if attempt.failed:
        raise errors.FailedError(f"{len(attempt.failed)} measurements failed: {'; '.join(attempt.failed)}")


def _check_gpu() -> None:
    app.load_tensorflow()
    import tensorflow as tf

    if not tf.config.list_physical_devices("GPU"):
        raise errors.FailedError(
            "no GPU: TensorFlow finds none on this machine; expected an NVIDIA GPU (nvidia-smi lists them) and its "
            "libraries (pip install '.[gpu]'), or --quick, whose small cases run on the CPU"
        )


if __name__ == "__main__":
    app.run(main, flags)
