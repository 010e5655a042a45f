"""Contract suites: what every I/O manager and every event log promises, as tests to inherit."""
