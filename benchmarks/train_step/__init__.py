"""The benchmark `benchmarks.train_step`."""
