"""Benchmarks of the other packages, which do not import this one."""
