"""CIFAR-100 and CIFAR-10: what their copies hold, and readers of the forms in which people have them."""
