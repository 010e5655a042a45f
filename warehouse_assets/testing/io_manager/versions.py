"""The promises of managers that keep earlier states of their tables."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import polars as pl
import pyarrow as pa
import pytest
from polars.testing import assert_frame_equal

from warehouse_assets.errors import TableNotFoundError
from warehouse_assets.io_manager import InputContext, IOManager, KeepsVersions, OutputContext
from warehouse_assets.table_options import TableOptions
from warehouse_assets.testing.contract import Contract
from warehouse_assets.testing.io_manager.use import KEY, Broken, recorded

__all__ = ["VersionsContract"]

METADATA = TableOptions(keep_versions=3).in_metadata({})


def written(run_id: str | None = None, **metadata: Any) -> OutputContext:
    """The context of a write of an asset that keeps three versions."""
    return OutputContext(KEY, run_id=run_id, definition_metadata={**METADATA, **metadata})


def at(version: str | None = None, type_hint: Any = pl.DataFrame, **metadata: Any) -> InputContext:
    """The context of a read of one version."""
    return InputContext(KEY, type_hint=type_hint, metadata=metadata, upstream_output=written(), table_version=version)


def state(number: int) -> pl.DataFrame:
    """What the table holds as its state of this number: other rows each time, and a type that not all stores know."""
    return pl.DataFrame({"n": range(number + 1), "kind": pl.Series(["a"] * (number + 1), dtype=pl.Categorical)})


class VersionsContract(Contract):
    """Earlier versions of a table, the last three at least, are read as they were, and can be made the present one again."""

    @pytest.fixture
    def manager(self) -> IOManager:
        """A manager over an empty store, with the power `KeepsVersions`."""
        raise NotImplementedError

    def write(self, manager: IOManager, number: int, run_id: str | None = None) -> str:
        """Write a state of the table; the version that was recorded."""
        context = written(run_id)
        manager.handle_output(context, state(number))
        return str(recorded(context)["table_version"])

    def names(self, manager: Any) -> list[str]:
        """The versions that are kept."""
        return [each.version for each in manager.table_versions(at())]

    def test_it_says_that_it_keeps_versions(self, manager: IOManager) -> None:
        assert isinstance(manager, KeepsVersions)

    def test_each_write_is_a_version(self, manager: IOManager) -> None:
        before = datetime.now(UTC) - timedelta(seconds=2)
        made = [self.write(manager, number, f"run {number}") for number in range(3)]
        versions = manager.table_versions(at())  # type: ignore[attr-defined]

        assert [each.version for each in versions][-3:] == made
        assert [each.run_id for each in versions][-3:] == ["run 0", "run 1", "run 2"]
        assert all(before < each.timestamp < datetime.now(UTC) + timedelta(seconds=2) for each in versions[-3:])
        assert [each.timestamp for each in versions] == sorted(each.timestamp for each in versions)

    @pytest.mark.parametrize("kind", [pl.DataFrame, pl.LazyFrame, pa.Table, pa.RecordBatchReader])
    def test_a_version_is_read_as_it_was(self, manager: IOManager, kind: Any) -> None:
        made = [self.write(manager, number) for number in range(3)]
        for number, version in enumerate(made):
            found = manager.load_input(at(version, kind))
            frame = (
                found.collect() if kind is pl.LazyFrame else found if kind is pl.DataFrame else pl.DataFrame(pa.table(found))
            )

            assert_frame_equal(
                frame.select(pl.col("n"), pl.col("kind").cast(pl.String)), state(number).cast({"kind": pl.String})
            )

    def test_types_and_parts_of_a_version_are_as_of_any_table(self, manager: IOManager) -> None:
        first = self.write(manager, 5)
        self.write(manager, 1)

        assert manager.load_input(at(first)).schema == state(5).schema
        assert manager.load_input(at(first, columns=["n"], where="n > 3"))["n"].to_list() == [4, 5]

    def test_a_version_is_read_while_the_table_goes_on(self, manager: IOManager) -> None:
        first = self.write(manager, 4)
        lazy = manager.load_input(at(first, pl.LazyFrame))
        del lazy
        self.write(manager, 0)

        assert manager.load_input(at(first)).height == 5
        assert manager.load_input(at()).height == 1

    def test_going_back_is_a_version_of_its_own_and_can_be_undone(self, manager: Any) -> None:
        first, second = self.write(manager, 1), self.write(manager, 2)
        stats = manager.roll_back(written("back"), first)

        assert manager.load_input(at()).height == stats.row_count == 2
        assert stats.version == self.names(manager)[-1]
        assert stats.version not in (first, second)

        manager.roll_back(written("undone"), second)

        assert_frame_equal(manager.load_input(at()), state(2))

    def test_a_version_that_is_not_kept_is_an_error(self, manager: Any) -> None:
        self.write(manager, 1)
        for version in ("99999", "no version", "'; drop table x"):
            with pytest.raises(TableNotFoundError):
                manager.load_input(at(version))
            with pytest.raises(TableNotFoundError):
                manager.roll_back(written(), version)

        assert manager.load_input(at()).height == 2

    def test_a_table_that_is_not_there_has_none(self, manager: Any) -> None:
        with pytest.raises(TableNotFoundError):
            manager.table_versions(at())

    def test_a_failed_write_is_no_version(self, manager: Any) -> None:
        self.write(manager, 1)
        before = self.names(manager)

        def breaking() -> Any:
            yield from state(3).select("n").to_arrow().to_batches()
            raise Broken("half way")

        with pytest.raises(Exception, match="half way"):
            manager.handle_output(
                written(), pa.RecordBatchReader.from_batches(state(3).select("n").to_arrow().schema, breaking())
            )

        assert self.names(manager) == before
        assert_frame_equal(manager.load_input(at()), state(1))

    def test_modes_that_keep_rows_make_versions_too(self, manager: Any) -> None:
        options = TableOptions("append", keep_versions=3).in_metadata({})
        for number in range(2):
            manager.handle_output(OutputContext(KEY, definition_metadata=options), state(number).select("n"))
        first, second = self.names(manager)[-2:]

        assert sorted(manager.load_input(at(first))["n"]) == [0]
        assert sorted(manager.load_input(at(second))["n"]) == [0, 0, 1]
