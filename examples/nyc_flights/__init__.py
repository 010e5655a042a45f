"""Real data through the whole system: New York's flights of 2013, in DuckDB and Parquet (`python -m examples.nyc_flights`)."""
