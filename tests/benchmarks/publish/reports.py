"""Reports of runs that were evaluated on test."""

from benchmarks.publish.our_results import Measured


def report(**values):
    """A report with what is read of it."""
    standard = {
        "dataset": "cifar100",
        "preset": "tiny",
        "preset_changes": {},
        "split": "test",
        "seed": 0,
        "num_train": 40_000,
        "fine_accuracy": 0.6,
        "coarse_accuracy": 0.7,
        "coarse_from_fine_accuracy": 0.75,
        "coarse_source": "summed",
        "train_petaflop": 0.05,
        "train_seconds": 100.0,
        "peak_rss_mib": 1500.0,
        "num_parameters": 1_000_000,
        "device": "a processor",
        "fingerprints": {"records": "a", "order": "a"},
    }
    return {**standard, **values}


def measured(name, fine_percents, petaflop, num_train):
    """A recipe, with a seed for each accuracy."""
    seeds = enumerate(fine_percents)
    shared = {"preset": name, "train_petaflop": petaflop, "num_train": num_train}
    return Measured(name, [report(seed=seed, fine_accuracy=percent / 100, **shared) for seed, percent in seeds])
