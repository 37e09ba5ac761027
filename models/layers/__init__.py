"""Keras layers and initializers of the networks."""
