"""Data sets by their card: GUE's subsets are what the card promises."""

from __future__ import annotations

import pytest
from genome_files import TABLE, write

from zoo.genomics.data import DataError, gue


def test_gue_names_what_there_is(tmp_path):
    with pytest.raises(DataError, match="no subset 'tf_9'; did you mean tf_"):
        gue("tf_9")
    with pytest.raises(DataError, match="it has train, dev, test"):
        gue("tf_0", "validation")
    (tmp_path / "tf_0").mkdir()
    write(tmp_path / "tf_0" / "dev.csv", TABLE)
    assert len(gue("tf_0", "dev", folder=tmp_path)) == 3
    with pytest.raises(FileNotFoundError, match="neither"):
        gue("tf_0", "test", folder=tmp_path)


def test_gue_is_what_its_card_promises(mirror_file):
    mirror_file("genomics/gue", "tf_0.test.csv")
    table = gue("tf_0", "test")
    assert table.tokens.shape == (1000, 101) and table.labels.mean() == 0.5
