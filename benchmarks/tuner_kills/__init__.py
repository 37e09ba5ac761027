"""The benchmark `benchmarks.tuner_kills`."""
