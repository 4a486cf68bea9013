"""What sequences with planted motifs look like, as plain data (`zoo.interfaces.figures`).

`zoo figures genomics/motif_grammar` draws them into files.
"""

from __future__ import annotations

import numpy as np

from zoo.genomics.data.sequences import gc_content
from zoo.genomics.motif_grammar.data import PlantedSequences
from zoo.interfaces.figures import Histogram, Histograms, Letters, Sequences, Span

CLASSES = ((1, "positive"), (0, "negative"))
GC_EDGES = np.round(np.arange(0.3, 0.751, 0.025), 3)
POSITION_EDGES = np.arange(0, 201, 10)


def gc_by_class(planted: PlantedSequences, *, kind: str, suffix: str = "") -> Histograms:
    """GC content by class: what a network could use without a motif."""
    series = []
    for value, name in CLASSES:
        content = gc_content(planted.tokens[planted.label == value])
        series.append(
            Histogram(label=name, values=_shares(np.histogram(content, GC_EDGES)[0] / len(content)))
        )
    return Histograms(
        name=f"gc_content{suffix}",
        title=f"GC content of the two classes, {kind}",
        caption=(
            f"Share of the {len(planted)} SIMULATED test sequences of each class in each bin of "
            "GC content."
        ),
        x_label="GC content",
        y_label="share of sequences",
        edges=[float(e) for e in GC_EDGES],
        series=series,
    )


def first_of_each_class(planted: PlantedSequences, *, kind: str, suffix: str = "") -> Sequences:
    """The first positive and the first negative test sequence, with what was planted in them."""
    rows = []
    for value, name in CLASSES:
        row = int(np.argmax(planted.label == value))
        counts = planted.counts[row][planted.motif[row] >= 0]
        spans = [
            Span(start=start, stop=stop, name=motif, weak=not bool(of_class))
            for (motif, start, stop), of_class in zip(planted.instances(row), counts, strict=True)
        ]
        letters = "".join("ACGT"[token] for token in planted.tokens[row])
        rows.append(
            Letters(
                label=f"{name}, test{row:05d}",
                letters=letters,
                spans=sorted(spans, key=lambda span: span.start),
            )
        )
    weak = any(span.weak for row in rows for span in row.spans)
    decoys = (
        (
            " Dashed ones are decoys: motifs in an order or at a distance that makes no sequence "
            "positive."
        )
        if weak
        else ""
    )
    return Sequences(
        name=f"sequences{suffix}",
        title=f"One sequence of each class, {kind}",
        caption=(
            "SIMULATED: the first positive and the first negative of the test split, with every "
            "motif that was planted. A name that ends in a minus sign is the reverse "
            f"complement.{decoys} All other bases are independent and uniform."
        ),
        rows=rows,
    )


def positions_by_class(planted: PlantedSequences, *, kind: str, suffix: str = "") -> Histograms:
    """Where motifs lie: the share of bases within a planted one, by place along the
    sequence; decoys count as planted."""
    covered = occupied(planted)
    series = [
        Histogram(
            label=name,
            values=_shares(
                covered[planted.label == value].mean(axis=0).reshape(-1, 10).mean(axis=1)
            ),
        )
        for value, name in CLASSES
    ]
    return Histograms(
        name=f"positions{suffix}",
        title=f"Where motifs lie, {kind}",
        caption=(
            f"Share of the bases that lie in a planted motif, by position, in the {len(planted)} "
            "SIMULATED test sequences."
        ),
        x_label="position in the sequence (bases)",
        y_label="share of bases in a motif",
        edges=[float(e) for e in POSITION_EDGES],
        series=series,
    )


def occupied(planted: PlantedSequences) -> np.ndarray:
    """Bool `[sequence, position]`: within any planted motif, all of its columns, decoys
    included."""
    inside = np.zeros(planted.tokens.shape, bool)
    row, place = np.nonzero(planted.motif >= 0)
    motif, start = planted.motif[row, place], planted.start[row, place].astype(np.int64)
    for offset in range(int(planted.width.max())):
        there = offset < planted.width[motif]
        inside[row[there], start[there] + offset] = True
    return inside


def _shares(values: np.ndarray) -> list[float]:
    return [float(value) for value in np.round(values, 5)]
