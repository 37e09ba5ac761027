"""The benchmark `benchmarks.input`."""
