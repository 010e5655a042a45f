"""The TPC-H benchmark as assets: 22 questions in SQL on the tables of a wholesaler (`python -m examples.tpch`)."""
