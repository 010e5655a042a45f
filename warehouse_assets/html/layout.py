"""Where the boxes of a drawing stand: in columns by their depth, in each column ordered for few crossings."""

from __future__ import annotations

from collections.abc import Hashable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean
from typing import Generic, TypeAlias, TypeVar

__all__ = ["Layout", "depths", "layered"]

K = TypeVar("K", bound=Hashable)
Point: TypeAlias = tuple[K, int]  # a box in its own column, or its line on the way through a later one

SWEEPS = 4


@dataclass(frozen=True, slots=True)
class Layout(Generic[K]):
    """Columns of points from top to bottom, the links between neighbouring columns, and the column of each box."""

    columns: Sequence[Sequence[Point[K]]]
    links: Sequence[tuple[Point[K], Point[K]]]
    depth: Mapping[K, int]

    def rows(self) -> Mapping[Point[K], float]:
        """How many rows each point is below the middle."""
        return {point: row for column in self.columns for point, row in _rows(column)}


def depths(parents: Mapping[K, Sequence[K]]) -> dict[K, int]:
    """The column of each box: one further than the furthest it is made from; `parents` has those first.

    >>> depths({"a": [], "b": ["a"], "c": ["a", "b"]})
    {'a': 0, 'b': 1, 'c': 2}
    """
    depth: dict[K, int] = {}
    for key, above in parents.items():
        depth[key] = 1 + max((depth[parent] for parent in above), default=-1)
    return depth


def layered(parents: Mapping[K, Sequence[K]]) -> Layout[K]:
    """The layout of boxes by what each is made from; `parents` has each box after those it is made from."""
    depth = depths(parents)
    links = dict.fromkeys(
        ((parent, column), (parent if column + 1 < depth[key] else key, column + 1))
        for key, above in parents.items()
        for parent in above
        for column in range(depth[parent], depth[key])
    )
    points = dict.fromkeys([*depth.items(), *(point for link in links for point in link)])
    columns: list[list[Point[K]]] = [[] for _ in range(1 + max(depth.values(), default=-1))]
    left: dict[Point[K], list[Point[K]]] = {point: [] for point in points}
    right: dict[Point[K], list[Point[K]]] = {point: [] for point in points}
    for point in points:
        columns[point[1]].append(point)
    for start, end in links:
        right[start].append(end)
        left[end].append(start)
    rows = dict(Layout(columns, (), depth).rows())
    for near, order in [(right, columns[::-1]), (left, columns)] * SWEEPS:
        for column in order:
            pull = {point: fmean(rows[other] for other in near[point] or [point]) for point in column}
            column.sort(key=pull.__getitem__)
            rows.update(_rows(column))
    return Layout(columns, list(links), depth)


def _rows(column: Sequence[Point[K]]) -> Iterator[tuple[Point[K], float]]:
    """The points of a column with the row of each, the middle of the column being 0."""
    return ((point, row - (len(column) - 1) / 2) for row, point in enumerate(column))
