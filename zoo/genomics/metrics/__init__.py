"""Scores of the genomics tasks: pure functions of arrays."""
