"""Measure a training in one process and in several on this machine, and project it to GPUs and to other machines.

    python -m benchmarks.replicas --preset=fast --out=FILE.json

Rows, in images/s of the recipe of --preset at full resolution:
  ours/measured/PRESET/none/1        a training in one process, on all processors of this machine
  ours/measured/PRESET/mirrored/1    the same under --distribute=mirrored, with one replica
  ours/measured/PRESET/multi_worker/N
                                     in --processes processes, which share the processors. The ratio of both is to none
  ours/measured/input                the input pipeline alone
  ours/measured/PRESET/muon_every/N  ms of Muon's products of a step in --processes processes, each of which makes all
  ours/measured/PRESET/muon_divided/N
                                     the same where they divide the kernels, and pass the results on by an all-reduce
  ours/projected/PRESET/CLUSTER/batch
                                     computed by a model, NOT measured: on a cluster, with the recipe's batch divided
                                     among the replicas; and batch_a_replica, with such a batch for each replica
Each training has processes of its own, and is timed over the second of two epochs of --steps steps. A projected row has
`efficiency`, the rate of a replica as a share of that of one replica that makes all of the batch alone. What is assumed
is printed, and where the time of a projected step goes. The model: benchmarks/replicas/cost_model.py.
"""

import collections

from benchmarks.harness import cli_output, results
from benchmarks.harness import data as harness_data
from benchmarks.harness.results import Row
from models.config import presets
from pipeline.common import app, progress
from pipeline.data_config import SourceConfig

QUICK_PRESET = "linear"

flags = app.Flags(SourceConfig)
PRESET = flags.DEFINE_enum("preset", "fast", presets.WITH_NETWORK, "preset to train")
PROCESSES = flags.DEFINE_integer("processes", 2, "number of processes on this machine", lower_bound=2, upper_bound=64)
STEPS = flags.DEFINE_integer("steps", 10, "steps of an epoch", lower_bound=1)
REPEATS = flags.DEFINE_integer("repeats", 3, "number of interleaved rounds of all trainings", lower_bound=1)
QUICK = flags.DEFINE_bool("quick", False, f"under a minute: one round of one step of the preset {QUICK_PRESET}")
cli_output.define_flags(flags)


def main() -> None:
    """Measure in turns, project, publish."""
    cli_output.check("replicas", ("preset", "steps", "repeats"))
    source = harness_data.source_of_flags()
    app.load_tensorflow()
    from benchmarks.harness import training_steps
    from benchmarks.replicas import cases, clusters, products
    from benchmarks.replicas import rows as replica_rows
    from models.runtime import precision

    preset, num_steps, repeats = (QUICK_PRESET, 1, 1) if QUICK.value else (PRESET.value, STEPS.value, REPEATS.value)
    policy = precision.resolve("auto")
    data, train = training_steps.configured(preset, source.as_dict(), policy)
    work = cases.work_of(data, train)
    divisions = [cases.Division("none"), cases.Division("mirrored"), cases.Division("multi_worker", PROCESSES.value)]
    further = [*harness_data.flags_of(source), f"--precision={policy}"]
    rates: dict[cases.Division, list[float]] = collections.defaultdict(list)
    rows: list[Row] = []

    def measured() -> list[Row]:
        return [*replica_rows.measured(preset, data.batch_size, rates), *rows]

    costs = {}
    with cli_output.publishing("replicas", measured, dataset=source.shown_name):
        calls = divisions * repeats
        for division in progress.track(calls, "measuring", len(calls), "trainings", in_background=False):
            rates[division].append(cases.trained_images_per_s(division, preset, data, further, num_steps))
        fed = [cases.input_images_per_s(data) for _ in range(repeats)]
        rows.append(results.row(replica_rows.INPUT, "images/s", fed, 1))
        if kernels := cases.kernels_of(data, train):
            step_ms = products.milliseconds(kernels, train.muon_iterations, PROCESSES.value, repeats)
            rows.extend(replica_rows.of_products(preset, PROCESSES.value, step_ms))
        plain, read = measured()[0].median, rows[0].median
        projections = clusters.projected(replica_rows.operations_per_s(work, plain), read)
        for row, cost in replica_rows.projected(preset, work, projections):
            rows.append(row)
            costs[row.name] = cost
    print(*clusters.ASSUMED, *replica_rows.lines(costs), sep="\n")


if __name__ == "__main__":
    app.run(main, flags)
