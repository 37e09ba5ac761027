"""The benchmark `benchmarks.tuner`."""
