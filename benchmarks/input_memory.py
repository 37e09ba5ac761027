"""What a process holds that only takes training batches, in a process of its own (see own_process.py)."""

from typing import Any


def taken(data: dict[str, Any], passes: int) -> dict[str, float]:
    """Take so many passes of training batches, and nothing else.

    Args:
      data: a DataConfig as a dictionary.
      passes: over the training images.

    Returns:
      {"peak_mib": the most that the process held, TensorFlow's own 500 MiB or so included}.
    """
    from pipeline import binary

    binary.load_tensorflow()
    import itertools

    from benchmarks import input_sides
    from models import device
    from pipeline import source, split
    from pipeline.data_config import DataConfig

    config = DataConfig(**data)
    builder = source.open_builder(config)
    num_batches = passes * split.size(config, builder, "train") // config.batch_size
    for _ in itertools.islice(input_sides.train_batches(config, builder, threads=0), num_batches):
        pass
    return {"peak_mib": device.peak_rss_mib()}
