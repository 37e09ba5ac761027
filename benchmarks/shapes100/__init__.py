"""The benchmark `benchmarks.shapes100`."""
