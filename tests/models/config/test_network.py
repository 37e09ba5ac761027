"""Fields that a network does not read: the table of readers is true, and a flag that would do nothing is refused."""

import dataclasses
import re

import pytest

from models.config.heads import HeadConfig
from models.config.network import ARCHITECTURES, READ_BY, NetworkConfig, refuse_unread
from pipeline.common import errors
from tests.conftest import ROOT

FILES = {"vgg11": "vgg", "vgg16": "vgg", "efficientnet_b0": "efficientnet", "efficientnet_v2_s": "efficientnet"}
OF_EVERY_NETWORK = {"architecture", "pixel_scaling", "jit_compile"} | {
    field.name for field in dataclasses.fields(HeadConfig)
}
FIELD_OF = {"group_widths": "widths", "group_bottlenecks": "bottlenecks"}


def fields_read(architecture: str) -> set[str]:
    path = ROOT / "models" / "architectures" / f"{FILES.get(architecture, architecture)}.py"
    names = set(re.findall(r"config\.(\w+)", path.read_text(encoding="utf-8")))
    return {FIELD_OF.get(name, name) for name in names} - OF_EVERY_NETWORK


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_readers_are_those_whose_files_read_the_field(architecture):
    assert {name for name, readers in READ_BY.items() if architecture in readers} == fields_read(architecture)


def test_readers_are_told_of_every_field_that_not_all_read():
    names = {field.name for field in dataclasses.fields(NetworkConfig)}
    assert READ_BY.keys() <= names
    assert names - READ_BY.keys() == OF_EVERY_NETWORK


def test_field_that_would_do_nothing_is_refused():
    refuse_unread("wide_resnet", {"dropout": 0.3, "heads": "fine", "epochs": 3.0})
    with pytest.raises(errors.BadArgumentError, match=r"dropout=0\.3: architecture 'residual' does not read it"):
        refuse_unread("residual", {"dropout": 0.3})
