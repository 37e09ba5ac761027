"""Tuner sessions: a Keras Tuner search that survives interruptions."""
