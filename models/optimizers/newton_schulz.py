"""The plan of Muon's iteration, without TensorFlow: which products it makes, and how many multiply-adds they are.

One iteration replaces x by (a + b g + c g g) x, where g = x xT (Jordan et al. 2024; see `muon`). Iterations that
follow each other are polynomials of the same g, so they can share it. Sharing k iterations saves 2 (k - 1) products
with the long side of x and makes 3 (k - 1) more of the short one: fewer multiply-adds where 2 columns > 3 rows.
"""

# Of the quintic: steep at 0, so that few iterations do.
QUINTIC = (3.4445, -4.7750, 2.0315)
# Iterations that share a Gram matrix: with more, bfloat16 loses the smallest singular values.
MOST_TOGETHER = 3


def groups(num_iterations: int, shape: tuple[int, int]) -> list[int]:
    """How many iterations share a Gram matrix, group by group, for x of `shape`, no more rows than columns."""
    rows, columns = shape
    num_together = MOST_TOGETHER if 2 * columns > 3 * rows else 1
    whole, rest = divmod(num_iterations, num_together)
    return [num_together] * whole + [rest] * (rest > 0)


def multiply_adds(shape: tuple[int, ...], num_iterations: int) -> int:
    """Of making a step of a kernel of this shape orthogonal; 0 for any other variable."""
    if len(shape) != 4:
        return 0
    rows, columns = sorted((shape[0] * shape[1] * shape[2], shape[3]))
    shared = groups(num_iterations, (rows, columns))
    return sum(2 * rows * rows * columns + (4 * num_together - 3) * rows**3 for num_together in shared)
