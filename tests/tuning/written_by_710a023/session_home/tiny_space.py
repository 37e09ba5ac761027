"""A space of networks of some thousand parameters, without a trunk of their own."""

BASE = {
    "preset": "quick",
    "architecture": "fast",
    "widths": "8,8,16",
    "bottlenecks": "8,8,8",
    "num_validation": 500,
    "batch_size": 100,
    "optimizer": "adam",
    "schedule": "constant",
    "jit_compile": "off",
}


def space(hp):
    return {
        "learning_rate": hp.Choice("learning_rate", [1e-3, 3e-3, 1e-2]),
        "fine_hidden_layers": hp.Int("fine_hidden_layers", 0, 1),
        "fine_hidden_units": hp.Choice("fine_hidden_units", [16, 32]),
        "coarse_dropout": hp.Float("coarse_dropout", 0.0, 0.5, step=0.1),
    }
