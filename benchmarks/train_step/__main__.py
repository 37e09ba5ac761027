"""Measure training steps in images per second, by network and precision, and compare them with PyTorch.

    python -m benchmarks.train_step --recipes=tiny,fast,quick,resnet18,wrn_16_4 --out=FILE.json

A recipe is a preset, or `resnet18` or `wrn_16_4` (ResNet-18 in its CIFAR form and WRN-16-4 with batches of 128, flips
and crops, SGD with Nesterov momentum). All cases take turns. Rows of a recipe, WHAT being RECIPE/PRECISION:
  ours/WHAT                 the whole step: input pipeline, augmentation, scaling, forward and backward pass, optimizer,
                            sums of losses and accuracies. The ratio is to the first precision.
  peer/keras_batch_normalization/WHAT
                            the same with Keras's batch normalization instead of the fused layer, at the last precision
  ours/WHAT/cache_device    the whole step with --cache=device, at the last precision; the ratio is to --cache=memory
  ours/WHAT/one_batch       the whole step on one batch in memory, at the last precision
  ours/WHAT/waits_for_data  percent of the time of a step that input costs. On a CPU that includes the work of the
                            pipeline. Two batches were prefetched before a round began, so use many --steps.
  ours/WHAT/bare            what PyTorch is compared with: one uint8 batch in memory, no augmentation; scaling, forward
                            and backward pass, update, and in ours the sums of losses and accuracies
  peer/pytorch/WHAT         PyTorch at that work: the best of eager and compiled, both with channels_last and with
                            bfloat16 by autocast. The other mode's row is peer/pytorch_MODE/WHAT. The ratio is of
                            ours/WHAT/bare to it. Compiling is not timed; longer than --compile_s is left out.
Both have the same network (the benchmark fails if the counts of parameters or multiply-adds differ), float32 heads and
losses, batch statistics in batch normalization, the same optimizer, the same batch size, and all processors. PyTorch is
in the extra `peers`; it is left out where it is not installed.

Rows of images/s have `tflops`, 3 x 2 x the forward multiply-adds x images/s, and `ceiling_share`, its share of
ours/ceiling/DTYPE: the best forward convolution measured on this machine in the row's dtype.
"""

from typing import TYPE_CHECKING

from benchmarks.harness import cli_output, results, training_steps
from benchmarks.harness import data as harness_data
from benchmarks.train_step import torch_peer
from models.config import training
from pipeline.common import app, config, errors, progress
from pipeline.data_config import SourceConfig

if TYPE_CHECKING:
    from benchmarks.harness import convolution_ceiling
    from benchmarks.train_step import cases

flags = app.Flags(SourceConfig)
RECIPES = flags.DEFINE_list("recipes", ["quick"], f"some of {', '.join(training_steps.RECIPES)}")
PRECISIONS = flags.DEFINE_list("precisions", ["float32", "mixed_bfloat16"], "precisions to compare, float32 first")
REPEATS = flags.DEFINE_integer("repeats", 3, "number of rounds", lower_bound=1)
STEPS = flags.DEFINE_integer(
    "steps", 20, "steps of each case in a round; recipes more expensive than quick make fewer", lower_bound=1
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
cli_output.define_flags(flags)


def main() -> None:
    """Measure recipe after recipe, and publish the rows."""
    cli_output.check("train_step", ("steps", "compile_s"))
    recipes, precisions = _check_unique("recipes", RECIPES.value), _check_unique("precisions", PRECISIONS.value)
    for name in recipes:
        config.build(training.TrainConfig, training_steps.recipe(name))
    for name in precisions:
        if name not in training.PRECISIONS:
            raise errors.BadArgumentError(f"precisions={name!r}: expected some of {', '.join(training.PRECISIONS)}")
    source = harness_data.source_of_flags().as_dict()
    app.load_tensorflow()

    from benchmarks.train_step import cases
    from benchmarks.train_step import rows as step_rows
    from models.runtime import cudnn, device, precision

    device.allow_gpu_memory_growth()
    cudnn.warn_if_old()
    precisions = _check_unique("precisions", [precision.resolve(name) for name in precisions])
    effort = _effort(precisions)
    with progress.task("measuring the convolution ceilings", in_background=False):
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
    from benchmarks.harness import convolution_ceiling

    round_s, shapes = (0.05, convolution_ceiling.CHEAP_SHAPES) if QUICK.value else (0.2, convolution_ceiling.SHAPES)
    return {dtype: convolution_ceiling.measure(dtype, REPEATS.value, round_s, shapes) for dtype in sorted(dtypes)}


if __name__ == "__main__":
    app.run(main, flags)
