"""Measure the input pipeline in images per second, by setting and by stage, and compare it with other loaders.

    python -m benchmarks.input --out=FILE.json

All loaders take turns. Each is started for its turn, makes a pass that is not timed, and is closed after it, so that
none fills its buffers while another is measured; our caches stay filled, as they do over the epochs of a run. Rows:
  ours/train/CACHE/BATCH        training batches: shuffled uint8 images, both labels, indices; with device by a graph
                                that gathers nothing but them
  ours/train/memory/BATCH/threads_N  the same with N threads of tf.data
  ours/train/none/BATCH/window_1000  without a cache, shuffled within 1,000 examples instead of --shuffle_buffer
  ours/evaluate/memory          the batches of an evaluation
  ours/stage/N_STAGE            the pipeline of --cache=none cut off after a stage, reading being the first
  ours/resident/CACHE           peak memory in MiB of a process that only loads such batches
  ours/ceiling/copy             a plain copy of such batches
  ours/ceiling/permutation      NumPy's x[permutation] of a whole pass, whose memory is new each time
  peer/tf_data/study_arrays     the original study's float32 arrays through tf.data; uint8_arrays: uint8 arrays
  peer/keras/pydataset          Keras's PyDataset, as fit consumes it
  peer/pytorch/dataloader/workers_N  PyTorch's DataLoader on a TensorDataset; bulk: with automatic batching disabled
  peer/grain/map_dataset        Google's Grain
  peer/spdl/pipeline            Meta's SPDL
  peer/dali/generic_iterator    NVIDIA's DALI, a CPU pipeline on an external source
Each row has `cpu_s_per_million`, the CPU seconds for a million images, and `ceiling_share`, the share of the plain
copy's rate. Rows of peers have the ratio of ours/train/memory to them; each library has a process of its own.
PyTorch, Grain and SPDL are in the extra `peers`, DALI in the extra `dali`. FFCV needs OpenCV's headers, and is not
measured.
"""

import contextlib

from benchmarks.harness import cli_output
from benchmarks.harness import data as harness_data
from benchmarks.harness.results import Row
from pipeline.common import app
from pipeline.data_config import SourceConfig

flags = app.Flags(SourceConfig)
cli_output.define_flags(flags)
BATCH_SIZE = flags.DEFINE_integer("batch_size", 512, "number of images per batch", lower_bound=1)
REPEATS = flags.DEFINE_integer("repeats", 5, "number of rounds", lower_bound=1)
PASSES = flags.DEFINE_integer(
    "passes", 4, "passes of each loader over the training images per round; slow loaders make one", lower_bound=1
)
PEERS = flags.DEFINE_bool("peers", True, "also measure the other libraries that are installed")
QUICK = flags.DEFINE_bool(
    "quick", False, "under a minute without the extras: two short rounds, one batch size, no variants, no stages"
)


def main() -> None:
    """Measure all loaders in turns, and publish the rows."""
    cli_output.check("input", ("repeats", "passes"))
    data = harness_data.prepared_quick(batch_size=BATCH_SIZE.value)
    app.load_tensorflow()
    from benchmarks.input import cases as input_cases
    from benchmarks.input import peers
    from benchmarks.input import rows as input_rows

    images, labels = input_cases.examples(data)
    repeats, passes, caches, processes = REPEATS.value, PASSES.value, ["none", "disk", "memory", "device"], 3
    sizes = [size for size in dict.fromkeys((data.batch_size, 128, 256, 1024)) if size <= len(images)]
    if QUICK.value:
        repeats, passes, caches, processes, sizes = 2, 1, ["none"], 1, [data.batch_size]
    loaders = [*input_cases.ceilings(images, data.batch_size), *input_cases.by_setting(data, sizes)]
    loaders += [] if QUICK.value else [*input_cases.variants(data), *input_cases.by_stage(data)]
    cases = [loader.case(len(images), passes) for loader in loaders]
    rows: list[Row] = []
    with cli_output.publishing("input", lambda: rows, dataset=data.shown_name):
        with contextlib.ExitStack() as stack:
            if PEERS.value:
                cases += peers.start(stack, images, labels, data.batch_size, min(passes, 2))
            rows += input_rows.timed(cases, repeats, ours=f"ours/train/memory/{data.batch_size}")
        rows += input_rows.resident(data, caches, passes, processes)


if __name__ == "__main__":
    app.run(main, flags)
