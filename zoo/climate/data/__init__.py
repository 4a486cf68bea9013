"""Loaders of the climate data sets, one module per data set."""
