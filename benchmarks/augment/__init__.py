"""The benchmark `benchmarks.augment`."""
