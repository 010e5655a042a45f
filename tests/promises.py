"""Which promises each store keeps, from the results of its tests: `pytest --promises` writes the table of docs/promises.md.

A run of all tests holds that the page says what they found.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from warehouse_assets.testing import io_manager as contracts
from warehouse_assets.testing.contract import Contract

PAGE = Path(__file__).parents[1] / "docs" / "promises.md"
PROMISE = "promise"  # the name of the property that a test's report carries
START, END = "<!-- the table: make promises -->\n", "<!-- its end -->\n"

CONTRACTS = [getattr(contracts, name) for name in contracts.__all__ if name.endswith("Contract")]


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--promises", action="store_true", help="write the table of promises and stores into docs/promises.md")


def pytest_configure(config: pytest.Config) -> None:
    if not hasattr(config, "workerinput"):  # of the process that hears of all tests
        config.pluginmanager.register(Table(config), "promises")


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if promise := promise_of(item):
            item.user_properties.append((PROMISE, promise))


def promise_of(item: pytest.Item) -> dict[str, str] | None:
    """The store and the contract that a test is about, and why it departs from it, if it does."""
    cls, test = getattr(item, "cls", None), getattr(item, "function", None)
    if test is None or cls is None or not issubclass(cls, tuple(CONTRACTS)):
        return None
    contract = next((each for each in reversed(cls.__mro__) if issubclass(each, Contract) and test.__name__ in vars(each)), cls)
    if contract not in CONTRACTS:
        return None
    if not hasattr(cls, "STORE"):
        raise pytest.UsageError(f"{cls.__qualname__} inherits a contract and does not say which STORE it is of")
    return {"store": cls.STORE, "contract": contract.__name__, "departure": getattr(test, "departure", "")}


class Table:
    """The outcomes as they come in."""

    def __init__(self, config: pytest.Config) -> None:
        self.config = config
        self.passed: dict[tuple[str, str], int] = defaultdict(int)
        self.failed: set[tuple[str, str]] = set()
        self.departures: dict[tuple[str, str], dict[str, None]] = defaultdict(dict)

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        promise = dict(report.user_properties).get(PROMISE)
        if not isinstance(promise, dict):
            return
        place = promise["contract"], promise["store"]
        if report.failed:
            self.failed.add(place)
        elif report.when == "call" and report.passed:
            self.passed[place] += 1
            if promise["departure"]:
                self.departures[place][promise["departure"]] = None

    @pytest.hookimpl(trylast=True)
    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        option: Any = self.config.option
        is_whole = not option.file_or_dir and not option.keyword and not option.markexpr and not option.deselect
        if self.failed or not (is_whole or option.promises):
            return
        text = PAGE.read_text()
        before, rest = text.split(START)
        _, after = rest.split(END)
        wanted = f"{before}{START}\n{''.join(self.lines())}\n{END}{after}"
        if option.promises:
            PAGE.write_text(wanted)
        elif wanted != text:
            session.exitstatus = pytest.ExitCode.TESTS_FAILED
            print("docs/promises.md does not say what the tests found: make promises")  # noqa: T201

    def lines(self) -> Iterator[str]:
        """The table and its notes, as Markdown."""
        stores = sorted({store for _, store in self.passed}, key=str.casefold)
        yield f"| promise | {' | '.join(stores)} |\n|---|{':-:|' * len(stores)}\n"
        notes: dict[str, int] = {}
        for contract in CONTRACTS:
            cells = []
            for store in stores:
                place = contract.__name__, store
                marks = "".join(f"<sup>{notes.setdefault(why, len(notes) + 1)}</sup>" for why in sorted(self.departures[place]))
                cells.append(f"✓{marks}" if self.passed[place] else " ")
            yield f"| {(contract.__doc__ or '').partition(chr(10))[0]} | {' | '.join(cells)} |\n"
        yield "\n"
        for why, number in notes.items():
            yield f"{number}. {why[:1].upper()}{why[1:]}.\n"
