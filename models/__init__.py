"""Classifiers, the one training loop, evaluation and their reports. Imports `pipeline` alone."""
