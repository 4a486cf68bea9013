"""Jets from the field's files: ROOT (TTree, RNTuple), Parquet, HDF5 and npz, whole or as
streams of batches.

read_jets("jets.root", classes=("QCD", "Tbqq"))    padded float32 arrays with a mask
"""

from zoo.particle_physics.data.jets import Jets
from zoo.particle_physics.data.read import read_jets

__all__ = ["Jets", "read_jets"]
