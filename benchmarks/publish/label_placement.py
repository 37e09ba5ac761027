"""Places for the names of points in a chart: each as near to its mark as it can be without overlapping anything.

Deterministic. Lengths are in pixels; y grows upwards.
"""

import dataclasses
import math
from collections.abc import Iterator, Sequence

import numpy as np
from matplotlib.path import Path
from matplotlib.transforms import Bbox

DIRECTIONS = (0, 180, 90, 270, 35, 145, 325, 215, 65, 115, 295, 245)  # degrees; the first are the easiest to read
DISTANCES_POINTS = (3.0, 6.0, 10.0, 15.0, 21.0, 28.0, 36.0, 46.0, 58.0, 72.0)  # from a mark's edge to a name's
LEADER_FROM_POINTS = 9.0  # a name as far away needs a line that leads to its mark
CLEARANCE_POINTS = 2.0  # between a name and anything else
SIDE = 0.4  # how far a direction leans to a side before a name is held by its edge there instead of its middle


@dataclasses.dataclass(frozen=True)
class Label:
    """A name to place: the box of its mark, and the width and height of the name."""

    mark: Bbox
    size: tuple[float, float]


@dataclasses.dataclass(frozen=True)
class Place:
    """The box of a placed name, and the line from its mark where that is far away."""

    box: Bbox
    leader: Path | None = None


def find(labels: Sequence[Label], bounds: Bbox, taken: Sequence[Bbox], pixels_per_point: float) -> list[Place]:
    """A place for each label, in their order: free with a line that crosses nothing, else free, else the nearest.

    Args:
      labels: names and their marks.
      bounds: box that names stay inside.
      taken: boxes that no name may overlap; nor may it overlap a mark.
      pixels_per_point: pixels in a typographic point.
    """
    bounds = bounds.padded(-CLEARANCE_POINTS * pixels_per_point)
    places: list[Place] = []
    for label in labels:
        boxes = [*taken, *(other.mark for other in labels if other is not label), *(place.box for place in places)]
        boxes = [box.padded(CLEARANCE_POINTS * pixels_per_point) for box in boxes]
        leaders = [place.leader for place in places if place.leader]
        candidates = list(_candidates(label, pixels_per_point))
        free = [place for place in candidates if _is_free(place.box, boxes, leaders, bounds)]
        clear = (place for place in free if not place.leader or _is_clear(place.leader, boxes, leaders))
        places.append(next(clear, (free or candidates)[0]))
    return places


def _candidates(label: Label, pixels_per_point: float) -> Iterator[Place]:
    """Around the mark, from the nearest outwards."""
    middle, mark, name = np.mean(label.mark.get_points(), axis=0), np.array(label.mark.size), np.array(label.size)
    for distance in DISTANCES_POINTS:
        for degrees in DIRECTIONS:
            way = np.array([math.cos(math.radians(degrees)), math.sin(math.radians(degrees))])
            side = np.where(abs(way) > SIDE, np.sign(way), 0)
            reach = mark / 2 * abs(way) + distance * pixels_per_point
            centre = middle + way * reach + side * name / 2
            box = Bbox([centre - name / 2, centre + name / 2])
            yield Place(box, _leader(label.mark, box) if distance >= LEADER_FROM_POINTS else None)


def _leader(mark: Bbox, box: Bbox) -> Path:
    """From the nearest spot of a name to the edge of its mark, a round one as wide as its box."""
    middle = np.mean(mark.get_points(), axis=0)
    end = np.clip(middle, box.min, box.max)
    start = middle + (end - middle) / np.linalg.norm(end - middle) * mark.width / 2
    return Path([start, end])


def _is_free(box: Bbox, boxes: Sequence[Bbox], leaders: Sequence[Path], bounds: Bbox) -> bool:
    inside = bounds.x0 <= box.x0 and box.x1 <= bounds.x1 and bounds.y0 <= box.y0 and box.y1 <= bounds.y1
    covers = any(map(box.overlaps, boxes)) or any(leader.intersects_bbox(box) for leader in leaders)
    return inside and not covers


def _is_clear(leader: Path, boxes: Sequence[Bbox], leaders: Sequence[Path]) -> bool:
    return not any(map(leader.intersects_bbox, boxes)) and not any(map(leader.intersects_path, leaders))
