"""Images a second that the host feeds to a training step: ours by setting and stage, beside what others would use.

    python -m benchmarks.input --out=FILE.json

Interleaved rounds; every feed goes on where it was, so that caches are warm and shuffles are of whole passes. Rows:
  ours/train/CACHE/BATCH        training batches: uint8 images, both labels, places; shuffled as the run would have them
  ours/train/memory/BATCH/threads_N  the same with so many threads of tf.data
  ours/evaluate/memory          the evaluation's batches
  ours/stage/N_STAGE            the pipeline of --cache=none cut off behind each stage, TFDS's reading first
  ours/ceiling/copy             a plain copy of such batches; ours/ceiling/permutation: NumPy's x[permutation] a pass
  peer/from_tensor_slices       the study's float32 arrays in memory, through tf.data
  peer/pydataset                Keras's PyDataset, as fit consumes it
  peer/torch_dataloader_N       PyTorch's DataLoader with N workers, on a TensorDataset
  peer/grain                    Google's Grain
Each row carries `cpu_s_per_million`, the CPU seconds of this process for a million images, and `ceiling_share` of the
plain copy where it batches; peers' rows carry how many times as fast ours/train/memory is at the same batch.
PyTorch and Grain are of the extra `peers`. FFCV does not install without OpenCV's headers, and is not measured.
"""

import dataclasses

from absl import flags

from benchmarks import output
from models import presets
from pipeline import binary, config
from pipeline.data_config import DataConfig, SourceConfig

config.define_flags(SourceConfig)
output.define_flags()
BATCH_SIZE = flags.DEFINE_integer("batch_size", 512, "images a batch", lower_bound=1)
REPEATS = flags.DEFINE_integer("repeats", 5, "rounds", lower_bound=1)
PASSES = flags.DEFINE_integer(
    "passes", 4, "over the training images, of each feed a round; of slow ones one", lower_bound=1
)
PEERS = flags.DEFINE_bool("peers", True, "measure others too, where they are installed")
QUICK = flags.DEFINE_bool("quick", False, "under a minute: three short rounds, no stages")


def main() -> None:
    """Measure all feeds in turns, and publish the rows."""
    output.check("input")
    binary.load_tensorflow()
    from benchmarks import input_peers, input_sides
    from pipeline import prepare

    source = config.build(SourceConfig, config.given_flags())
    source = dataclasses.replace(source, dataset=prepare.prepare(source))
    held_out = {"num_validation": 500 if source.dataset == "shapes100_tiny" else 10_000}
    data = config.build(
        DataConfig, presets.preset("quick"), source.as_dict(), held_out, {"batch_size": BATCH_SIZE.value}
    )
    images, labels = input_sides.examples(data)
    sizes = tuple(dict.fromkeys((BATCH_SIZE.value, *(() if QUICK.value else (128, 256, 1024)))))
    feeds = [*input_sides.ceilings(images, data.batch_size), *input_sides.settings(data, sizes)]
    if not QUICK.value:
        feeds += input_sides.by_stage(data)
    if PEERS.value:
        feeds += input_peers.feeds(images, labels, data.batch_size)
        for words in input_peers.missing():
            print(f"not installed, and left out: {words} (the extra `peers` has it)")
    repeats, passes = (3, 1) if QUICK.value else (REPEATS.value, PASSES.value)
    output.finish(
        "input", input_sides.rows(feeds, repeats, passes, len(images), f"ours/train/memory/{data.batch_size}")
    )


def run() -> None:
    """Start the binary."""
    binary.run(main)


if __name__ == "__main__":
    run()
