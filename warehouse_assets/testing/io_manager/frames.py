"""The promises of managers that keep frames, or any value."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import polars as pl
import pyarrow as pa
import pytest
from polars.testing import assert_frame_equal

from warehouse_assets.errors import InvalidDefinitionError, TableNotFoundError, UnsupportedTypeError
from warehouse_assets.io_manager import IOManager
from warehouse_assets.io_manager.powers import KeepsVersions, PlacesTables
from warehouse_assets.keys import AssetKey
from warehouse_assets.table_options import TableOptions, delete_insert, snapshot, upsert
from warehouse_assets.tables import Table
from warehouse_assets.testing.contract import Contract
from warehouse_assets.testing.frames import HOSTILE_FRAMES, HOSTILE_KEYS, IN_ARROW
from warehouse_assets.testing.io_manager.use import FORMS, KEY, ORDERS, load, store, stream

__all__ = ["FrameContract", "ValueContract"]


class FrameContract(Contract):
    """Frames of any library go in, and come back as the annotation asks for, with the types and the values they had."""

    @pytest.fixture
    def manager(self) -> IOManager:
        """The manager under test, new and empty: override this."""
        raise NotImplementedError

    @pytest.mark.parametrize("name", sorted(HOSTILE_FRAMES))
    def test_types_survive(self, manager: IOManager, name: str) -> None:
        frame = HOSTILE_FRAMES[name]
        store(manager, frame)

        assert_frame_equal(load(manager, pl.DataFrame), frame)

    @pytest.mark.parametrize("name", sorted(HOSTILE_FRAMES))
    def test_types_survive_lazily(self, manager: IOManager, name: str) -> None:
        frame = HOSTILE_FRAMES[name]
        store(manager, frame.lazy())

        assert_frame_equal(load(manager, pl.LazyFrame).collect(), frame)

    @pytest.mark.parametrize("name", sorted(IN_ARROW))
    def test_types_survive_as_arrow(self, manager: IOManager, name: str) -> None:
        frame = IN_ARROW[name]
        store(manager, frame.to_arrow())

        assert_frame_equal(pl.DataFrame(load(manager, pa.Table)), frame)

    @pytest.mark.parametrize("name", sorted(IN_ARROW))
    def test_types_survive_as_a_stream(self, manager: IOManager, name: str) -> None:
        frame = IN_ARROW[name]
        store(manager, stream(frame))

        assert_frame_equal(pl.DataFrame(load(manager, pa.RecordBatchReader)), frame)

    @pytest.mark.parametrize("name", sorted(HOSTILE_FRAMES.keys() - IN_ARROW.keys()))
    def test_what_arrow_has_no_type_for_keeps_its_values(self, manager: IOManager, name: str) -> None:
        frame = HOSTILE_FRAMES[name]
        store(manager, frame)
        table = pl.DataFrame(load(manager, pa.Table))

        assert_frame_equal(table.cast(frame.schema), frame)

    def test_anything_with_an_arrow_stream_can_be_stored(self, manager: IOManager) -> None:
        class Foreign:
            def __arrow_c_stream__(self, requested_schema: object = None) -> object:
                return ORDERS.__arrow_c_stream__(requested_schema)

        store(manager, Foreign())

        assert_frame_equal(load(manager, pl.DataFrame), ORDERS)

    def test_pandas_frames_are_stored_and_loaded(self, manager: IOManager) -> None:
        pandas = pytest.importorskip("pandas")  # an extra, which the author of a manager may not have installed
        store(manager, ORDERS.to_pandas())

        assert load(manager, pandas.DataFrame)["id"].tolist() == [1, 2, 3]

    def test_a_table_handle_loads_nothing(self, manager: IOManager) -> None:
        assert load(manager, Table) == Table(KEY)

    def test_an_optional_annotation_asks_for_its_first_supported_type(self, manager: IOManager) -> None:
        store(manager, ORDERS)

        assert isinstance(load(manager, pl.LazyFrame | None), pl.LazyFrame)

    def test_an_unsupported_annotation_is_refused(self, manager: IOManager) -> None:
        store(manager, ORDERS)

        with pytest.raises(UnsupportedTypeError, match=r"'shop/orders' cannot be loaded as dict.*pl\.LazyFrame"):
            load(manager, dict)

    def test_only_the_columns_asked_for_are_loaded(self, manager: IOManager) -> None:
        store(manager, ORDERS)

        for kind in (pl.DataFrame, pl.LazyFrame, pa.Table, pa.RecordBatchReader):
            loaded = load(manager, kind, columns=["kind", "id"])
            frame = loaded.collect() if isinstance(loaded, pl.LazyFrame) else pl.DataFrame(loaded)

            assert_frame_equal(frame, ORDERS.select("kind", "id"))

    def test_what_is_missing_is_named_with_what_should_have_made_it(self, manager: IOManager) -> None:
        with pytest.raises(TableNotFoundError, match=r"orders.*asset 'orders' \(shop\.py:1\)"):
            load(manager)

    def test_a_write_replaces_all_columns_and_rows(self, manager: IOManager) -> None:
        store(manager, ORDERS)
        store(manager, pl.DataFrame({"kind": ["z"], "id": ["text"]}))

        assert_frame_equal(load(manager, pl.DataFrame), pl.DataFrame({"kind": ["z"], "id": ["text"]}))

    @pytest.mark.parametrize("make", list(FORMS.values()), ids=list(FORMS))
    def test_rows_are_counted(self, manager: IOManager, make: Any) -> None:
        assert store(manager, make())["row_count"] == 3

    def test_keys_do_not_share_a_place(self, manager: IOManager) -> None:
        for number, key in enumerate(HOSTILE_KEYS):
            store(manager, pl.DataFrame({"number": [number]}), key)

        assert [load(manager, pl.DataFrame, key).item() for key in HOSTILE_KEYS] == list(range(len(HOSTILE_KEYS)))

    def test_keys_that_differ_in_case_share_a_place_only_if_the_manager_says_so(self, manager: IOManager) -> None:
        keys = [AssetKey(["Shop", "Orders"]), AssetKey(["shop", "orders"])]
        for number, key in enumerate(keys):
            store(manager, pl.DataFrame({"number": [number]}), key)
        places = {manager.place_of(key, {}) for key in keys} if isinstance(manager, PlacesTables) else set(keys)

        assert len({load(manager, pl.DataFrame, key).item() for key in keys}) == len(places)

    @pytest.mark.parametrize("mode", ["replace", "append", upsert("id"), delete_insert("id"), snapshot("id")], ids=str)
    def test_a_write_mode_that_is_not_kept_is_refused_on_declaration(self, manager: Any, mode: Any) -> None:
        options = TableOptions(mode)
        if options.mode.kind in getattr(manager, "write_modes", ("replace",)):
            manager.check_asset(KEY, options.in_metadata(None), None)
            return

        with pytest.raises(InvalidDefinitionError, match=f"'shop/orders' has the mode {options.mode.kind}"):
            manager.check_asset(KEY, options.in_metadata(None), None)

    def test_versions_that_are_not_kept_are_refused_on_declaration(self, manager: Any) -> None:
        metadata = TableOptions(keep_versions=2).in_metadata(None)
        keeps = isinstance(manager, KeepsVersions)
        if keeps:
            manager.check_asset(KEY, metadata, None)
            return

        with pytest.raises(InvalidDefinitionError, match="'shop/orders' has keep_versions"):
            manager.check_asset(KEY, metadata, None)

    def test_many_threads_write_and_read_at_once(self, manager: IOManager) -> None:
        def work(number: int) -> tuple[int, int]:
            key = AssetKey([f"schema {number % 3}", f"table {number}"])
            recorded = store(manager, pl.DataFrame({"number": range(number * 100)}), key)
            return recorded["row_count"], load(manager, pl.DataFrame, key).height

        with ThreadPoolExecutor(24) as threads:
            done = list(threads.map(work, range(24)))

        assert done == [(number * 100, number * 100) for number in range(24)]

    def test_many_threads_replace_one_table(self, manager: IOManager) -> None:
        def work(number: int) -> set[int]:
            store(manager, pl.DataFrame({"number": [number] * 1000}))
            return set(load(manager, pl.DataFrame)["number"])

        with ThreadPoolExecutor(8) as threads:
            seen = list(threads.map(work, range(16)))

        assert all(len(numbers) == 1 for numbers in seen)


class ValueContract(Contract):
    """Any Python value is kept, None too."""

    @pytest.mark.parametrize("value", [None, 0, "text", {"a": [1, (2, 3)]}, b"\0", float("inf")])
    def test_values_survive(self, manager: IOManager, value: Any) -> None:
        store(manager, value)

        assert load(manager) == value

    def test_an_annotation_changes_no_value_that_is_not_a_frame(self, manager: IOManager) -> None:
        store(manager, {"a": 1})

        assert load(manager, dict[str, int]) == {"a": 1}
