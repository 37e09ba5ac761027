"""Images a second that the host feeds to a training step: ours by setting and stage, beside what others would use.

    python -m benchmarks.input --out=FILE.json

Interleaved rounds. Each feed is begun anew for its turn, a pass goes by untimed, and the feed is let go of behind it,
so that none fills its buffers in another one's time; what we cache stays cached, as it does for the epochs of a run.
Rows:
  ours/train/CACHE/BATCH        training batches: uint8 images, both labels, places; shuffled as the run would have them
  ours/train/memory/BATCH/threads_N  the same with so many threads of tf.data
  ours/train/none/BATCH/window_1000  without a cache, shuffled within 1,000 examples instead of --shuffle_buffer
  ours/evaluate/memory          the evaluation's batches
  ours/stage/N_STAGE            the pipeline of --cache=none cut off behind each stage but the last, reading first
  ours/resident/CACHE           MiB that a process holds at the most which does nothing else than take such batches
  ours/ceiling/copy             a plain copy of such batches
  ours/ceiling/permutation      NumPy's bare x[permutation] of a whole pass, whose memory is new each time
  peer/tf_data/study_arrays     the study's float32 arrays in memory, through tf.data; uint8_arrays: uint8 ones
  peer/keras/pydataset          Keras's PyDataset, as fit consumes it
  peer/pytorch/dataloader/workers_N  PyTorch's DataLoader on a TensorDataset; bulk: with automatic batching disabled
  peer/grain/map_dataset        Google's Grain
  peer/dali/generic_iterator    NVIDIA's DALI, a CPU pipeline on an external source
Each row carries `cpu_s_per_million`, the CPU seconds for a million images, and `ceiling_share`, the part of the plain
copy's rate; peers' rows carry how many times as fast ours/train/memory is at the same batch, and each library of theirs
has a process of its own.
PyTorch and Grain are of the extra `peers`, DALI of the extra `dali`. FFCV does not install without OpenCV's headers,
and is not measured.
"""

import contextlib
import dataclasses
from typing import Any

from absl import flags

from benchmarks.harness import cli_output
from models.config import presets
from pipeline.common import app, config
from pipeline.data_config import DataConfig, SourceConfig

config.define_flags(SourceConfig)
cli_output.define_flags()
BATCH_SIZE = flags.DEFINE_integer("batch_size", 512, "images a batch", lower_bound=1)
REPEATS = flags.DEFINE_integer("repeats", 5, "rounds", lower_bound=1)
PASSES = flags.DEFINE_integer(
    "passes", 4, "over the training images, of each feed a round; of slow ones one", lower_bound=1
)
PEERS = flags.DEFINE_bool("peers", True, "measure others too, where they are installed")
QUICK = flags.DEFINE_bool(
    "quick",
    False,
    "under a minute where the extras are not installed: two short rounds, one batch size, no variants, no stages",
)


def main() -> None:
    """Measure all feeds in turns, and publish the rows."""
    cli_output.check("input", ("repeats", "passes"))
    app.load_tensorflow()
    from benchmarks.input import cases, memory
    from benchmarks.input import peers as input_peers
    from pipeline import prepare

    source = config.build(SourceConfig, config.given_flags())
    source = dataclasses.replace(source, dataset=prepare.prepare(source))
    held_out = {"num_validation": 500 if source.dataset == "shapes100_tiny" else 10_000}
    data = config.build(
        DataConfig, presets.preset("quick"), source.as_dict(), held_out, {"batch_size": BATCH_SIZE.value}
    )
    cases.check(data)
    repeats, passes = (2, 1) if QUICK.value else (REPEATS.value, PASSES.value)
    images, labels = cases.examples(data)
    sizes = tuple(dict.fromkeys((data.batch_size, *(() if QUICK.value else (128, 256, 1024)))))
    feeds = [*cases.ceilings(images, data.batch_size), *cases.settings(data, sizes)]
    feeds += [] if QUICK.value else [*cases.variants(data), *cases.by_stage(data)]
    sides, batch_sizes = cases.sides(feeds, passes, len(images)), {feed.name: feed.batch_size for feed in feeds}
    rows: list[dict[str, Any]] = []
    caches, processes = (("none",), 1) if QUICK.value else (("none", "disk", "memory"), 3)
    with cli_output.keeping("input", lambda: rows, dataset=source.dataset):
        with contextlib.ExitStack() as stack:
            if PEERS.value:
                peers = input_peers.begun(stack, images, labels, data.batch_size, min(passes, 2))
                sides += peers
                batch_sizes |= {peer.name: data.batch_size for peer in peers}
            timed = cases.rows(sides, batch_sizes, repeats, f"ours/train/memory/{data.batch_size}")
        rows += [row | input_peers.version(row["name"]) for row in timed]
        rows += memory.rows(data, caches, passes, processes)
    cli_output.finish("input", rows, dataset=source.dataset)


def run() -> None:
    """Start the binary."""
    app.run(main)


if __name__ == "__main__":
    run()
