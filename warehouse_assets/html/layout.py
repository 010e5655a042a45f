"""Where the boxes of a drawing stand: in columns by their depth, in each column ordered for few crossings."""

from __future__ import annotations

from collections.abc import Hashable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Generic, TypeAlias, TypeVar

__all__ = ["Layout", "depths", "layered"]

K = TypeVar("K", bound=Hashable)
Point: TypeAlias = tuple[K, int]  # a box in its own column, or its line on the way through a later one

SWEEPS = 4
MOST_POINTS = 500_000  # on the ways of links


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
    """The layout of boxes by what each is made from; `parents` has each box after those it is made from.

    A link has a point in each column that it passes, so that it goes around the boxes there, unless these would be too many.
    """
    depth = depths(parents)
    pairs = [(parent, key) for key, above in parents.items() for parent in above]
    if sum(depth[key] - depth[parent] for parent, key in pairs) > MOST_POINTS:
        links = dict.fromkeys(((parent, depth[parent]), (key, depth[key])) for parent, key in pairs)
    else:
        links = dict.fromkeys(
            ((parent, column), (parent if column + 1 < depth[key] else key, column + 1))
            for parent, key in pairs
            for column in range(depth[parent], depth[key])
        )
    numbers = {
        point: number
        for number, point in enumerate(dict.fromkeys([*depth.items(), *(each for link in links for each in link)]))
    }
    left: list[list[int]] = [[] for _ in numbers]
    right: list[list[int]] = [[] for _ in numbers]
    for start, end in links:
        right[numbers[start]].append(numbers[end])
        left[numbers[end]].append(numbers[start])
    columns: list[list[int]] = [[] for _ in range(1 + max(depth.values(), default=-1))]
    for (_, column), number in numbers.items():
        columns[column].append(number)
    _sort(columns, left, right)
    points = list(numbers)
    return Layout([[points[number] for number in column] for column in columns], list(links), depth)


def _sort(columns: Sequence[list[int]], left: Sequence[Sequence[int]], right: Sequence[Sequence[int]]) -> None:
    """Order the points of each column, which are numbers, by where those stand that they are linked with, from side to side until that changes nothing."""
    rows = [0.0] * len(left)
    for column in columns:
        for number, row in _rows(column):
            rows[number] = row
    row_of = rows.__getitem__
    for _ in range(SWEEPS):
        before = rows.copy()
        for near, order in ((right, columns[::-1]), (left, columns)):
            for column in order:
                pull = {one: sum(map(row_of, others)) / len(others) if (others := near[one]) else rows[one] for one in column}
                column.sort(key=pull.__getitem__)
                for number, row in _rows(column):
                    rows[number] = row
        if rows == before:
            return


def _rows(column: Sequence[K]) -> Iterator[tuple[K, float]]:
    """The points of a column with the row of each, the middle of the column being 0."""
    return ((point, row - (len(column) - 1) / 2) for row, point in enumerate(column))
