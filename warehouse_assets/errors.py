"""Every error of this project, as one tree.

WarehouseAssetsError
├── InvalidDefinitionError (ValueError)         a declaration that cannot be meant
│   └── InvalidDefinitionsError (ExceptionGroup)    several of them, found together
├── InvalidInvocationError (TypeError)          a definition called in a way it does not allow
├── InvalidConfigError (ValueError)             run configuration that fits no asset or resource
├── InvalidSelectionError (ValueError)          a selection that cannot be read, or selects what is not there
├── PartitionNotFoundError (LookupError)        a partition that its definition does not have
├── ResourceError (LookupError)                 a resource that is missing, conflicting or cannot start
├── ExtraRequiredError (ImportError)            an optional dependency that is not installed
├── InvalidMetadataError (TypeError)            metadata of an unknown type, or set twice
├── ExecutionError (RuntimeError)               a run that could not go on
│   ├── AssetCheckFailedError                       a table that a blocking check found at fault
│   ├── InvalidOutputError (TypeError)              a function returned what its declaration does not allow
│   └── RunCanceledError                            a run that was stopped from outside
├── TableError                                  what a table store has to say
│   ├── TableNotFoundError (LookupError)
│   ├── UnsupportedTypeError (TypeError)
│   ├── SchemaChangedError (ValueError)
│   ├── ColumnContractError (ValueError)            columns that are not those that were promised
│   ├── OutsidePartitionError (ValueError)          rows that are not of the partition that is written
│   ├── RowKeyError (ValueError)                    rows whose key is NULL, or that share one
│   ├── InvalidSQLError (ValueError)
│   └── StoreLockedError (TimeoutError)
├── InstanceError (RuntimeError)                the record of runs cannot be read or written
│   ├── RunNotFoundError (LookupError)
│   └── RunTakenError
├── LocationError (RuntimeError)                a code location that cannot be loaded, or whose process does not answer
├── Failure                                     raised by user code: fail this step, with metadata
└── RetryRequested                              raised by user code: run this step again

Each is also the builtin that fits, so that code which knows nothing of this project can still handle it. Attributes are plain
values given as keyword arguments, so every error survives pickling.
"""

from __future__ import annotations

import copyreg
from collections.abc import Mapping, Sequence
from difflib import get_close_matches
from typing import Any

__all__ = [
    "AssetCheckFailedError",
    "ColumnContractError",
    "ExecutionError",
    "ExtraRequiredError",
    "Failure",
    "InstanceError",
    "InvalidConfigError",
    "InvalidDefinitionError",
    "InvalidDefinitionsError",
    "InvalidInvocationError",
    "InvalidMetadataError",
    "InvalidOutputError",
    "InvalidSQLError",
    "InvalidSelectionError",
    "LocationError",
    "OutsidePartitionError",
    "PartitionNotFoundError",
    "ResourceError",
    "RetryRequested",
    "RowKeyError",
    "RunCanceledError",
    "RunNotFoundError",
    "RunTakenError",
    "SchemaChangedError",
    "StoreLockedError",
    "TableError",
    "TableNotFoundError",
    "UnsupportedTypeError",
    "WarehouseAssetsError",
    "close_matches",
]


class WarehouseAssetsError(Exception):
    """The root of every error raised by this project.

    `where` is the place of the declaration at fault (`file.py:12`), `hint` what to do about it; both are part of the message
    when present.

    >>> str(WarehouseAssetsError("asset 'a' is odd", where="assets.py:3", hint="make it even"))
    "asset 'a' is odd (assets.py:3). make it even"
    """

    def __init__(self, message: str = "", *, where: str | None = None, hint: str | None = None) -> None:
        self.message = message
        self.where = where
        self.hint = hint
        super().__init__(message)

    def __str__(self) -> str:
        text = self.message
        if self.where:
            text += f" ({self.where})"
        if self.hint:
            text += f". {self.hint}" if text and text[-1] not in ".?!" else f" {self.hint}"
        return text

    def __reduce__(self) -> tuple[Any, ...]:
        return copyreg.__newobj__, (type(self), *self.args), self.__dict__  # type: ignore[attr-defined]


class InvalidDefinitionError(WarehouseAssetsError, ValueError):
    """A declaration that cannot be meant: names the thing at fault, where it was declared, and what to do."""


class InvalidDefinitionsError(ExceptionGroup[InvalidDefinitionError], InvalidDefinitionError):  # type: ignore[override]
    """Several faulty declarations, found and raised together; `exceptions` holds one error for each."""

    def __new__(cls, message: str, faults: Sequence[InvalidDefinitionError]) -> InvalidDefinitionsError:
        return super().__new__(cls, message, faults)

    def __init__(self, message: str, faults: Sequence[InvalidDefinitionError]) -> None:
        Exception.__init__(self, message, faults)
        self.where = self.hint = None

    def __str__(self) -> str:
        return "\n".join([f"{self.message}:", *(f"  - {fault}" for fault in self.exceptions)])

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (self.message, list(self.exceptions))


class InvalidInvocationError(WarehouseAssetsError, TypeError):
    """A definition was called, or a context used, in a way that it does not allow."""


class InvalidConfigError(WarehouseAssetsError, ValueError):
    """Run configuration that does not fit: names the asset or resource, and the field."""


class InvalidSelectionError(WarehouseAssetsError, ValueError):
    """A selection that cannot be read, or that names what is not there."""


class PartitionNotFoundError(WarehouseAssetsError, LookupError):
    """A partition that its definition does not have, or does not have yet; suggests what may have been meant."""


class ResourceError(WarehouseAssetsError, LookupError):
    """A resource that is missing, is given twice, or cannot start."""


class ExtraRequiredError(WarehouseAssetsError, ImportError):
    """An optional dependency is not installed; the hint holds the command that installs it."""

    def __init__(self, message: str = "", *, where: str | None = None, hint: str | None = None) -> None:
        super().__init__(message, where=where, hint=hint)
        self.msg = message

    @classmethod
    def of(cls, package: str, extra: str, purpose: str) -> ExtraRequiredError:
        """The error for a missing `package` that the extra `extra` installs."""
        return cls(f"{purpose} needs the package {package!r}", hint=f'pip install "warehouse-assets[{extra}]"')


class InvalidMetadataError(WarehouseAssetsError, TypeError):
    """Metadata of a type that cannot be recorded, or a key that was set twice."""


class ExecutionError(WarehouseAssetsError, RuntimeError):
    """A run that could not go on, for a reason that is not an exception of user code."""


class AssetCheckFailedError(ExecutionError):
    """A table that a blocking check found at fault: what depends on it is not made."""


class InvalidOutputError(ExecutionError, TypeError):
    """A function returned or yielded what its declaration does not allow."""


class RunCanceledError(ExecutionError):
    """A run that was stopped from outside, by Ctrl-C for example."""


class TableError(WarehouseAssetsError):
    """What a table store has to say."""


class TableNotFoundError(TableError, LookupError):
    """A table that does not exist: names the table, the store, and the asset that should have made it."""


class UnsupportedTypeError(TableError, TypeError):
    """A value or an annotation of a type that the store cannot take or give; names what it can."""


class SchemaChangedError(TableError, ValueError):
    """A frame whose columns do not fit the stored table, under a policy that does not allow the change."""


class ColumnContractError(TableError, ValueError):
    """A table that has other columns or types than its asset promises, or NULLs where it promises none; lists all of them."""


class OutsidePartitionError(TableError, ValueError):
    """A row that is not of the partition that is written: names the column, a value and the partition."""


class RowKeyError(TableError, ValueError):
    """New rows whose key is NULL, or that share one, where their key says which rows they replace."""


class InvalidSQLError(TableError, ValueError):
    """SQL that cannot be parsed or bound, or that reads a table which the asset does not depend on.

    `position` is the line and the column in its text, counted from 1, where they are known, `excerpt` that line with a mark below.
    """

    def __init__(
        self,
        message: str = "",
        *,
        where: str | None = None,
        hint: str | None = None,
        position: tuple[int, int] | None = None,
        excerpt: str | None = None,
    ) -> None:
        super().__init__(message, where=where, hint=hint)
        self.position = position
        self.excerpt = excerpt

    def __str__(self) -> str:
        at = f"line {self.position[0]}, column {self.position[1]}: " if self.position and self.where is None else ""
        return at + super().__str__() + (f"\n{self.excerpt}" if self.excerpt else "")


class StoreLockedError(TableError, TimeoutError):
    """A store that another program holds; `pid` is its process id where the store tells it."""

    def __init__(self, message: str = "", *, where: str | None = None, hint: str | None = None, pid: int | None = None) -> None:
        super().__init__(message, where=where, hint=hint)
        self.pid = pid


class InstanceError(WarehouseAssetsError, RuntimeError):
    """The record of runs cannot be read or written."""


class RunNotFoundError(InstanceError, LookupError):
    """No run of this id is recorded."""


class RunTakenError(InstanceError):
    """A run that was to be started does not wait any more: another process has it, or it was canceled."""


class LocationError(WarehouseAssetsError, RuntimeError):
    """A code location that cannot be loaded, or whose process ended or did not answer in time; `traceback` is that of its code."""

    def __init__(
        self, message: str = "", *, where: str | None = None, hint: str | None = None, traceback: str | None = None
    ) -> None:
        super().__init__(message, where=where, hint=hint)
        self.traceback = traceback


class Failure(WarehouseAssetsError):
    """Raised by an asset's function to fail its step, with a description and metadata that are recorded.

    `allow_retries=False` fails the step even when a retry policy would run it again.
    """

    def __init__(
        self,
        description: str = "the step reported a failure",
        metadata: Mapping[str, Any] | None = None,
        allow_retries: bool = True,
    ) -> None:
        super().__init__(description)
        self.description = description
        self.metadata = dict(metadata or {})
        self.allow_retries = allow_retries


class RetryRequested(WarehouseAssetsError):
    """Raised by an asset's function to run its step again, at most `max_retries` times, after `seconds_to_wait` seconds."""

    def __init__(self, max_retries: int = 1, seconds_to_wait: float | None = None) -> None:
        super().__init__(f"a retry was requested (at most {max_retries})")
        self.max_retries = max_retries
        self.seconds_to_wait = seconds_to_wait


def close_matches(wrong: str, known: Sequence[str] | set[str], *, intro: str = "Did you mean") -> str | None:
    """A sentence that suggests the names in `known` closest to `wrong`, or None where nothing is close.

    >>> close_matches("order", ["orders", "customers"])
    "Did you mean 'orders'?"
    """
    folded = {name.casefold(): name for name in known}
    close = [folded[match] for match in get_close_matches(wrong.casefold(), list(folded), n=3, cutoff=0.6)]
    if not close:
        last = wrong.rsplit("/", 1)[-1].casefold()
        close = sorted(name for fold, name in folded.items() if fold.rsplit("/", 1)[-1] == last)[:3]
    return f"{intro} {' or '.join(repr(name) for name in close)}?" if close else None
