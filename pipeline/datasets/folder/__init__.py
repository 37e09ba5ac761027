"""Reads folders of images in folders of classes, as Keras, torchvision and timm expect them."""
