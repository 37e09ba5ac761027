"""Descriptions of data sets for tests of models that need no data."""

from pipeline.datasets import builtin

CIFAR100 = builtin.describe(builtin.CIFAR100)
