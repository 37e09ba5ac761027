"""The plan of Muon's iteration, without TensorFlow: which products it makes, and how many multiply-adds they are.

One iteration replaces x by (a + b g + c g g) x, where g = x xT (Jordan et al. 2024; see `muon`). Iterations that
follow each other are polynomials of the same g, so they can share it. Sharing k iterations saves 2 (k - 1) products
with the long side of x and makes 3 (k - 1) more of the short one: fewer multiply-adds where 2 columns > 3 rows.
"""

# (a, b, c) of the first iterations. Each takes the interval of singular values that the one before left, at first
# 0.02 to 1, nearest to 1 (Polar Express, Amsel et al. 2025, arXiv 2505.16932): three leave 0.91 to 1.09, where three
# of the one quintic of Jordan et al. leave 0.68 to 1.20.
QUINTICS = ((7.7110, -22.1138, 16.2487), (3.2153, -2.4112, 0.5013), (2.2183, -1.5940, 0.4107))
LAST_QUINTIC = (1.875, -1.25, 0.375)  # of all further ones: their limit, for values near 1
# Iterations that share a Gram matrix: with more, bfloat16 loses the smallest singular values.
MOST_TOGETHER = 3


def quintics(num_iterations: int) -> list[tuple[float, float, float]]:
    """The (a, b, c) of each iteration."""
    return [*QUINTICS[:num_iterations], *[LAST_QUINTIC] * (num_iterations - len(QUINTICS))]


def groups(num_iterations: int, shape: tuple[int, int]) -> list[list[tuple[float, float, float]]]:
    """The quintics of the iterations that share a Gram matrix, group by group, for x of `shape`, rows <= columns."""
    rows, columns = shape
    num_together = MOST_TOGETHER if 2 * columns > 3 * rows else 1
    each = quintics(num_iterations)
    return [each[first : first + num_together] for first in range(0, num_iterations, num_together)]


def multiply_adds(shape: tuple[int, ...], num_iterations: int) -> int:
    """Of making a step of a kernel of this shape orthogonal; 0 for any other variable."""
    if len(shape) != 4:
        return 0
    rows, columns = sorted((shape[0] * shape[1] * shape[2], shape[3]))
    shared = groups(num_iterations, (rows, columns))
    return sum(2 * rows * rows * columns + (4 * len(group) - 3) * rows**3 for group in shared)
