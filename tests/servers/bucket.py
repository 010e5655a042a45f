"""Where a bucket is, and what each kind of client has to know to use it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any


@dataclass(frozen=True)
class S3Bucket:
    """An empty bucket on a server that speaks S3."""

    endpoint: str
    key: str
    secret: str
    name: str
    region: str = "us-east-1"

    @property
    def uri(self) -> str:
        return f"s3://{self.name}"

    @property
    def options(self) -> dict[str, Any]:
        """What fsspec's s3fs has to know."""
        client = {"endpoint_url": self.endpoint, "region_name": self.region}
        return {"key": self.key, "secret": self.secret, "client_kwargs": client, "skip_instance_cache": True}

    @property
    def storage_options(self) -> dict[str, str]:
        """What polars and deltalake have to know."""
        keys = {"aws_access_key_id": self.key, "aws_secret_access_key": self.secret, "aws_region": self.region}
        return {**keys, "aws_endpoint_url": self.endpoint, "aws_allow_http": "true"}

    @property
    def obstore_options(self) -> dict[str, Any]:
        """What obstore has to know."""
        keys = {"access_key_id": self.key, "secret_access_key": self.secret, "region": self.region}
        return {**keys, "endpoint": self.endpoint, "client_options": {"allow_http": True}}

    @property
    def environment(self) -> dict[str, str]:
        """What all clients find out for themselves."""
        keys = {"AWS_ACCESS_KEY_ID": self.key, "AWS_SECRET_ACCESS_KEY": self.secret, "AWS_DEFAULT_REGION": self.region}
        return {**keys, "AWS_ENDPOINT_URL": self.endpoint}

    def client(self) -> Any:
        """A client of boto3, to look at the bucket behind the back of what is tested."""
        import boto3

        keys = {"aws_access_key_id": self.key, "aws_secret_access_key": self.secret, "region_name": self.region}
        return boto3.client("s3", endpoint_url=self.endpoint, **keys)

    def at(self, endpoint: str) -> S3Bucket:
        """The same bucket, reached through another address: that of a proxy."""
        return replace(self, endpoint=endpoint)


@dataclass(frozen=True)
class AzureContainer:
    """An empty container on a server that speaks the protocol of Azure's blob storage."""

    endpoint: str
    account: str
    key: str
    name: str

    @property
    def uri(self) -> str:
        return f"az://{self.name}"

    @property
    def connection_string(self) -> str:
        """What Azure's own clients have to know."""
        return f"DefaultEndpointsProtocol=http;AccountName={self.account};AccountKey={self.key};BlobEndpoint={self.endpoint};"

    @property
    def options(self) -> dict[str, Any]:
        """What fsspec's adlfs has to know."""
        return {"connection_string": self.connection_string, "account_name": self.account, "skip_instance_cache": True}

    @property
    def storage_options(self) -> dict[str, str]:
        """What polars and deltalake have to know."""
        keys = {"azure_storage_account_name": self.account, "azure_storage_account_key": self.key}
        return {**keys, "azure_storage_endpoint": self.endpoint, "azure_allow_http": "true"}

    @property
    def obstore_options(self) -> dict[str, Any]:
        """What obstore has to know."""
        keys = {"account_name": self.account, "account_key": self.key}
        return {**keys, "endpoint": self.endpoint, "client_options": {"allow_http": True}}

    @property
    def environment(self) -> dict[str, str]:
        """What all clients find out for themselves."""
        return {"AZURE_STORAGE_CONNECTION_STRING": self.connection_string}

    def at(self, endpoint: str) -> AzureContainer:
        """The same container, reached through another address: that of a proxy."""
        return replace(self, endpoint=f"{endpoint}/{self.account}")


@dataclass(frozen=True)
class GCSBucket:
    """An empty bucket on a server that speaks the protocol of Google's cloud storage, to whom everybody may do everything."""

    endpoint: str
    name: str

    @property
    def uri(self) -> str:
        return f"gs://{self.name}"

    @property
    def options(self) -> dict[str, Any]:
        """What fsspec's gcsfs has to know."""
        return {"endpoint_url": self.endpoint, "token": "anon", "project": "test", "skip_instance_cache": True}

    @property
    def environment(self) -> dict[str, str]:
        """What all clients find out for themselves."""
        return {"STORAGE_EMULATOR_HOST": self.endpoint, "GOOGLE_CLOUD_PROJECT": "test"}

    def at(self, endpoint: str) -> GCSBucket:
        """The same bucket, reached through another address: that of a proxy."""
        return replace(self, endpoint=endpoint)
