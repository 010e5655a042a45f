"""Partitions: the slices in which a table is made, and how the slices of one table follow from those of another."""
