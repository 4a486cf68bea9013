"""The loaders that dataset cards name: files found (or fetched), verified by their card,
opened as tokens."""

from __future__ import annotations

import os
from pathlib import Path

from zoo import files, registry
from zoo.genomics.data.containers import Features, Genome, LabelledSequences
from zoo.genomics.data.genome import read_features, read_genome
from zoo.genomics.data.motifs import Motif, read_motifs
from zoo.genomics.data.opening import DataError
from zoo.genomics.data.tables import read_table

GUE_SPLITS = ("train", "dev", "test")
ECOLI_FILES = ("GCF_000005845.2_ASM584v2_genomic.fna.gz", "GCF_000005845.2_ASM584v2_genomic.gff.gz")
JASPAR_FILES = {
    "vertebrates_2016": "pfm_vertebrates.txt",
    "core_2024": "jaspar2024_core.transfac.gz",
}


def gue(
    subset: str, split: str = "train", *, folder: str | os.PathLike | None = None
) -> LabelledSequences:
    """One split of one task of the Genome Understanding Evaluation (Zhou et al. 2023,
    arXiv:2306.15006), classes "0" and "1".

    Args:
        subset: `tf_0`, `prom_core_all`, `mouse_0`, ...: those of the card.
        split: "train", "dev" or "test", as published.
        folder: a folder with `<subset>.<split>.csv`, or with GUE's own
            `<subset>/<split>.csv`; by default the card's files are used.

    Raises:
        DataError: no such subset or split; names those that there are.
        zoo.files.FileMissing: the file is nowhere; says how to get it.
    """
    card = registry.dataset("genomics/gue")
    names = [file.name for file in card.file]
    subsets = sorted({name.split(".")[0] for name in names})
    if subset not in subsets:
        raise DataError(f"gue has no subset {subset!r}; {registry.did_you_mean(subset, subsets)}")
    if split not in GUE_SPLITS:
        raise DataError(f"gue has no split {split!r}; it has {', '.join(GUE_SPLITS)}")
    if folder is not None:
        tries = [Path(folder) / f"{subset}.{split}.csv", Path(folder) / subset / f"{split}.csv"]
        path = next((path for path in tries if path.is_file()), None)
        if path is None:
            raise FileNotFoundError(f"neither {tries[0]} nor {tries[1]} exists")
    else:
        path = card_file("genomics/gue", f"{subset}.{split}.csv")
    return read_table(path, classes=("0", "1"))


def ecoli_k12(*, folder: str | os.PathLike | None = None) -> tuple[Genome, Features]:
    """The genome of E. coli K-12 MG1655 (RefSeq NC_000913.3) and its CDS rows, pseudogenes
    included.

    Args:
        folder: a folder with the two files under NCBI's names; by default the card's files
            are used.

    Raises:
        zoo.files.FileMissing: a file is nowhere; says how to get it.
    """
    path, annotation = (
        card_file("genomics/ecoli_k12", name) if folder is None else Path(folder) / name
        for name in ECOLI_FILES
    )
    genome = read_genome(path)
    return genome, read_features(annotation, genome)


def jaspar(collection: str = "vertebrates_2016") -> tuple[Motif, ...]:
    """Count matrices of JASPAR, in the file's order.

    Args:
        collection: "vertebrates_2016" (519, the set of `motif_grammar`) or "core_2024" (all
            of JASPAR 2024 CORE).

    Raises:
        DataError: another collection.
        zoo.files.FileMissing: the file is nowhere; says how to get it.
    """
    if collection not in JASPAR_FILES:
        raise DataError(
            f"jaspar has no collection {collection!r}; it has {', '.join(JASPAR_FILES)}"
        )
    return read_motifs(card_file("genomics/jaspar", JASPAR_FILES[collection]))


def card_file(dataset: str, name: str) -> Path:
    """The verified path of one file of a dataset's card, fetched if need be.

    Raises:
        DataError: the card has no such file.
        zoo.files.FileMissing: it is nowhere; says how to get it.
    """
    card = registry.dataset(dataset)
    file = next((file for file in card.file if file.name == name), None)
    if file is None:
        raise DataError(
            f"dataset {dataset} has no file {name!r}; it has "
            f"{', '.join(each.name for each in card.file)}"
        )
    return files.get(file, folder=registry.dataset_folder(card))
