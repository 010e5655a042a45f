"""Tests of assets: one is run in memory, on tables that are given, and what it makes is compared."""
