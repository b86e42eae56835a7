"""Places on Earth as polygons of (latitude, longitude) in degrees, small enough for a plane (no poles, no date line)."""

import math
from collections.abc import Sequence
from itertools import combinations, pairwise

from paranet.models.topology import Location

Point = tuple[float, float]
Polygon = Sequence[Point]


def centroid(polygon: Polygon) -> Location:
    """Return the centre of the polygon's area; that of its corners when it has no area."""
    ring = [*polygon, polygon[0]]
    twice = sum(a[0] * b[1] - b[0] * a[1] for a, b in pairwise(ring))
    if abs(twice) < 1e-12:
        return Location(latitude=sum(p[0] for p in polygon) / len(polygon), longitude=sum(p[1] for p in polygon) / len(polygon))
    latitude = sum((a[0] + b[0]) * (a[0] * b[1] - b[0] * a[1]) for a, b in pairwise(ring)) / (3 * twice)
    longitude = sum((a[1] + b[1]) * (a[0] * b[1] - b[0] * a[1]) for a, b in pairwise(ring)) / (3 * twice)
    return Location(latitude=latitude, longitude=longitude)


def inside(place: Location, polygon: Polygon) -> bool:
    """Tell whether *place* lies in the polygon (even-odd rule)."""
    y, x = place.latitude, place.longitude
    odd = False
    for (ay, ax), (by, bx) in pairwise([*polygon, polygon[0]]):
        if (ay > y) != (by > y) and x < (bx - ax) * (y - ay) / (by - ay) + ax:
            odd = not odd
    return odd


def simple(polygon: Polygon) -> bool:
    """Tell whether the polygon has an area and its sides meet at its corners only."""
    if len(set(polygon)) < 3 or len(set(polygon)) != len(polygon):
        return False
    sides = list(pairwise([*polygon, polygon[0]]))
    for (i, first), (j, second) in combinations(enumerate(sides), 2):
        neighbours = j - i == 1 or (i == 0 and j == len(sides) - 1)
        if not neighbours and _cross(*first, *second):
            return False
    return math.fabs(sum(a[0] * b[1] - b[0] * a[1] for a, b in sides)) > 1e-12


def distance_to(place: Location, polygon: Polygon) -> float:
    """Return how far *place* is from the region in metres: nothing inside, else the way to its centre."""
    return 0.0 if inside(place, polygon) else place.distance(centroid(polygon))


def _turn(a: Point, b: Point, c: Point) -> float:
    return (b[0] - a[0]) * (c[1] - a[1]) - (b[1] - a[1]) * (c[0] - a[0])


def _cross(a: Point, b: Point, c: Point, d: Point) -> bool:
    return _turn(a, b, c) * _turn(a, b, d) <= 0 and _turn(c, d, a) * _turn(c, d, b) <= 0
