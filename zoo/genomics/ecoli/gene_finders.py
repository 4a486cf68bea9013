"""Other people's gene finders on `genomics/ecoli_genes`: the arcs go out as FASTA, their
GFF3 comes in and is scored.

    zoo data build genomics/ecoli_k12 --step arcs --out FOLDER       train.fna, test.fna
    pyrodigal -i FOLDER/test.fna -f gff -o FOLDER/genes.gff
    zoo data build genomics/ecoli_k12 --step scores --out FOLDER     genes.scores.csv

(or any other program that writes GFF3 with CDS rows). The second pyrodigal row learned from the
train arc instead (its command line can't), in an environment of its own:

    finder = pyrodigal.GeneFinder(); finder.train(train_arc); genes = finder.find_genes(test_arc)
    with open("genes.gff", "w") as file: genes.write_gff(file, sequence_id="test")

Such rows stand among the peers (`leaderboard/peers/genomics/ecoli_genes@1.toml`): programs
under other licences are run from outside and are no part of this project.
"""

from __future__ import annotations

import textwrap
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, cast

import numpy as np

from zoo import files
from zoo.genomics.data import sequences as dna
from zoo.interfaces.task import load_task
from zoo.scoring import stats

if TYPE_CHECKING:
    from zoo.genomics.ecoli.task import EColiGenes


STEPS = ("arcs", "scores")
Scores = dict[str, tuple[float, tuple[float, float] | None]]
"""Value and 95 % interval by metric."""


def build(
    out: Path, *, step: str | None = None, progress: Callable[[str, int, int], None] | None = None
) -> list[Path]:
    """What `zoo data build genomics/ecoli_k12` runs; the paths written.

    Args:
        out: folder of the FASTA files, and of the gene finders' GFF3 files (`*.gff`).
        step: `arcs` (what None means too) or `scores`, of every GFF3 file there.
        progress: told `(name, done, total)`.

    Raises:
        ValueError: no such step; lists those there are.
        FileNotFoundError: there is no GFF3 file to score.
        zoo.genomics.data.DataError: a file is no GFF3 of the test arc, or has no CDS.
    """
    if step not in (None, *STEPS):
        raise ValueError(f"genomics/ecoli_k12 has no step {step!r}; it has {', '.join(STEPS)}")
    out = Path(out)
    task = cast("EColiGenes", load_task("genomics/ecoli_genes"))
    if step != "scores":
        return write_arcs(task, out)
    found = sorted(out.glob("*.gff"))
    if not found:
        raise FileNotFoundError(
            f"{out} holds no *.gff: run a gene finder on its test.fna (`zoo data build "
            "genomics/ecoli_k12 --step arcs` writes that)"
        )
    paths = []
    for number, path in enumerate(found, 1):
        paths.append(path.with_suffix(".scores.csv"))
        files.write_text(paths[-1], scores_table(score(task, path)))
        if progress is not None:
            progress(path.name, number, len(found))
    return paths


def scores_table(scores: Scores) -> str:
    """Scores as CSV: `metric,value,low,high`; no bounds where there is no interval."""
    rows = [
        f"{name},{value:.4f}," + (",".join(f"{bound:.4f}" for bound in interval or ()) or ",")
        for name, (value, interval) in scores.items()
    ]
    return "\n".join(["metric,value,low,high", *rows]) + "\n"


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


def score(task: EColiGenes, path: Path) -> Scores:
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
