"""What addresses hold: the key of an asset, which may be any text."""

from __future__ import annotations

from starlette.convertors import Convertor, register_url_convertor

__all__ = ["ASSET", "KeyConvertor"]

ASSET = "/assets/{key:key}"


class KeyConvertor(Convertor[str]):
    """All that follows, line breaks as well, which `path` would not take."""

    regex = r"[\s\S]+"

    def convert(self, value: str) -> str:
        """The text as it is; `key_in_path` reads it."""
        return value

    def to_string(self, value: str) -> str:
        """The text as it is."""
        return value


register_url_convertor("key", KeyConvertor())
