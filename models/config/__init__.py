"""Configurations of a training run."""
