"""What tables in Delta Lake and in Iceberg share: files that nobody knows of, and one commit that makes them a part of a table."""
