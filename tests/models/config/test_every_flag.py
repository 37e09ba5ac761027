"""Every flag of models.train: the chosen parts read it, which its effect shows, or it is an error."""

import hashlib
from collections.abc import Callable
from typing import Any

import keras
import numpy as np
import pytest

from models import classifier, metrics
from models.architectures import efficientnet
from models.config import TrainConfig, from_preset
from models.optimizers import schedules
from models.optimizers.build import build_optimizer
from models.runtime import replicas
from models.training import loop, preconditions
from pipeline import prepare
from pipeline.batches import OpenedData
from pipeline.common import config, errors
from pipeline.data_config import DataConfig
from tests.descriptions import CIFAR100

SETTINGS = config.settings(DataConfig, TrainConfig)
# Three steps of a linear model of the 1,500 smallest training images.
SMALL = {
    "architecture": "linear",
    "dataset": "shapes100_tiny",
    "num_validation": 500,
    "batch_size": 50,
    "max_steps": 3,
    "augmentation": "none",
    "precision": "float32",
    "jit_compile": "off",
}
ONE_STEP_EPOCHS = {"virtual_examples": 50, "max_steps": 0, "epochs": 1.0}


def digest(arrays: Any) -> str:
    return hashlib.sha256(b"".join(np.ascontiguousarray(array).tobytes() for array in arrays)).hexdigest()


def network(data: DataConfig, train: TrainConfig) -> Any:
    """The layers, the initial weights, and which of them are trained."""
    keras.utils.clear_session()
    model = classifier.build(train, CIFAR100)
    return model.to_json(), digest(model.get_weights()), [variable.shape for variable in model.trainable_variables]


def optimizer(data: DataConfig, train: TrainConfig) -> Any:
    built = build_optimizer(train, [keras.Variable(np.ones((2, 2), np.float32))])
    return type(built).__name__, {**built.get_config(), "name": ""}


def rate(data: DataConfig, train: TrainConfig) -> Any:
    rates = [schedules.learning_rate(train, np.int64(step), 10) for step in (0, 3, 9)]
    return [None if one is None else float(one) for one in rates]


def loss(data: DataConfig, train: TrainConfig) -> Any:
    generator = np.random.default_rng(0)
    logits = {"fine": generator.normal(size=(4, 100)), "coarse": generator.normal(size=(4, 20))}
    logits = {name: logits[name].astype(np.float32) for name in train.head_names}
    return metrics.objective(train, logits, {name: np.arange(4, dtype=np.int32) for name in logits}).numpy().tolist()


def stream(data: DataConfig, train: TrainConfig) -> Any:
    batches = OpenedData(data).train(train.seed).take(2).as_numpy_iterator()
    return [digest([batch["image"], batch["fine"], batch["index"]]) for batch in batches]


def run(data: DataConfig, train: TrainConfig) -> Any:
    """The final weights, the report and the rows without what depends on time, and the number of calls of the step."""
    calls: list[int] = []
    count = keras.callbacks.LambdaCallback(on_train_batch_begin=lambda batch, logs: calls.append(batch))
    result = loop.train(data, train, callbacks=[count], verbose=0)
    report = {name: result.report[name] for name in ("preset", "epochs", "steps", "loss", "coarse_source")}
    return digest(result.model.get_weights()), report, [row["validation_loss"] for row in result.rows], len(calls)


def source(data: DataConfig, train: TrainConfig) -> Any:
    return prepare.prepare(data)


def name(data: DataConfig, train: TrainConfig) -> str:
    return data.prepared_name


def strategy(data: DataConfig, train: TrainConfig) -> bool:
    return replicas.of(train.distribute).has_strategy


def synchronized(data: DataConfig, train: TrainConfig) -> list[bool]:
    return [layer.synchronized for layer in classifier.build(train, CIFAR100).layers if hasattr(layer, "synchronized")]


def warmed(data: DataConfig, train: TrainConfig) -> Any:
    return preconditions.check(data, train)


SPEEDRUN = {"architecture": "speedrun", "widths": (8, 8, 16), "bottlenecks": (8, 8, 8)}
CNN = {"architecture": "original_cnn", "first_filters": 4}
WIDE = {"architecture": "wide_resnet", "depth": 10, "widen_factor": 1}
MUON = {"optimizer": "muon"}
FROZEN = {"init_from": "elsewhere", "freeze_trunk": True}
# Of each flag: what its effect is on, what it is set beside, and the second value.
EFFECTS: dict[str, tuple[Callable[[DataConfig, TrainConfig], Any], dict[str, Any], Any]] = {
    "dataset": (source, {}, "cifar100"),
    "image_size": (stream, {}, 64),
    "crop_size": (stream, {}, 24),
    "fine_key": (name, {"dataset": "tfds:beans"}, "label"),
    "coarse_key": (name, {"dataset": "tfds:beans"}, "kind"),
    "superclasses": (name, {"dataset": "folder:pets"}, "none"),
    "data_dir": (stream, {}, "/nowhere"),
    "archive": (source, {"dataset": "cifar100"}, "/nowhere.tar.gz"),
    "num_validation": (stream, {}, 600),
    "split_seed": (stream, {}, 1),
    "cache": (stream, {}, "none"),
    "data_service": (warmed, {}, "127.0.0.1:1"),
    "shuffle_buffer": (stream, {"cache": "none"}, 10),
    "batch_size": (stream, {}, 60),
    "virtual_examples": (run, ONE_STEP_EPOCHS, 100),
    "augmentation": (run, {}, "flip_shift"),
    "unaugmented_fraction": (run, {"augmentation": "flip_shift"}, 0.5),
    "unaugmented_last_fraction": (run, {"augmentation": "flip_shift"}, 0.5),
    "resolutions": (run, SPEEDRUN, ((16, 0.5), (32, 0.5))),
    "distribute": (strategy, {}, "mirrored"),
    "sync_batch_norm": (synchronized, {**SPEEDRUN, "distribute": "mirrored"}, True),
    "architecture": (network, {}, "baseline"),
    "separate_blocks": (network, SPEEDRUN, True),
    "unfreeze_last_block": (network, {**SPEEDRUN, **FROZEN}, True),
    "activation": (network, SPEEDRUN, "silu"),
    "widths": (network, SPEEDRUN, (8, 16, 16)),
    "bottlenecks": (network, SPEEDRUN, (8, 16, 8)),
    "whitening": (network, SPEEDRUN, False),
    "dirac": (network, SPEEDRUN, False),
    "norm_scale": (network, SPEEDRUN, False),
    "norm_momentum": (network, SPEEDRUN, 0.5),
    "jit_compile": (network, {**SPEEDRUN, "activation": "silu"}, "on"),
    "dropout": (network, WIDE, 0.3),
    "depth": (network, WIDE, 16),
    "widen_factor": (network, WIDE, 2),
    "blocks": (network, CNN, 2),
    "block_convolutions": (network, CNN, 2),
    "first_filters": (network, CNN, 8),
    "pooling": (network, CNN, "average"),
    "padding": (network, CNN, "valid"),
    "batch_norm": (network, CNN, True),
    "l2": (network, CNN, 0.1),
    "initializer": (network, CNN, "he_normal"),
    "head_dropout": (network, {"architecture": "original_net"}, 0.3),
    "convolutions": (network, {"architecture": "original_net"}, 4),
    "pretrained": (network, {"architecture": "efficientnet_b0"}, True),
    "pixel_scaling": (network, {}, "unit"),
    "heads": (network, {}, "fine"),
    "class_weights": (run, {"num_validation": 550}, "balanced"),
    "logit_scale": (network, {}, 1.0),
    **{
        f"{head}_{field}": (what, beside, value)
        for head in ("fine", "coarse")
        for field, what, beside, value in (
            ("hidden_layers", network, {}, 1),
            ("hidden_units", network, {f"{head}_hidden_layers": 1}, 8),
            ("dropout", network, {}, 0.3),
            ("l2", network, {}, 0.1),
            ("label_smoothing", loss, {}, 0.3),
        )
    },
    "coarse_loss_weight": (loss, {}, 1.0),
    "coarse_source": (run, {}, "head"),
    "optimizer": (optimizer, {}, "adam"),
    "momentum": (optimizer, {}, 0.5),
    "muon_lr_multiplier": (optimizer, MUON, 0.5),
    "muon_momentum": (optimizer, MUON, 0.5),
    "muon_iterations": (optimizer, MUON, 5),
    "bias_lr_multiplier": (optimizer, MUON, 2.0),
    "learning_rate": (rate, {}, 0.5),
    "schedule": (rate, {}, "warmup_cosine"),
    "warmup_fraction": (rate, {}, 0.5),
    "weight_decay": (optimizer, {}, 0.1),
    "sam_radius": (run, {}, 0.1),
    "ema_decay": (run, {}, 0.9),
    "lookahead_steps": (run, {}, 2),
    "preset": (run, {}, "tiny"),
    "epochs": (run, ONE_STEP_EPOCHS, 2.0),
    "max_steps": (run, {}, 2),
    "patience": (run, {**ONE_STEP_EPOCHS, "epochs": 4.0, "learning_rate": 0.0}, 1),
    "on_divergence": (run, {"learning_rate": 1e30}, "rollback"),
    "init_from": (warmed, {}, "/nowhere"),
    "freeze_trunk": (network, {"init_from": "elsewhere"}, True),
    "precision": (network, {}, "mixed_bfloat16"),
    "steps_per_call": (run, {}, 3),
    "seed": (network, {}, 1),
}


def outcome(what: Callable[[DataConfig, TrainConfig], Any], **fields: Any) -> Any:
    fields = dict(fields)
    data, train = from_preset(fields.pop("preset", "quick"), **fields)
    try:
        return what(data, train)
    except (errors.BadArgumentError, errors.FailedError) as error:
        return str(error)


@pytest.fixture(scope="module")
def base_outcome() -> Callable[..., Any]:
    """A function that returns the outcome without the flag, which is the same each time: what differs is the flag's."""
    outcomes: dict[str, Any] = {}

    def outcome_of(what: Callable[[DataConfig, TrainConfig], Any], **fields: Any) -> Any:
        key = f"{what.__name__} {sorted(fields.items())}"
        if key not in outcomes:
            outcomes[key] = outcome(what, **fields)
            assert outcome(what, **fields) == outcomes[key]
        return outcomes[key]

    return outcome_of


def test_every_flag_has_an_effect_here():
    assert EFFECTS.keys() == SETTINGS.keys()


@pytest.mark.parametrize("name", EFFECTS)
def test_flag_that_is_read_has_an_effect(name, tiny_data_dir, monkeypatch, base_outcome):
    monkeypatch.setattr(
        efficientnet, "load_imagenet", lambda model, _: model.layers[1].set_weights([np.ones((3, 3, 3, 32))])
    )
    what, beside, value = EFFECTS[name]
    fields = {**SMALL, "data_dir": tiny_data_dir, **beside}
    assert outcome(what, **{**fields, name: value}) != base_outcome(what, **fields)


@pytest.mark.parametrize("name", [name for name, one in SETTINGS.items() if one.where_read])
def test_flag_that_no_chosen_part_reads_is_an_error(name):
    one, (_, beside, value) = SETTINGS[name], EFFECTS[name]
    needed, _, wanted = one.needs.partition("=")
    without = [{one.choice: other} for other, reads in one.readers.items() if not reads]
    without += [{needed: "fine"} if wanted else {}] if needed else []
    beside = {other: part for other, part in beside.items() if other != needed and not SETTINGS[other].where_read}
    assert without
    for fields in without:
        with pytest.raises(errors.BadArgumentError, match=f"^{name}="):
            from_preset("quick", **{**beside, **fields, name: value})
