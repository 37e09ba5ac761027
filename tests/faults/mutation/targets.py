"""The modules that guard correctness, the tests of each, and the mutants that no input can tell from the module."""

ORACLES = "tuning/sessions/oracles"
# Its slowest test takes as long as the rest, and kills nothing that the others do not.
SLOWEST = "test_search_that_is_cut_off_again_and_again_ends_as_the_undisturbed_one[bayesian-1]"
HASHES = "tests/pipeline/test_stream_hashes.py::test_streams_of_shapes100_tiny_are_those_of_earlier_versions"


def _oracle_tests(module: str) -> tuple[str, ...]:
    """The tests of all oracles, those of the module first, without the slowest one."""
    names = sorted(("conditional_space", "hyperband", "journaled"), key=lambda name: name != module)
    return (
        *(f"tests/{ORACLES}/test_{name}.py" for name in names),
        "--deselect",
        f"tests/{ORACLES}/test_journaled.py::{SLOWEST}",
    )


# In the order in which they run; the first failure ends them.
TESTS = {
    "pipeline/stages.py": (HASHES, "tests/pipeline/test_batches.py"),
    "pipeline/shuffling.py": (HASHES, "tests/pipeline/test_batches.py"),
    "pipeline/memory_cache.py": (HASHES, "tests/pipeline/test_batches.py"),
    "pipeline/split.py": ("tests/pipeline/test_split.py",),
    "models/metrics.py": ("tests/models/test_metrics.py",),
    "models/optimizers/muon.py": ("tests/models/optimizers/test_muon.py",),
    "models/optimizers/newton_schulz.py": ("tests/models/optimizers/test_muon.py",),
    "models/runs/checkpoints.py": ("tests/models/runs/test_checkpoints.py",),
    "models/runs/folder.py": ("tests/models/runs/test_folder.py",),
    "tuning/statistics.py": ("tests/tuning/test_statistics.py",),
    f"{ORACLES}/conditional_space.py": _oracle_tests("conditional_space"),
    f"{ORACLES}/hyperband.py": _oracle_tests("hyperband"),
    f"{ORACLES}/journaled.py": _oracle_tests("journaled"),
    f"{ORACLES}/oracle.py": _oracle_tests("journaled"),
    f"{ORACLES}/keras_tuner_version.py": (f"tests/{ORACLES}/test_keras_tuner_version.py",),
}

# By `Mutant.key`: the reason why no input can tell.
EQUIVALENT: dict[tuple[str, str, str, str], str] = {
    (
        "pipeline/shuffling.py",
        "WindowShuffledPasses.__call__",
        "return examples.batch(source.CHUNK, drop_remainder=True)",
        "return (examples.batch(source.CHUNK))",
    ): "The stream has no end, so no remainder; `Batch` gives batches their static shape.",
    (
        "pipeline/stages.py",
        "Decode.__call__",
        "return chunks.map(self._decode, num_parallel_calls=cpu.count() + 1, deterministic=True)",
        "return (chunks.map(self._decode, num_parallel_calls=cpu.count() + 1))",
    ): "tf.data keeps the order unless an option turns that off; no stage sets one.",
    (
        "models/optimizers/muon.py",
        "_iterated",
        "gram = tf.matmul(tf.matmul(factor, gram), factor)",
        "gram = (tf.matmul(factor, tf.matmul(factor, gram)))",
    ): "Both are polynomials of one matrix, so their products are equal in any order, but for rounding.",
    (
        "models/runs/checkpoints.py",
        "Checkpoint.restore",
        "for variable, value in zip(run_variables, self.values, strict=True):",
        "for variable, value in (zip(run_variables, self.values)):",
    ): "Equal lists of shapes, which are compared before, have one length.",
    (
        "models/runs/checkpoints.py",
        "_read",
        'with path.open("rb") as file, np.load(file, allow_pickle=False) as npz: # NumPy leaves a damaged file open',
        'with path.open("rb") as file, (np.load(file)) as npz: # NumPy leaves a damaged file open',
    ): "It is NumPy's default.",
    (
        "models/runs/checkpoints.py",
        "Checkpoint.restore",
        "for variable, value in zip(run_variables, self.values, strict=True):",
        "for variable, value in zip(run_variables, self.values, strict=False):",
    ): "Equal lists of shapes, which are compared before, have one length.",
    (
        "models/runs/folder.py",
        "RunFolder.rows",
        'text = path.read_text(encoding="utf-8-sig")',
        "text = path.read_text(encoding='utf-8-sig_')",
    ): "Python takes both for the name of one encoding.",
    (
        "tuning/statistics.py",
        "residual",
        "design[number, [row, len(rows) + seed]] = 1.0",
        "design[number, [row, len(rows) + seed]] = 2.0",
    ): "Least squares fits the same values whatever the scale of the design's columns.",
    (
        "tuning/statistics.py",
        "holm",
        'order = np.argsort(p_values, kind="stable")',
        "order = (np.argsort(p_values))",
    ): "Equal p-values get the largest of their products, whatever their order.",
    (
        f"{ORACLES}/conditional_space.py",
        "_problem_of",
        'config = {key: value for key, value in one.get_config().items() if key not in ("name", "conditions")}',
        """config = {key: value for key, value in one.get_config().items() if key not in ("name", 'conditions_')}""",
    ): "Conditions are a list, and lists are not checked.",
}
