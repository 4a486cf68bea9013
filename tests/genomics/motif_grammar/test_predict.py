"""A table of sequences is scored."""

from __future__ import annotations

from pathlib import Path

import pytest


def test_a_table_of_sequences_is_scored(tmp_path):
    from zoo.genomics.motif_grammar.predict import predict_file
    from zoo.pretrained.model import load_model

    source, target = tmp_path / "in.fa", tmp_path / "out.csv"
    source.write_text(">one\n" + "ACGT" * 50 + "\n>two\n" + "GGGC" * 50 + "\n")
    predict_file(load_model("genomics/cnn_dist.exponential"), source, target)
    lines = target.read_text().splitlines()
    assert lines[0] == "id,logit,probability"
    assert [line.split(",")[0] for line in lines[1:]] == ["one", "two"]
    with pytest.raises(ValueError, match=r"\.csv"):
        predict_file(load_model("genomics/cnn_dist.exponential"), source, Path("out.txt"))
