"""Readers of the field's files: series of times and values, Zarr stores packed into one file."""
