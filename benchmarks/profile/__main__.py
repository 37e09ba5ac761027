"""Measure the time of each part of a training step, and its rate relative to the machine's limits.

    python -m benchmarks.profile --recipes=tiny,quick --out=FILE.json

A recipe is one of benchmarks.train_step's. Rows of a recipe, in milliseconds a step on the CPU:
  ours/RECIPE/PRECISION/step        the whole step, without a profiler
  ours/RECIPE/PRECISION/PART        the time of a part's operations, by TensorFlow's profiler on further steps. A moment
                                    in which several operations run is divided among them, so that the parts add up to
                                    a step without the moments in which none runs (and without the input pipeline, which
                                    runs beside it)
  ours/RECIPE/PRECISION/operations  the sum over all operations: twice the step where two run at a time
Parts: augmentation; forward, input_gradients and kernel_gradients (of convolutions); normalization; activations;
pooling; heads (dense layers, losses, metrics); optimizer; other (the rest, such as sums of gradients).

A part's `gib` is what its operations read and write: every input and output of the graph as traced, once (operations
that TensorFlow fuses move less). The forward pass, the two gradients and the optimizer have `tflops`, of two operations
for each multiply-add that is executed, `intensity`, operations a byte, and `ceiling_share`, of the first of these:
  ours/ceiling/DTYPE           GFLOP/s of the best forward convolution in the dtype of the part's products
  ours/ceiling/copy_bandwidth  GB/s, read and written, of a plain copy by as many threads as processors
"""

import functools
from typing import TYPE_CHECKING

from benchmarks.harness import cli_output, results, training_steps
from benchmarks.harness import data as harness_data
from models.config import training
from pipeline.common import app, config, cpu, errors, progress
from pipeline.data_config import SourceConfig

if TYPE_CHECKING:
    from benchmarks.harness.convolution_ceiling import Ceiling

flags = app.Flags(SourceConfig)
RECIPES = flags.DEFINE_list("recipes", ["quick"], f"some of {', '.join(training_steps.RECIPES)}")
PRECISION = flags.DEFINE_enum("precision", "auto", training.PRECISIONS, "numeric precision of the steps")
REPEATS = flags.DEFINE_integer("repeats", 3, "number of rounds", lower_bound=1)
STEPS = flags.DEFINE_integer("steps", 5, "steps of a round, and further ones that are profiled", lower_bound=1)
QUICK = flags.DEFINE_bool("quick", False, "under a minute: the first of --recipes, one round of one step")
cli_output.define_flags(flags)


def main() -> None:
    """Measure the machine's limits and recipe after recipe, and publish the rows."""
    cli_output.check("profile", ("repeats", "steps"))
    recipes = list(RECIPES.value)
    if not recipes or len(set(recipes)) < len(recipes):
        raise errors.BadArgumentError(f"recipes={','.join(recipes)}: expected at least one, and each one once")
    for name in recipes:
        config.build(training.TrainConfig, training_steps.recipe(name))
    source = harness_data.source_of_flags().as_dict()
    app.load_tensorflow()

    from benchmarks.harness import convolution_ceiling
    from benchmarks.profile import copying
    from benchmarks.profile import rows as profile_rows
    from models.runtime import device, precision

    if device.has_gpu():
        raise errors.FailedError("operations are timed on CPUs alone: set CUDA_VISIBLE_DEVICES=-1 to hide the GPU")
    policy = precision.resolve(PRECISION.value)
    repeats, num_steps = (1, 1) if QUICK.value else (REPEATS.value, STEPS.value)
    rows = [results.timed(copying.measure(cpu.count(), max(repeats, 3), 64 if QUICK.value else 256), "GB/s")]

    @functools.cache
    def ceiling(dtype: str) -> "Ceiling":
        shapes = convolution_ceiling.CHEAP_SHAPES[:1] if QUICK.value else convolution_ceiling.SHAPES
        with progress.task(f"measuring the convolution ceiling in {dtype}", in_background=False):
            ceiling = convolution_ceiling.measure(dtype, repeats, 0.05 if QUICK.value else 0.2, shapes)
        rows.append(results.timed(ceiling.timing, "GFLOP/s", shape=str(ceiling.shape)))
        return ceiling

    with cli_output.publishing("profile", lambda: rows):
        for name in recipes[:1] if QUICK.value else recipes:
            data, train = training_steps.configured(name, source, policy)
            rows += profile_rows.measure(name, data, train, num_steps, repeats, ceiling)
    print(*profile_rows.lines(rows), sep="\n")


if __name__ == "__main__":
    app.run(main, flags)
