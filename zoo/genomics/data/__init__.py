"""DNA from files as tokens: labelled tables, genomes and their genes, Zarr stores, and the
loaders that dataset cards name.

    read_table("train.csv"), read_genome("ecoli.fna.gz"), read_features("ecoli.gff.gz", genome)
    windows("genome.zarr", 1024, both_strands=True)
    to_zarr(sequences, "train.zarr"), from_zarr("train.zarr")
    gue("tf_0", "train")  ==  zoo.load_dataset("genomics/gue", subset="tf_0", split="train")
"""

from zoo.genomics.data.cards import ecoli_k12, gue, jaspar
from zoo.genomics.data.containers import Features, Genome, LabelledSequences
from zoo.genomics.data.genome import read_features, read_genome
from zoo.genomics.data.motifs import Motif, read_motifs
from zoo.genomics.data.opening import DataError
from zoo.genomics.data.store import from_zarr, genome_from_zarr, to_zarr
from zoo.genomics.data.streaming import Windows, windows
from zoo.genomics.data.tables import read_column, read_table

__all__ = [
    "DataError",
    "Features",
    "Genome",
    "LabelledSequences",
    "Motif",
    "Windows",
    "ecoli_k12",
    "from_zarr",
    "genome_from_zarr",
    "gue",
    "jaspar",
    "read_column",
    "read_features",
    "read_genome",
    "read_motifs",
    "read_table",
    "to_zarr",
    "windows",
]
