"""A check of figures that tests of explore and of the gallery share."""

import itertools

from pipeline.gallery import image_grid


def assert_nothing_overlaps(figure):
    renderer = image_grid.FigureCanvasAgg(figure).get_renderer()
    words = [text.get_window_extent(renderer) for text in figure.texts]
    images = [image.get_extent() for image in figure.images]  # left, right, bottom, top
    width, height = figure.bbox.size
    assert words
    for box in words:
        assert box.x0 >= 0 and box.y0 >= 0 and box.x1 <= width and box.y1 <= height, box  # noqa: PT018
        for left, right, bottom, top in images:
            assert box.x1 <= left or right <= box.x0 or box.y1 <= bottom or top <= box.y0, box
    for one, other in itertools.combinations(words, 2):
        assert one.x1 <= other.x0 or other.x1 <= one.x0 or one.y1 <= other.y0 or other.y1 <= one.y0, (one, other)
