"""The queries of TPC-H as a project of dbt."""

from __future__ import annotations

import json
import os
import re
from pathlib import Path

__all__ = ["write_project"]


def write_project(project: Path, tables: Path, queries: Path) -> None:
    """Write a project whose sources are the Parquet files in `tables`, whose models are the `queries`, and that fills one DuckDB file."""
    names = sorted(file.stem for file in tables.glob("*.parquet"))
    source = {
        "name": "tpch",
        "meta": {"external_location": f"{tables}/{{name}}.parquet"},
        "tables": [{"name": n} for n in names],
    }
    output = {"type": "duckdb", "path": str(project / "warehouse.duckdb"), "threads": os.cpu_count()}
    configuration = {
        "dbt_project.yml": {"name": "tpch", "version": "1.0", "profile": "tpch", "models": {"+materialized": "table"}},
        "profiles.yml": {"tpch": {"target": "bench", "outputs": {"bench": output}}},
        "models/sources.yml": {"version": 2, "sources": [source]},
    }
    (project / "models").mkdir(parents=True)
    for name, content in configuration.items():
        (project / name).write_text(json.dumps(content))  # which is YAML
    for query in queries.glob("*.sql"):
        model = re.sub(r"\btpch\.(\w+)( as)?", _source, query.read_text())
        (project / "models" / query.name).write_text(model)


def _source(table: re.Match[str]) -> str:
    return f"{{{{ source('tpch', '{table[1]}') }}}} as" + ("" if table[2] else f" {table[1]}")
