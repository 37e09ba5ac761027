"""Fixtures of the tests of the gallery."""

import numpy as np
import pytest

from pipeline.data_config import SourceConfig
from pipeline.gallery import rows as gallery_rows


@pytest.fixture(scope="module")
def tiny(tiny_data_dir) -> SourceConfig:
    return SourceConfig(dataset="shapes100_tiny", data_dir=tiny_data_dir)


@pytest.fixture(scope="module")
def plain() -> gallery_rows.Examples:
    """Four images of one grey each."""
    greys = np.array([0, 60, 120, 240], np.uint8)
    images = np.broadcast_to(greys[:, None, None, None], (4, 32, 32, 3))
    return gallery_rows.Examples(images, ("black", "dark", "grey", "light"))
