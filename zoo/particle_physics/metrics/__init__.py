"""Scores of the particle physics tasks: pure functions of arrays, one file per family."""
