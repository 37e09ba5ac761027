"""The benchmark `benchmarks.memory`."""
