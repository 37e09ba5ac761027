"""The modules that guard correctness, the tests of each, and the mutants that no input can tell from the module."""

ORACLES = "tuning/sessions/oracles"
HASHES = "tests/pipeline/test_stream_hashes.py::test_streams_of_shapes100_tiny_are_those_of_earlier_versions"
# In the order in which they run; the first failure ends them.
TESTS = {
    "pipeline/stages.py": (HASHES, "tests/pipeline/test_batches.py"),
    "pipeline/split.py": ("tests/pipeline/test_split.py",),
    "models/metrics.py": ("tests/models/test_metrics.py",),
    "models/optimizers/muon.py": ("tests/models/optimizers/test_muon.py",),
    "models/optimizers/newton_schulz.py": ("tests/models/optimizers/test_muon.py",),
    "models/runs/checkpoints.py": ("tests/models/runs/test_checkpoints.py",),
    "models/runs/folder.py": ("tests/models/runs/test_folder.py",),
    "tuning/statistics.py": ("tests/tuning/test_statistics.py",),
    f"{ORACLES}/conditional_space.py": (f"tests/{ORACLES}/test_conditional_space.py", f"tests/{ORACLES}"),
    f"{ORACLES}/hyperband.py": (f"tests/{ORACLES}/test_hyperband.py", f"tests/{ORACLES}"),
    f"{ORACLES}/journaled.py": (f"tests/{ORACLES}/test_journaled.py", f"tests/{ORACLES}"),
    f"{ORACLES}/keras_tuner_version.py": (f"tests/{ORACLES}/test_keras_tuner_version.py",),
}

# By `Mutant.key`: the reason why no input can tell.
EQUIVALENT: dict[tuple[str, str, str, str], str] = {}
