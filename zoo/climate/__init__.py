"""Climate: weather on a simulated planet (`held_suarez`) and the observed El Niño (`enso`).

data/          readers: series, users' NetCDF and Zarr, packed Zarr zips, grids
models/        architectures, one a file, and their layers; weights/ beside them
enso/          task, metrics, baselines, predict, recipes, train, explain, finetune
held_suarez/   the same names, and build/: how the simulated truth is made
audit.py explain.py finetune.py pictures.py domain.py    what the commands ask of the domain
"""
