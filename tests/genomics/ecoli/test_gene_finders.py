"""Other programs' genes: GFF3 in, labels and a table of scores out."""

from __future__ import annotations

import numpy as np
import pytest

from zoo.genomics.ecoli import gene_finders

ROWS = (("11", "40", "+"), ("31", "60", "-"))
"""Two genes that overlap: the later row's strand holds."""


def test_labels_come_from_the_cds_rows(tmp_path):
    path = tmp_path / "genes.gff"
    lines = [
        "\t".join(["test", "x", "CDS", first, last, ".", strand, "0", f"ID={first}"])
        for first, last, strand in ROWS
    ]
    path.write_text("##gff-version 3\n" + "\n".join(lines) + "\n", encoding="utf-8")
    found = gene_finders.labels(path, np.zeros(80, np.int8))
    assert found.tolist() == [0] * 10 + [1] * 20 + [2] * 30 + [0] * 20


def test_scores_are_a_table_with_gaps_where_there_is_no_interval():
    table = gene_finders.scores_table({"mcc": (0.5, (0.4, 0.6)), "f1.cds_plus": (0.25, None)})
    assert table.splitlines() == [
        "metric,value,low,high",
        "mcc,0.5000,0.4000,0.6000",
        "f1.cds_plus,0.2500,,",
    ]


def test_steps_say_what_they_need(tmp_path):
    with pytest.raises(ValueError, match="it has arcs, scores"):
        gene_finders.build(tmp_path, step="genes")
    with pytest.raises(FileNotFoundError, match="--step arcs"):
        gene_finders.build(tmp_path, step="scores")
