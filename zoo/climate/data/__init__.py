"""Readers of the field's files: series of times and values, users' NetCDF and Zarr, Zarr stores
packed into one file, areas of grid rows."""
