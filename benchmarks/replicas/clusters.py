"""The clusters that `benchmarks.replicas` projects to, with what is assumed of them. Needs no TensorFlow."""

from benchmarks.replicas.cost_model import Cluster

# 0.34 PFLOP in 3.50 s on an A100, as the authors of NAVIER-STOKED state (docs/results.md names the source): what
# another program reached with a network like that of the preset fast. This project has not been run on a GPU.
A100 = 0.34e15 / 3.50
NVLINK = 300e9  # of an A100, each way, by NVIDIA's data sheet
GIGABIT = 1e9 / 8
NVLINK_MESSAGE_S, NETWORK_MESSAGE_S = 10e-6, 30e-6  # orders of magnitude of collective operations
ASSUMED = (
    f"assumed of an A100: {A100 / 1e12:.0f} TFLOP/s sustained, as a published training of such a network states; "
    f"{NVLINK / 1e9:.0f} GB/s each way between those of a machine (data sheet)",
    f"assumed of networks: their nominal rate, and {NETWORK_MESSAGE_S * 1e6:.0f} us for a message; in a machine "
    f"{NVLINK_MESSAGE_S * 1e6:.0f} us",
    "assumed of the input pipeline: on every machine the rate that is measured here",
)


def projected(operations_per_s: float, input_images_per_s: float) -> list[Cluster]:
    """GPUs of one machine, and machines with one GPU or with processors like this one's.

    `operations_per_s` and `input_images_per_s` are those of this machine, measured.
    """

    def machines(kind: str, count: int, operations_per_s: float, gigabits: int) -> Cluster:
        name, network = f"{count}_machines_{kind}_{gigabits}_gbit", gigabits * GIGABIT
        return Cluster(name, count, 1, operations_per_s, network, network, NETWORK_MESSAGE_S, input_images_per_s)

    return [
        *(
            Cluster(f"{count}_gpus", count, count, A100, NVLINK, NVLINK, NVLINK_MESSAGE_S, input_images_per_s)
            for count in (1, 2, 4, 8)
        ),
        *(machines("gpu", count, A100, 100) for count in (2, 8, 64)),
        *(machines("cpu", count, operations_per_s, 10) for count in (2, 8, 64)),
    ]
