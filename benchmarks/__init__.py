"""What this project costs, measured against the same work done without it in the same minute: `python -m benchmarks --help`."""
