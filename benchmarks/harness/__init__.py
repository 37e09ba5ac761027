"""Measuring: timing, results, comparisons and the processes that benchmarks run."""
