"""Augmentation on the device: one transform a file, each a Keras layer that draws per image and applies to a batch."""
