"""Other people's gene finders on `genomics/ecoli_genes`: the arcs go out as FASTA, their
GFF3 comes in and is scored.

    python -m zoo.genomics.ecoli.gene_finders write FOLDER
    pyrodigal -i FOLDER/test.fna -f gff -o FOLDER/genes.gff
    python -m zoo.genomics.ecoli.gene_finders score FOLDER/genes.gff

`write` leaves train.fna and test.fna; any other program that writes GFF3 with CDS rows may
stand in pyrodigal's place.

The second pyrodigal row learned from the train arc instead (its command line can't), in an
environment of its own:

    finder = pyrodigal.GeneFinder(); finder.train(train_arc); genes = finder.find_genes(test_arc)
    with open("genes.gff", "w") as file: genes.write_gff(file, sequence_id="test")

Such rows stand among the peers (`leaderboard/peers/genomics/ecoli_genes@1.toml`): programs
under other licences are run from outside and are no part of this project.
"""

from __future__ import annotations

import sys
import textwrap
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from zoo import files
from zoo.genomics.data import sequences as dna
from zoo.interfaces.task import load_task
from zoo.scoring import stats

if TYPE_CHECKING:
    from zoo.genomics.ecoli.task import EColiGenes


def write_arcs(task: EColiGenes, folder: Path) -> list[Path]:
    """Writes `<split>.fna` of the arcs train and test, one record each, named after the split."""
    paths = []
    for split in ("train", "test"):
        paths.append(folder / f"{split}.fna")
        files.write_text(
            paths[-1],
            f">{split}\n" + "\n".join(textwrap.wrap(dna.decode(task.arc(split)), 70)) + "\n",
        )
    return paths


def labels(path: Path, arc: np.ndarray) -> np.ndarray:
    """Labels uint8 `[base]` of an arc from the CDS rows of a GFF3 file whose only record is
    `test`; both strands: the later row's.

    Raises:
        zoo.genomics.data.DataError: the file is no GFF3 of this arc, or has no CDS.
    """
    from zoo.genomics.data import Genome, read_features

    found = read_features(path, Genome(("test",), (arc,)))
    out = np.zeros(len(arc), np.uint8)
    for start, stop, strand in zip(found.start, found.stop, found.strand, strict=True):
        out[start:stop] = 1 if strand > 0 else 2
    return out


def score(task: EColiGenes, path: Path) -> dict[str, tuple[float, tuple[float, float] | None]]:
    """Scores of a GFF3 file with their intervals, by metric."""
    examples = task.examples()
    label = labels(path, task.arc("test"))[: examples.inputs.size].reshape(examples.inputs.shape)
    record = task.record({"label": label}, examples)
    samples = stats.resample(
        task, record, stats.bootstrap_weights(len(examples), task.spec.resampling)
    )
    return {
        name: (value, stats.interval(samples[name], value))
        for name, value in stats.scores(task, record).items()
    }


def main(arguments: Sequence[str] | None = None) -> int:
    """`write FOLDER` or `score FILE`."""
    given = list(sys.argv[1:] if arguments is None else arguments)
    if len(given) != 2 or given[0] not in ("write", "score"):
        print(__doc__, file=sys.stderr)
        return 2
    task = load_task("genomics/ecoli_genes")
    if given[0] == "write":
        for path in write_arcs(task, Path(given[1])):
            print(path)
    else:
        for name, (value, interval) in score(task, Path(given[1])).items():
            print(
                f"{name} = {value:.4f}"
                + ("" if interval is None else f"  ({interval[0]:.4f} to {interval[1]:.4f})")
            )
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
