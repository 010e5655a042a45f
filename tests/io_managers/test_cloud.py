"""What URIs and options of fsspec say, and what an object store's failures become."""

from __future__ import annotations

import subprocess
import sys
from types import SimpleNamespace
from typing import Any

import pytest

from io_managers.cloud import native_store, place_and_options, reaching
from io_managers.fsspec import FsspecIOManager
from io_managers.parquet import ParquetIOManager
from warehouse_assets.errors import TableError
from warehouse_assets.io_manager import io_manager_from_uri

S3, AZURE, GCS = (
    SimpleNamespace(protocol=names, account_name=None, account_key=None)
    for names in (("s3", "s3a"), ("abfs", "az"), ("gs", "gcs"))
)


@pytest.mark.parametrize(
    ("uri", "cls", "place", "fields", "options"),
    [
        ("s3://b/p?anon=true&client_kwargs.region_name=eu", ParquetIOManager, "s3://b/p", {}, {"anon": True, "client_kwargs": {"region_name": "eu"}}),
        ("s3://b?compression=lz4&key=a%26b", ParquetIOManager, "s3://b", {"compression": "lz4"}, {"key": "a&b"}),
        ("gs://b/p?format=csv&token=anon", FsspecIOManager, "gs://b/p", {"format": "csv"}, {"token": "anon"}),
        ("az://c?format=parquet&account_name=x", ParquetIOManager, "az://c", {}, {"account_name": "x"}),
        ("abfss://c@x.dfs.core.windows.net/p", ParquetIOManager, "abfss://c@x.dfs.core.windows.net/p", {}, {}),
        ("file:///lake?format=arrow&schema_policy=append", FsspecIOManager, "file:///lake", {"format": "arrow", "schema_policy": "append"}, {}),
        ("./lake", ParquetIOManager, "./lake", {}, {}),
    ],
)  # fmt: skip
def test_a_uri_says_the_place_the_fields_and_the_options(uri, cls, place, fields, options):
    manager: Any = io_manager_from_uri(uri)

    assert type(manager) is cls
    assert (manager.base_path, dict(manager.storage_options)) == (place, options)
    assert {name: getattr(manager, name) for name in fields} == fields


def test_secrets_of_a_uri_are_not_shown():
    manager = ParquetIOManager.from_uri("memory://lake?secret=s3cret")

    assert "s3cret" not in f"{manager!r} {manager} {manager.store_id}"


@pytest.mark.parametrize(
    ("fs", "given", "native"),
    [
        (S3, {"key": "k", "secret": "s", "token": "t"}, {"aws_access_key_id": "k", "aws_secret_access_key": "s", "aws_session_token": "t"}),
        (S3, {"anon": True, "default_block_size": 5, "skip_instance_cache": True}, {"aws_skip_signature": "true"}),
        (
            S3,
            {"key": "k", "secret": "s", "client_kwargs": {"endpoint_url": "http://h:1", "region_name": "eu"}},
            {
                "aws_access_key_id": "k",
                "aws_secret_access_key": "s",
                "aws_endpoint_url": "http://h:1",
                "aws_region": "eu",
                "aws_allow_http": "true",
            },
        ),
        (S3, {"key": "k", "secret": "s", "config_kwargs": {"proxies": {}}}, None),
        (S3, {"key": "k", "secret": "s", "client_kwargs": {"verify": False}}, None),
        (AZURE, {"account_name": "a", "sas_token": "t"}, {"azure_storage_account_name": "a", "azure_storage_sas_key": "t"}),
        (
            AZURE,
            {"connection_string": "AccountName=a;AccountKey=k==;BlobEndpoint=http://h:1/a;"},
            {
                "azure_storage_account_name": "a",
                "azure_storage_account_key": "k==",
                "azure_storage_endpoint": "http://h:1/a",
                "azure_allow_http": "true",
            },
        ),
        (AZURE, {"account_name": "a", "credential": object()}, None),
        (AZURE, {"account_name": "a"}, None),
        (GCS, {"token": "anon"}, None),
    ],
    ids=["s3 keys", "s3 anonymous", "s3 elsewhere", "s3 proxies", "s3 unverified", "azure sas", "azure connection", "azure credential", "azure none", "gcs"],
)  # fmt: skip
def test_polars_gets_the_options_that_fsspec_has(monkeypatch, fs, given, native):
    for name in ("AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_S3"):
        monkeypatch.delenv(name, raising=False)
    store = native_store(fs, given)

    assert (None if store is None else dict(store.options)) == native
    assert "k==" not in repr(store)


def test_credentials_of_the_environment_are_those_of_polars(monkeypatch):
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "mine")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "s3cret")
    monkeypatch.setenv("AWS_SESSION_TOKEN", "token")
    store = native_store(S3, {})

    assert store is not None
    assert store.credentials() == (
        {"aws_access_key_id": "mine", "aws_secret_access_key": "s3cret", "aws_session_token": "token"},
        None,
    )


def test_a_missing_library_is_named_with_what_installs_it():
    program = """
import sys
sys.modules.update(dict.fromkeys(("s3fs", "gcsfs", "adlfs")))
from io_managers import FsspecIOManager, ParquetIOManager
from warehouse_assets.errors import ExtraRequiredError
for cls, uri in ((ParquetIOManager, "s3://b"), (FsspecIOManager, "gs://b"), (ParquetIOManager, "abfs://c"), (ParquetIOManager, "az://c")):
    try:
        cls(base_path=uri).store_id
    except ExtraRequiredError as error:
        print(error)
"""

    done = subprocess.run([sys.executable, "-c", program], check=True, capture_output=True, text=True)

    assert done.stdout.splitlines() == [
        f"a place at {scheme}:// needs the package '{package}'. pip install \"warehouse-assets[{extra}]\""
        for scheme, package, extra in (
            ("s3", "s3fs", "s3"),
            ("gs", "gcsfs", "gcs"),
            ("abfs", "adlfs", "azure"),
            ("az", "adlfs", "azure"),
        )
    ]


def failing(error: Exception) -> None:
    with reaching("s3://lake/t.parquet"):
        raise error


def test_a_failure_names_the_place_and_no_secret():
    with pytest.raises(
        TableError, match=r"s3://lake/t\.parquet could not be reached: OSError: .*sig=….*Does the store answer"
    ) as caught:
        failing(OSError("GET https://a/b?x=1&sig=s3cret&y=2 failed"))
    with pytest.raises(TableError, match=r"PermissionError: no\. Are the credentials right"):
        failing(PermissionError("no"))

    assert "s3cret" not in str(caught.value)


@pytest.mark.parametrize(
    "error", [FileNotFoundError("gone"), ValueError("mine"), TableError("known")], ids=lambda error: str(error)
)
def test_what_is_no_failure_of_the_store_stays_what_it_is(error):
    with pytest.raises(type(error), match=str(error)) as caught:
        failing(error)

    assert caught.value is error


def test_options_that_are_numbers_or_truths_are_read_as_such():
    assert place_and_options("s3://b?a=5&b=false&c=&d=007x") == ("s3://b", {"a": 5, "b": False, "c": "", "d": "007x"})
