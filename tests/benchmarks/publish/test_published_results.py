"""Estimated costs follow the formula."""

import pytest

from benchmarks.publish.published_results import PUBLISHED


@pytest.mark.parametrize(
    ("name", "multiply_adds", "epochs"),
    [
        ("ShuffleNetV2 x0.5", 11e6, 200),
        ("airbench 96/384/384", 256e6, 12),
        ("airbench 128/512/512", 615e6, 6.5),
        ("SimpleResNet, 13", 421e6, 13),
        ("SimpleResNet, 16", 421e6, 16),
        ("ResNet-20", 41e6, 200),
        ("ResNet-18", 555e6, 200),
        ("WRN-28-10", 5.243e9, 200),
    ],
)
def test_estimated_cost_is_the_formulas(name, multiply_adds, epochs):
    recipes = [recipe for recipe in PUBLISHED if recipe.name.startswith(name)]
    assert recipes
    for recipe in recipes:
        assert recipe.cost_is_estimated
        assert recipe.petaflop == pytest.approx(6 * multiply_adds * 50_000 * epochs / 1e15, rel=0.02)
