"""Rectangles whose areas are in proportion to sizes, as square as they can be.

The squarified layout of Bruls, Huizing and van Wijk (2000).
"""

from __future__ import annotations

from collections.abc import Sequence

Box = tuple[float, float, float, float]
"""Left, top, width, height."""


def squarify(sizes: Sequence[float], box: Box) -> list[Box]:
    """One rectangle for each size, in the order given; sizes fall and are above 0."""
    left, top, width, height = box
    total = sum(sizes)
    if total <= 0 or width <= 0 or height <= 0:
        return [(left, top, 0.0, 0.0)] * len(sizes)
    scale = width * height / total
    areas = [size * scale for size in sizes]
    boxes: list[Box] = []
    start = 0
    while start < len(areas):
        side = min(width, height)
        if side <= 0:
            boxes += [(left, top, 0.0, 0.0)] * (len(areas) - start)
            break
        stop = _row_end(areas, start, side)
        depth = sum(areas[start:stop]) / side
        at = 0.0
        for area in areas[start:stop]:
            span = area / depth if depth else 0.0
            if width >= height:
                boxes.append((left, top + at, depth, span))
            else:
                boxes.append((left + at, top, span, depth))
            at += span
        if width >= height:
            left, width = left + depth, width - depth
        else:
            top, height = top + depth, height - depth
        start = stop
    return boxes


def _row_end(areas: Sequence[float], start: int, side: float) -> int:
    """How many go side by side before the worst of them gets less square."""
    total, best = 0.0, float("inf")
    for stop in range(start, len(areas)):
        total += areas[stop]
        square = total * total
        worst = max(side * side * areas[start] / square, square / (side * side * areas[stop]))
        if worst > best:
            return stop
        best = worst
    return len(areas)
