"""The benchmark `benchmarks.scaling`."""
