"""Object stores: URIs with options, what fsspec's options mean to the readers that polars has of its own, and what went wrong there."""

from __future__ import annotations

import re
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qsl

from warehouse_assets.errors import ExtraRequiredError, TableError

__all__ = ["NativeStore", "ReplacedError", "fields_of", "native_store", "place_and_options", "reaching", "required_extra"]

RETRIES: Mapping[str, Any] = {"max_retries": 6, "retry_init_backoff_ms": 200, "retry_timeout_ms": 60_000}

_EXTRAS = {
    **dict.fromkeys(("s3", "s3a"), ("s3fs", "s3")),
    **dict.fromkeys(("gs", "gcs"), ("gcsfs", "gcs")),
    **dict.fromkeys(("az", "abfs", "abfss", "adl"), ("adlfs", "azure")),
}

# Options of fsspec that have nothing to do with how bytes are read.
_NEUTRAL = {
    *("skip_instance_cache", "use_listings_cache", "listings_expiry_time", "max_paths", "max_concurrency", "version_aware"),
    *("default_block_size", "default_cache_type", "default_fill_cache", "fixed_upload_size", "cache_regions", "asynchronous"),
    *("assume_container_exists", "blocksize", "timeout", "connection_timeout", "read_timeout", "s3_additional_kwargs"),
}

_FAILURES = {"aiohttp", "azure", "botocore", "gcsfs", "google", "requests", "urllib3"}  # whose errors are those of a store

_SECRETS = re.compile(r"(?i)((?:sig|signature|token|secret|password|key)[\w-]*=)[^&\s'\"]+")


def place_and_options(uri: str) -> tuple[str, dict[str, Any]]:
    """A URI without its query, and what the query says: `true`, `false` and whole numbers as such, `a.b=c` as `{"a": {"b": "c"}}`.

    >>> place_and_options("s3://lake/tables?endpoint_url=http://localhost:9000&client_kwargs.region_name=eu&anon=true")
    ('s3://lake/tables', {'endpoint_url': 'http://localhost:9000', 'client_kwargs': {'region_name': 'eu'}, 'anon': True})
    """
    place, _, query = uri.partition("?")
    options: dict[str, Any] = {}
    for name, text in parse_qsl(query, keep_blank_values=True):
        *parents, last = name.split(".")
        inner = options
        for parent in parents:
            inner = inner.setdefault(parent, {})
        inner[last] = {"true": True, "false": False}.get(text, int(text) if re.fullmatch(r"\d{1,9}", text) else text)
    return place, options


def fields_of(uri: str, cls: Any) -> dict[str, Any]:
    """What a URI says of a manager of the class `cls`: where it is, its own fields, and the options of the file system."""
    place, options = place_and_options(uri)
    own = {name: options.pop(name) for name in [*options] if name in {*cls.model_fields, "format"}}
    known = {name: value for name, value in own.items() if name in cls.model_fields}  # Parquet has no other format
    return {**known, "base_path": place, "storage_options": options}


class ReplacedError(TableError):
    """A file was replaced while it was read; what was read is to be forgotten."""

    @classmethod
    def of(cls, uri: str) -> ReplacedError:
        """The error for the file `uri`."""
        return cls(f"{uri} was replaced while it was read", hint="Load it again.")


@contextmanager
def required_extra(uri: str) -> Generator[None]:
    """Turn the ImportError for a file system that is not installed into an ExtraRequiredError that says what to install."""
    try:
        yield
    except ImportError as error:
        scheme = re.split("::|://", uri)[0]
        if scheme not in _EXTRAS:
            raise
        raise ExtraRequiredError.of(*_EXTRAS[scheme], f"a place at {scheme}://") from error


@contextmanager
def reaching(uri: str) -> Generator[None]:
    """Turn what a store has to say into a TableError that names the place and no secret; a missing file stays what it is."""
    try:
        yield
    except FileNotFoundError:
        raise
    except Exception as error:
        is_failure = isinstance(error, (OSError, TimeoutError)) or type(error).__module__.partition(".")[0] in _FAILURES
        if not is_failure or isinstance(error, TableError):
            raise
        raise unreachable(uri, error) from None


def unreachable(uri: str, error: BaseException) -> TableError:
    """The error for a place where something failed that retries did not mend."""
    is_denied = isinstance(error, PermissionError) or "403" in str(error)
    hint = "Are the credentials right, and may they do this?" if is_denied else "Does the store answer? Then run it again."
    said = _SECRETS.sub(r"\1…", " ".join(str(error).split()))[:500]
    return TableError(f"{uri} could not be reached: {type(error).__name__}: {said}", hint=hint)


@dataclass(frozen=True, slots=True)
class NativeStore:
    """What polars has to know to read an object store by itself."""

    scheme: str
    options: Mapping[str, Any] = field(repr=False)
    credentials: Any = field(default=None, repr=False)

    def uris(self, paths: list[str]) -> list[str]:
        """The URIs of paths of the file system."""
        return [f"{self.scheme}://{path.lstrip('/')}" for path in paths]

    @property
    def arguments(self) -> dict[str, Any]:
        """The arguments of polars that say how to get there."""
        return {"storage_options": {**self.options, **RETRIES}, "credential_provider": self.credentials}


def native_store(fs: Any, given: Mapping[str, Any]) -> NativeStore | None:
    """How polars reads what the file system `fs`, made with the options `given`, gives; None where only `fs` itself can.

    That is so for options that mean nothing to polars, and for stores that are neither S3 nor Azure.
    """
    options = {name: value for name, value in given.items() if name not in _NEUTRAL and value is not None}
    protocols = {fs.protocol} if isinstance(fs.protocol, str) else {*fs.protocol}
    if "s3" in protocols:
        return _s3(fs, options)
    if "abfs" in protocols:
        return _azure(fs, options)
    return None


def _s3(fs: Any, options: dict[str, Any]) -> NativeStore | None:
    import os

    names = {"key": "aws_access_key_id", "secret": "aws_secret_access_key", "token": "aws_session_token"}
    client = dict(options.pop("client_kwargs", {}))
    found = {name: options.pop(plain, None) or client.pop(name, None) for plain, name in names.items()}
    found["aws_endpoint_url"] = (
        options.pop("endpoint_url", None)
        or client.pop("endpoint_url", None)
        or os.environ.get("AWS_ENDPOINT_URL_S3", os.environ.get("AWS_ENDPOINT_URL"))
    )
    found["aws_region"] = client.pop("region_name", None)
    if (found["aws_endpoint_url"] or "").startswith("http:"):
        found["aws_allow_http"] = "true"
    if options.pop("requester_pays", False):
        found["aws_request_payer"] = "true"
    anonymous, profile = options.pop("anon", False), options.pop("profile", None)
    if options or client:
        return None
    if anonymous:
        found["aws_skip_signature"] = "true"
    plain = {name: value for name, value in found.items() if value}
    if anonymous or "aws_access_key_id" in plain:
        return NativeStore("s3", plain)
    return _with_session(profile, plain)


def _with_session(profile: str | None, options: dict[str, Any]) -> NativeStore | None:
    """With the credentials that s3fs finds: in the environment, in files, or from the machine."""
    from botocore.session import Session  # type: ignore[import-untyped]

    session = Session(profile=profile)
    if session.get_credentials() is None:
        return None

    def credentials() -> tuple[dict[str, str | None], int | None]:
        found = session.get_credentials()
        frozen = found.get_frozen_credentials()
        keys = {"aws_access_key_id": frozen.access_key, "aws_secret_access_key": frozen.secret_key}
        expiry = getattr(found, "_expiry_time", None)
        token = {"aws_session_token": frozen.token} if frozen.token else {}
        return {**keys, **token}, None if expiry is None else int(expiry.timestamp())

    region = session.get_config_variable("region")
    return NativeStore("s3", {**({"aws_region": region} if region else {}), **options}, credentials)


def _azure(fs: Any, options: dict[str, Any]) -> NativeStore | None:
    text = (
        options.pop("connection_string", None) or getattr(fs, "connection_string", None) or ""
    )  # which may be in the environment
    connection = dict(part.split("=", 1) for part in text.split(";") if "=" in part)
    account = options.pop("account_name", None) or connection.get("AccountName") or fs.account_name
    key = options.pop("account_key", None) or connection.get("AccountKey") or fs.account_key
    sas = options.pop("sas_token", None) or connection.get("SharedAccessSignature")
    principal = {name: options.pop(name, None) for name in ("client_id", "client_secret", "tenant_id")}
    endpoint = connection.get("BlobEndpoint")
    found = {
        "azure_storage_account_name": account,
        "azure_storage_account_key": key,
        "azure_storage_sas_key": sas,
        "azure_storage_client_id": principal["client_id"],
        "azure_storage_client_secret": principal["client_secret"],
        "azure_storage_tenant_id": principal["tenant_id"],
        "azure_storage_endpoint": endpoint,
        "azure_allow_http": "true" if (endpoint or "").startswith("http:") else None,
    }
    if options or not account or not (key or sas or all(principal.values())):
        return None
    return NativeStore("az", {name: value for name, value in found.items() if value})
