"""Images a second of training steps, by network and precision, compared with the same networks in PyTorch.

    python -m benchmarks.train_step --recipes=tiny,fast,quick,resnet18,wrn_16_4 --out=FILE.json

A recipe is a preset, or `resnet18` or `wrn_16_4` (ResNet-18 in its CIFAR form and WRN-16-4 at batch 128, flips and
crops, Nesterov's SGD). Rows of each, WHAT being RECIPE/PRECISION:
  ours/WHAT                 the whole step: input pipeline, augmentation, scaling, forward, backward, the recipe's own
                            optimizer, sums of losses and accuracies. Its ratio is to the first precision.
  peer/keras_batch_normalization/WHAT
                            the same at the last precision, with Keras's own layer in the place of the fused one.
  ours/WHAT/one_batch       the whole step on one batch in memory instead of the input pipeline's, last precision;
  ours/WHAT/waits_for_data  and the per cent of a step's time that input costs, which is what the device waits. On a CPU
                            that is what the pipeline's own work takes away from the step's, too. Two batches of a round
                            were fetched before it began: where input matters, measure many --steps.
  ours/WHAT/bare            what PyTorch is compared at: one uint8 batch in memory, no augmentation; scaling, forward,
                            backward, update. Ours sums losses and accuracies beside it.
  peer/pytorch/WHAT         PyTorch at that work, without those sums: the best of eager and compiled, both
                            with channels_last and bfloat16 by autocast. The other one's row is peer/pytorch_MODE/WHAT.
                            The ratio says how many times as fast ours/WHAT/bare is. Compiling is not timed with the
                            rounds; a side that takes longer to compile than --compile_s is left out, with a line.
On both sides: the same network (as many parameters and multiply-adds, or the benchmark fails), heads and losses in
float32, batch normalisation by the batch's statistics, the same optimizer (Nesterov's SGD, or Muon with the same
iterations), the same batch size, all processors. PyTorch is of the extra `peers`; left out where it is not installed.

Rows of images/s carry `tflops` = 3 x 2 x the forward multiply-adds x images/s, and `ceiling_share`, its share of
ours/ceiling/DTYPE: the best forward convolution that this machine was seen to do at the row's own precision.
"""

from typing import TYPE_CHECKING

from absl import flags

from benchmarks.harness import cli_output, results, training_steps
from benchmarks.harness import data as harness_data
from benchmarks.train_step import torch_peer
from models.config.training import TrainConfig
from pipeline.common import app, config, errors
from pipeline.data_config import SourceConfig

if TYPE_CHECKING:
    from benchmarks.train_step import cases, convolution_ceiling

config.define_flags(SourceConfig)
RECIPES = flags.DEFINE_list("recipes", ["quick"], f"some of {', '.join(training_steps.RECIPES)}")
PRECISIONS = flags.DEFINE_list("precisions", ["float32", "mixed_bfloat16"], "precisions to compare, float32 first")
REPEATS = flags.DEFINE_integer("repeats", 3, "rounds", lower_bound=1)
STEPS = flags.DEFINE_integer(
    "steps", 20, "steps of each case in a round; recipes dearer than quick make fewer", lower_bound=1
)
PEERS = flags.DEFINE_bool("peers", True, "also measure PyTorch, where it is installed")
COMPILE_S = flags.DEFINE_float(
    "compile_s",
    torch_peer.COMPILE_S,
    "seconds that torch.compile may take for a network; 0 measures eager mode only",
    lower_bound=0.0,
)
QUICK = flags.DEFINE_bool(
    "quick", False, "under a minute: one step in a round, PyTorch eager at the last precision only"
)
cli_output.define_flags()


def main() -> None:
    """Measure recipe after recipe, and publish the rows."""
    cli_output.check("train_step")
    recipes, precisions = _check_unique("recipes", RECIPES.value), _check_unique("precisions", PRECISIONS.value)
    for name in recipes:
        for precision_name in precisions:
            config.build(TrainConfig, training_steps.recipe(name), {"precision": precision_name})
    app.load_tensorflow()

    from benchmarks.train_step import cases
    from benchmarks.train_step import rows as step_rows
    from models.runtime import device, precision

    device.allow_gpu_memory_growth()
    source = harness_data.source_of_flags().as_dict()
    precisions = _check_unique("precisions", [precision.resolve(name) for name in precisions])
    effort = _effort(precisions)
    ceilings = _ceilings({step_rows.DTYPES[name] for name in precisions})
    rows = [results.timed(ceiling.timing, "GFLOP/s", shape=str(ceiling.shape)) for ceiling in ceilings.values()]
    uses_gpu = device.has_gpu()
    with cli_output.publishing("train_step", lambda: rows), torch_peer.Peer(COMPILE_S.value) as process:
        peer = process if PEERS.value and process.is_available(uses_gpu) else None
        for number, name in enumerate(recipes, start=1):
            print(f"{number} of {len(recipes)}: {name}", flush=True)  # a recipe takes minutes
            rows += step_rows.measure(cases.Recipe(name, source, precisions, effort), ceilings, peer)
    print(*step_rows.lines(rows), sep="\n")


def _check_unique(flag: str, names: list[str]) -> list[str]:
    if not names or len(set(names)) < len(names):
        raise errors.BadArgumentError(f"{flag}={','.join(names)}: expected at least one, and each one once")
    return names


def _effort(precisions: list[str]) -> "cases.Effort":
    from benchmarks.train_step import cases

    if QUICK.value:
        return cases.Effort(REPEATS.value, 1, ("eager",), tuple(precisions[-1:]))
    modes = torch_peer.MODES if COMPILE_S.value else ("eager",)
    return cases.Effort(REPEATS.value, STEPS.value, modes, tuple(precisions))


def _ceilings(dtypes: set[str]) -> "dict[str, convolution_ceiling.Ceiling]":
    from benchmarks.train_step import convolution_ceiling

    round_s, shapes = (0.05, convolution_ceiling.CHEAP_SHAPES) if QUICK.value else (0.2, convolution_ceiling.SHAPES)
    return {dtype: convolution_ceiling.measure(dtype, REPEATS.value, round_s, shapes) for dtype in sorted(dtypes)}


def run() -> None:
    """Start the binary."""
    app.run(main)


if __name__ == "__main__":
    run()
