"""The types of what the API tells of one asset."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, Field

__all__ = [
    "AssetAnswer",
    "CauseAnswer",
    "Cell",
    "CheckAnswer",
    "CheckRunAnswer",
    "ColumnAnswer",
    "ColumnChangeAnswer",
    "CompareAnswer",
    "DefinitionAnswer",
    "DifferenceAnswer",
    "EventAnswer",
    "EventsAnswer",
    "LineageAnswer",
    "LinkAnswer",
    "ListedPartition",
    "ObservedAnswer",
    "PartitionsAnswer",
    "ReportedAnswer",
    "RowsAnswer",
    "SampleColumn",
    "SchemaAnswer",
    "SchemaChangeAnswer",
    "SeriesAnswer",
    "VersionAnswer",
    "VersionsAnswer",
    "WipedAnswer",
]


class EventAnswer(BaseModel):
    """A materialization or observation."""

    id: int
    kind: str
    timestamp: float = Field(description="Seconds since the epoch.")
    run_id: str
    partition: str | None
    rows: int | None
    rows_change: int | None
    bytes: int | None
    seconds: float | None = Field(description="How long its step took.")
    code_version: str | None
    data_version: str | None
    metadata: dict[str, Any] = Field(description="Each value as a pair of its kind and the value.")


class CauseAnswer(BaseModel):
    """Why an asset is stale."""

    kind: str
    asset: str
    text: str


class AssetAnswer(BaseModel):
    """An asset and how it stands."""

    key: list[str]
    name: str
    location: str | None
    state: str
    causes: list[CauseAnswer]
    freshness: str | None
    group: str | None
    owners: list[str]
    kinds: list[str]
    tags: dict[str, str]
    description: str | None
    place: str | None
    upstream: list[str]
    downstream: list[str]
    latest: EventAnswer | None
    running: str | None = Field(description="The id of the run that makes it, or is going to.")
    fault: str | None = Field(description="Why its code location does not tell more.")


class EventsAnswer(BaseModel):
    """A page of events, the latest first; `older` is what `before` is for the next page."""

    events: list[EventAnswer]
    older: int | None


class SeriesAnswer(BaseModel):
    """One number over time, the oldest point first."""

    name: str
    label: str
    unit: str = Field(description="bytes, seconds, share, or nothing.")
    times: list[float]
    values: list[float]
    ids: list[int]


class DifferenceAnswer(BaseModel):
    """One value of two events."""

    name: str
    what: str
    old: str | None
    new: str | None
    change: str


class ColumnChangeAnswer(BaseModel):
    """What became of a column."""

    what: str
    name: str
    old: str
    new: str


class CompareAnswer(BaseModel):
    """Two events side by side."""

    old: EventAnswer
    new: EventAnswer
    metadata: list[DifferenceAnswer]
    columns: list[ColumnChangeAnswer]


class ColumnAnswer(BaseModel):
    """A column of a table."""

    name: str
    type: str
    nullable: bool
    description: str | None
    promised: str | None
    since: float | None


class SchemaChangeAnswer(BaseModel):
    """The changes of columns that came with an event."""

    event: int
    timestamp: float
    changes: list[ColumnChangeAnswer]


class SchemaAnswer(BaseModel):
    """The columns of a table, and how they changed."""

    columns: list[ColumnAnswer]
    changes: list[SchemaChangeAnswer]


class LinkAnswer(BaseModel):
    """A column of another table, or that table as a whole."""

    asset: str
    column: str | None
    kind: str


class LineageAnswer(BaseModel):
    """A column, what it comes from and where it goes."""

    column: str
    upstream: list[LinkAnswer]
    downstream: list[LinkAnswer]
    opaque: str | None


class CheckAnswer(BaseModel):
    """A check and how it went last."""

    name: str
    state: str
    blocking: bool | None
    description: str | None
    timestamp: float | None
    run_id: str | None


class CheckRunAnswer(BaseModel):
    """The run that evaluates checks."""

    run_id: str
    count: int


class ObservedAnswer(BaseModel):
    """What was seen of a source."""

    data_version: str | None


class ReportedAnswer(BaseModel):
    """How many events were recorded."""

    count: int


class WipedAnswer(BaseModel):
    """Whether there was a table that is dropped."""

    dropped: bool


class ListedPartition(BaseModel):
    """A partition and its state."""

    key: str
    state: str


class PartitionsAnswer(BaseModel):
    """The partitions of an asset: counts by state, and a page of them."""

    total: int
    counts: dict[str, int]
    matching: int
    listed: list[ListedPartition]


class SampleColumn(BaseModel):
    """A column of the rows that are shown."""

    name: str
    type: str


class Cell(BaseModel):
    """A value of a table, as text, and what kind of value it is."""

    kind: str
    text: str


class RowsAnswer(BaseModel):
    """The first rows of a table. `refused` is why there are none."""

    columns: list[SampleColumn]
    rows: list[list[Cell]]
    more: bool
    partition: str | None
    refused: str | None


class VersionAnswer(BaseModel):
    """An earlier state of a table."""

    version: str
    timestamp: float
    run_id: str | None
    rows: int | None


class VersionsAnswer(BaseModel):
    """The states that the store keeps, the present one first."""

    versions: list[VersionAnswer]
    refused: str | None


class DefinitionAnswer(BaseModel):
    """What the code of an asset says, as its page shows it."""

    source: dict[str, Any] | None
    fault: str | None
