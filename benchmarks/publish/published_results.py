"""Published fine accuracies on CIFAR-100's test images, trained from scratch, and the cost of the training.

Few say their cost. Others' is estimated here as our own is (models/reporting/flops.py): 6 x multiply-adds of an image x
50,000 images x epochs, with fewer multiply-adds in the epochs at a lower resolution.
"""

import dataclasses

from pipeline.common import markdown_table
from pipeline.common.markdown_table import Column


@dataclasses.dataclass(frozen=True)
class Recipe:
    """A published training."""

    name: str  # of the network or submission, and its length
    fine_percent: float  # on test, 0 to 100
    petaflop: float  # of the whole training, forward and backward
    source: str  # GitHub repository, or arXiv identifier
    cost_is_estimated: bool = True  # whether `petaflop` is our arithmetic; else the source states it
    chart_name: str = ""  # where the chart of accuracy over cost names it
    single_view: bool = True  # whether each test image is classified once; else over several views, or that is unknown


SPEEDRUN_75, SPEEDRUN_70 = "AIDDA-Institute/CIFAR-100-speedrun", "crisostomi/cifar100-speedrun"

PUBLISHED = (
    Recipe("NAVIER-STOKED, 8.75 epochs", 75.19, 0.34, SPEEDRUN_75, chart_name="NAVIER-STOKED"),
    Recipe("NAVIER-STOKED, 11.5 epochs", 76.2, 0.44, SPEEDRUN_75),
    Recipe("SimpleResNet, 7 epochs", 71.05, 0.62, SPEEDRUN_70),
    Recipe(
        "ShuffleNetV2 x0.5, 200 epochs", 67.82, 0.66, "chenyaofo/pytorch-cifar-models", chart_name="ShuffleNetV2 x0.5"
    ),
    Recipe("it_compiles, 8 epochs", 75.30, 0.88, SPEEDRUN_75),
    Recipe("airbench 96/384/384, 12 epochs", 71.68, 0.92, "AbdullahButt-00/CIFAR-10-Airbench", single_view=False),
    Recipe("airbench 128/512/512, 6.5 epochs", 75.30, 1.2, "RyanChong0117/CIFAR-100-speedrun"),
    Recipe("SimpleResNet, 13 epochs", 71.32, 1.64, "CerovazS/Cifar100Speedrun"),
    Recipe("SimpleResNet, 16 epochs", 70.8, 2.02, "CerovazS/Cifar100Speedrun"),
    Recipe("ResNet-20, 200 epochs", 68.83, 2.45, "chenyaofo/pytorch-cifar-models", chart_name="ResNet-20"),
    # The cost is of the recipe on CIFAR-10, in its authors' count. It averages views; whether this figure does is open.
    Recipe(
        "airbench96",
        79.27,
        7.2,
        "arXiv 2404.00498",
        chart_name="airbench96",
        cost_is_estimated=False,
        single_view=False,
    ),
    Recipe("ResNet-18, 200 epochs", 75.61, 33.0, "weiaicunzai/pytorch-cifar100"),
    Recipe("ResNet-18, 200 epochs", 78.43, 33.0, "huggingface.co/edadaltocg/resnet18_cifar100", chart_name="ResNet-18"),
    Recipe("WRN-28-10, 200 epochs", 79.8, 315.0, "google/uncertainty-baselines", chart_name="WRN-28-10"),
)

# Of the original study's final models on test; their costs are unknown.
ORIGINAL_FINE_PERCENT, ORIGINAL_COARSE_PERCENT = 61.88, 72.49


def table() -> list[str]:
    """A row for each published training, the cheapest first."""
    columns: list[Column[Recipe]] = [
        Column("published training", lambda recipe: recipe.name),
        Column("fine (%)", lambda recipe: f"{recipe.fine_percent:.2f}", is_number=True),
        Column("PFLOP", lambda recipe: f"{recipe.petaflop:.3g}", is_number=True),
        Column("cost", lambda recipe: "estimated" if recipe.cost_is_estimated else "stated"),
        Column("views of a test image", lambda recipe: "one" if recipe.single_view else "several, or unknown"),
        Column("source", lambda recipe: recipe.source),
    ]
    return markdown_table.lines(columns, sorted(PUBLISHED, key=lambda recipe: recipe.petaflop))
