from __future__ import annotations

import pickle
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from warehouse_assets import AssetKey
from warehouse_assets.errors import InvalidDefinitionError
from warehouse_assets.keys import key_prefix_segments, user_strings
from warehouse_assets.tables import TableName

hostile_text = st.text(st.sampled_from('ab/\\."*? \né_') | st.characters(codec="utf-8"), min_size=1, max_size=6)
keys = st.lists(hostile_text, min_size=1, max_size=4).map(AssetKey)


@pytest.mark.semantics(3)
@pytest.mark.parametrize(
    "value", ["staging/orders", ["staging", "orders"], ("staging", "orders"), AssetKey(["staging", "orders"])], ids=repr
)
def test_a_key_is_accepted_in_every_form(value: Any) -> None:
    assert AssetKey.coerce(value) == AssetKey(["staging", "orders"])


@pytest.mark.semantics(3)
def test_a_key_made_from_a_string_is_one_segment() -> None:
    assert AssetKey("a/b").path == ("a/b",)


@pytest.mark.semantics(3)
@pytest.mark.parametrize("value", ["", "a//b", "/a", "a/", [], [""], ["a", ""], ["a", 3], 3, None, {"a"}], ids=repr)
def test_what_is_no_key_is_refused(value: Any) -> None:
    with pytest.raises(InvalidDefinitionError):
        AssetKey.coerce(value)


@pytest.mark.semantics(3)
def test_people_read_the_segments_joined() -> None:
    key = AssetKey(["staging", "orders"])

    assert (key.to_user_string(), user_strings([key, AssetKey("a")])) == ("staging/orders", "a, staging/orders")


@pytest.mark.semantics(3)
@given(keys)
def test_the_escaped_form_round_trips(key: AssetKey) -> None:
    assert AssetKey.from_escaped_string(key.to_escaped_string()) == key


@pytest.mark.semantics(3)
@given(keys, keys)
def test_different_keys_share_no_escaped_string_and_no_table(one: AssetKey, other: AssetKey) -> None:
    same = one == other

    assert (one.to_escaped_string() == other.to_escaped_string()) == same
    assert (TableName.of(one) == TableName.of(other)) == same


@pytest.mark.semantics(3)
@pytest.mark.parametrize("text", ["", "/", "a//b", "a/", "/a", "a\\"], ids=repr)
def test_what_is_no_escaped_key_is_refused(text: str) -> None:
    with pytest.raises(InvalidDefinitionError):
        AssetKey.from_escaped_string(text)


@given(keys)
def test_a_key_is_a_value(key: AssetKey) -> None:
    copy = pickle.loads(pickle.dumps(key))

    assert (copy, hash(copy), eval(repr(key))) == (key, hash(key), key)


def test_a_key_cannot_be_changed() -> None:
    with pytest.raises(AttributeError):
        AssetKey("a").path = ("b",)


def test_keys_sort_by_segments() -> None:
    assert sorted(map(AssetKey.coerce, ["b", "a/c", "a", "a/b"])) == list(map(AssetKey.coerce, ["a", "a/b", "a/c", "b"]))


@pytest.mark.parametrize(
    ("prefix", "segments"), [(None, ()), ("", ()), ([], ()), ("a", ("a",)), ("a/b", ("a", "b")), (["a/b"], ("a/b",))], ids=repr
)
def test_a_prefix_is_split_like_a_key(prefix: Any, segments: tuple[str, ...]) -> None:
    assert key_prefix_segments(prefix) == segments


@pytest.mark.parametrize(("prefix", "has"), [("a", True), ("a/b", True), ("a/b/c", False), ("b", False), (["a/b"], False)])
def test_a_key_knows_its_prefix(prefix: Any, has: bool) -> None:
    assert AssetKey(["a", "b"]).has_prefix(prefix) is has


def test_a_prefix_is_put_before_a_key() -> None:
    key = AssetKey("c")

    assert (key.with_prefix("a/b"), key.with_prefix(None)) == (AssetKey(["a", "b", "c"]), key)
