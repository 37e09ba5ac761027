"""How long a training step takes on several replicas: a model of it, in plain arithmetic. Needs no TensorFlow.

    compute      operations of the network, divided among the replicas
    optimizer    Muon's products, which every replica makes
    all_reduce   a ring passes each gradient on twice, so that a link carries 2 (N - 1) / N of all bytes in 2 (N - 1)
                 messages (Patarasuk and Yuan 2009)
    input        images that the machine with the most replicas reads beside the step

Nothing overlaps but the input: the step takes the sum of the first three, or the input if that is longer.
"""

import dataclasses


@dataclasses.dataclass(frozen=True)
class Work:
    """What a step does, whatever does it.

    Attributes:
      images: in the whole batch.
      image_operations: forward and backward pass of one image.
      optimizer_operations: products of the optimizer in a step.
      gradient_bytes: of all trained variables.
    """

    images: int
    image_operations: float
    optimizer_operations: float
    gradient_bytes: int

    def times(self, count: int) -> "Work":
        """The work of a batch that is so many times as large."""
        return dataclasses.replace(self, images=self.images * count)


@dataclasses.dataclass(frozen=True)
class Cluster:
    """Replicas, and what lies between them.

    Attributes:
      name: as in a row.
      replicas: all of them.
      per_machine: those of a machine.
      operations_per_s: that a replica sustains.
      link_bytes_per_s: between two replicas of a machine, each way.
      network_bytes_per_s: between two machines, each way.
      message_s: latency of a message on the slower of the two.
      input_images_per_s: that a machine reads.
    """

    name: str
    replicas: int
    per_machine: int
    operations_per_s: float
    link_bytes_per_s: float
    network_bytes_per_s: float
    message_s: float
    input_images_per_s: float

    @property
    def ring_bytes_per_s(self) -> float:
        """Of the slowest link in a ring of all replicas."""
        is_one_machine = self.replicas <= self.per_machine
        return self.link_bytes_per_s if is_one_machine else min(self.link_bytes_per_s, self.network_bytes_per_s)


@dataclasses.dataclass(frozen=True)
class StepCost:
    """Seconds of the parts of a step."""

    images: int
    compute_s: float
    optimizer_s: float
    all_reduce_s: float
    input_s: float

    @property
    def step_s(self) -> float:
        """Of the whole step."""
        return max(self.compute_s + self.optimizer_s + self.all_reduce_s, self.input_s)

    @property
    def images_per_s(self) -> float:
        """Of all replicas."""
        return self.images / self.step_s


def step_cost(work: Work, cluster: Cluster) -> StepCost:
    """What a step costs on a cluster."""
    count, others = cluster.replicas, cluster.replicas - 1
    carried = 2 * others / count * work.gradient_bytes
    images_of_machine = work.images * min(cluster.per_machine, count) / count
    return StepCost(
        images=work.images,
        compute_s=work.images / count * work.image_operations / cluster.operations_per_s,
        optimizer_s=work.optimizer_operations / cluster.operations_per_s,
        all_reduce_s=carried / cluster.ring_bytes_per_s + 2 * others * cluster.message_s,
        input_s=images_of_machine / cluster.input_images_per_s,
    )


def efficiency(work: Work, cluster: Cluster) -> float:
    """The images per second of a replica, as a share of those of one alone with the same batch for itself."""
    alone = step_cost(work, dataclasses.replace(cluster, replicas=1))
    return step_cost(work, cluster).images_per_s / cluster.replicas / alone.images_per_s
