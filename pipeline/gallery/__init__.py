"""A picture of an augmentation set."""
