"""The benchmark `benchmarks.startup`."""
