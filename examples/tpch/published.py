"""The first row of some answers, as the specification of TPC-H publishes them for scale 1 and the parameters used here."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from typing import Any

PUBLISHED: dict[str, dict[str, Any]] = {
    "q01": {"l_returnflag": "A", "l_linestatus": "F", "sum_qty": Decimal("37734107.00"), "count_order": 1478493},
    "q03": {"l_orderkey": 2456423, "revenue": Decimal("406181.01"), "o_orderdate": date(1995, 3, 5)},
    "q04": {"o_orderpriority": "1-URGENT", "order_count": 10594},
    "q05": {"n_name": "INDONESIA", "revenue": Decimal("55502041.17")},
    "q06": {"revenue": Decimal("123141078.23")},
    "q10": {"c_custkey": 57040, "c_name": "Customer#000057040", "revenue": Decimal("734235.25")},
    "q12": {"l_shipmode": "MAIL", "high_line_count": 6202, "low_line_count": 9324},
    "q13": {"c_count": 0, "custdist": 50005},
    "q14": {"promo_revenue": Decimal("16.38")},
    "q15": {"s_suppkey": 8449, "total_revenue": Decimal("1772627.21")},
    "q17": {"avg_yearly": Decimal("348406.05")},
    "q19": {"revenue": Decimal("3083843.06")},
    "q21": {"s_name": "Supplier#000002829", "numwait": 20},
    "q22": {"cntrycode": "13", "numcust": 888, "totacctbal": Decimal("6737713.99")},
}


def differences(query: str, row: dict[str, Any]) -> list[str]:
    """Where the first row of an answer is not what was published, to the cent.

    >>> differences("q06", {"revenue": 123141078.2283}), differences("q13", {"c_count": 0, "custdist": 50004})
    ([], ['q13.custdist is 50004, and 50005 was published'])
    """
    return [
        f"{query}.{column} is {row[column]}, and {value} was published"
        for column, value in PUBLISHED.get(query, {}).items()
        if row[column] != value and not (isinstance(value, Decimal) and round(Decimal(str(row[column])), 2) == value)
    ]
