"""The data's way from TFDS to the device: source, split, batches, augmentation.

Imports no other folder of the project.
"""

from pipeline.common.process import signals

signals.end_while_starting()
