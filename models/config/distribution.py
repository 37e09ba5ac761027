"""Distribution: the devices that divide each batch among them."""

import dataclasses

from pipeline.common.config import Composition, Config, Part, setting


@dataclasses.dataclass(frozen=True)
class Replicated(Config):
    """Of training on several replicas."""

    sync_batch_norm: bool = setting(
        False, "normalize by the statistics of the whole batch instead of each replica's part", identity=False
    )


@dataclasses.dataclass(frozen=True, init=False)
class DistributionConfig(Composition):
    """How a training is divided among devices; a run may go on with another number of them."""

    distribute: str = setting(
        "none",
        "devices that share each batch: none (one device); mirrored (the GPUs of this machine); or multi_worker "
        "(several processes, described by TF_CONFIG or --num_processes)",
        parts={"none": (), "mirrored": (Part(Replicated),), "multi_worker": (Part(Replicated),)},
        identity=False,
    )
