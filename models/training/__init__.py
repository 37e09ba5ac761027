"""The training loop, `models.training.loop.train`, and what it is made of."""
