"""Scores of the climate tasks: pure functions of arrays, one file per family."""
