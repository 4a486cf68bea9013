"""Pre-training never sees what any dev or test set holds."""

from __future__ import annotations

from motif_tables import motif_table

from zoo.genomics.data import LabelledSequences
from zoo.genomics.data.sequences import reverse_complement
from zoo.genomics.gue import pretraining


def test_clean_tables_leave_out_what_any_dev_or_test_set_holds():
    base = {
        split: motif_table(40, 101, seed) for seed, split in enumerate(("train", "dev", "test"))
    }
    other = {
        split: motif_table(40, 70, 10 + seed) for seed, split in enumerate(("train", "dev", "test"))
    }
    copied = base["train"].tokens.copy()
    copied[3, :70] = reverse_complement(other["test"].tokens[5:6])[0]
    base["train"] = LabelledSequences(
        copied, base["train"].labels, base["train"].ids, base["train"].classes
    )
    tables = pretraining.clean_tables(
        ["a", "b"], lambda subset, split: (base if subset == "a" else other)[split]
    )
    assert len(tables["a"]) == 39 and "3" not in tables["a"].ids and len(tables["b"]) == 40
