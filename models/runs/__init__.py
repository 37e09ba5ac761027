"""The folder of a training run: its files, checkpoints and saved model."""
