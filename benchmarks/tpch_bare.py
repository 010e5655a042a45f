"""The queries of TPC-H in one bare DuckDB connection, as a process: `python tpch_bare.py store folder queries`."""

import sys
from pathlib import Path

import duckdb


def run(store: str, folder: Path, queries: Path) -> None:
    """Keep the answer to each query as a table of a new file in `folder`, or as a Parquet file, over the Parquet files in `folder`/tpch."""
    with duckdb.connect(str(folder / "warehouse.duckdb") if store == "duckdb" else ":memory:") as connection:
        connection.execute("create schema tpch; create schema answers")
        for table in (folder / "tpch").glob("*.parquet"):
            connection.execute(f"create view tpch.{table.stem} as from '{table}'")
        for query in sorted(queries.glob("*.sql")):
            if store == "duckdb":
                connection.execute(f"create or replace table answers.{query.stem} as {query.read_text()}")
            else:
                file = folder / f"{query.stem}.parquet"
                connection.execute(f"copy ({query.read_text()}) to '{file}' (format parquet, compression zstd)")


if __name__ == "__main__":
    run(sys.argv[1], Path(sys.argv[2]), Path(sys.argv[3]))
