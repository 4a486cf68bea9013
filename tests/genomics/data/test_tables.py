"""Tables of labelled sequences come out of any file as they were put in; what is wrong with
one is said in words."""

from __future__ import annotations

import gzip
import sys

import numpy as np
import pytest
from genome_files import TABLE, letters, write

from zoo.genomics.data import DataError, read_table
from zoo.genomics.data import sequences as dna


def test_a_plain_table(tmp_path):
    table = read_table(write(tmp_path / "a.csv", TABLE))
    assert letters(table) == ["ACGT", "TTGA", "GGCC"]
    assert table.tokens.dtype == np.int8 and table.labels.tolist() == [1, 0, 1]
    assert table.classes == ("0", "1") and table.ids == ("1", "2", "3")
    assert (
        letters(table[1:]) == ["TTGA", "GGCC"]
        and table[[2]].ids == ("3",)
        and len(table[table.labels == 1]) == 2
    )


@pytest.mark.parametrize(
    "content",
    [
        TABLE.replace("\n", "\r\n"),
        TABLE.replace("\n", "\r"),
        "\ufeff" + TABLE,
        TABLE.replace("ACGT", "acgu"),
        TABLE + "\n\n",
        TABLE.replace(",1", ",1.0"),
        TABLE.replace(",", " , "),
        TABLE.rstrip(),
        'sequence,label\n"ACGT",1\n"TTGA","0"\nGGCC,1\n',
        "label,extra,sequence\n1,x,ACGT\n0,y,TTGA\n1,z,GGCC\n",
    ],
    ids=[
        "windows",
        "old mac",
        "bom",
        "lower and U",
        "blank lines",
        "1.0",
        "spaces",
        "no last newline",
        "quotes",
        "other columns",
    ],
)
def test_what_is_put_right(tmp_path, content):
    table = read_table(write(tmp_path / "a.csv", content))
    assert letters(table) == ["ACGT", "TTGA", "GGCC"] and table.labels.tolist() == [1, 0, 1]


def test_iupac_letters_are_unknown_and_short_sequences_padded(tmp_path):
    table = read_table(write(tmp_path / "a.csv", "sequence,label\nARYN,1\nTG,0\n"), length=6)
    assert table.tokens.tolist() == [[0, 4, 4, 4, 5, 5], [3, 2, 5, 5, 5, 5]]


@pytest.mark.parametrize(
    ("content", "what"),
    [
        ("", "is empty"),
        ("\n\n", "has no column 'sequence'"),
        ("sequence,label\n", "holds no sequence"),
        (
            TABLE.replace("sequence", "Sequence"),
            "no column 'sequence'; did you mean 'Sequence'.*its columns are: Sequence, label",
        ),
        (
            TABLE.replace("label", "y"),
            "no column 'label'.*its columns are: sequence, y.*label=None",
        ),
        ("ACGT,1\nTTGA,0\n", "its columns are: ACGT, 1"),
        ("sequence,sequence,label\nA,C,1\n", "two columns called 'sequence'"),
        (TABLE.replace("TTGA", ""), "sequence 2 is empty"),
        (TABLE.replace("TTGA", "TXGA"), "sequence 2 has 'X' at position 2"),
        (TABLE.replace("TTGA,0", "TTGA"), "line 3 has 1 fields, the header has 2"),
        (TABLE.replace("TTGA,0", "TTGA,0,5"), "line 3 has 3 fields"),
        (TABLE.replace("TTGA,0", "TTGA,"), "sequence 2 has no label"),
        (TABLE.replace("TTGA,0", "TTGA,nan"), "sequence 2 has no label"),
        (TABLE.replace(",0", ",1"), "every label is '1'; one class"),
        (TABLE.replace(",0", ",0.37"), "label of sequence 2 is 0.37, no whole number"),
        (
            "id,sequence,label\na,ACGT,1\nb,GG,0\na,TT,1\n",
            "1 ids are given more than once, first 'a'",
        ),
        (TABLE.encode("utf-16"), "UTF-16"),
        (b"sequence,label\nACGT\xff\xfe,1\n", "not UTF-8"),
    ],
)
def test_what_is_refused(tmp_path, content, what):
    path = write(tmp_path / "a.csv", content)
    with pytest.raises(dna.SequenceError, match=what) as refusal:
        read_table(path)
    assert str(path) in str(refusal.value)


def test_names_as_labels_are_sorted_and_numbers_keep_their_order(tmp_path):
    table = read_table(write(tmp_path / "a.csv", "sequence,label\nA,worm\nC,human\nG,worm\n"))
    assert table.classes == ("human", "worm") and table.labels.tolist() == [1, 0, 1]
    table = read_table(write(tmp_path / "b.csv", "sequence,label\nA,10\nC,-1\nG,2\n"))
    assert table.classes == ("-1", "2", "10") and table.labels.tolist() == [2, 0, 1]


def test_classes_of_the_training_table_hold_for_the_others(tmp_path):
    path = write(tmp_path / "a.csv", "sequence,label\nA,worm\nC,worm\n")
    assert read_table(path, classes=("human", "worm")).labels.tolist() == [1, 1]
    with pytest.raises(DataError, match="label 'worm'; the classes are human, fly"):
        read_table(path, classes=("human", "fly"))


def test_sequences_may_be_long(tmp_path):
    table = read_table(write(tmp_path / "a.csv", f"sequence,label\n{'ACGT' * 50_000},1\nAC,0\n"))
    assert table.tokens.shape == (2, 200_000)


def test_other_column_names_and_no_labels(tmp_path):
    path = write(tmp_path / "a.tsv", "dna\ty\tid\nACGT\t1\tp\nTT\t0\tq\n")
    table = read_table(path, sequence="dna", label="y")
    assert table.ids == ("p", "q") and table.labels.tolist() == [1, 0]
    table = read_table(path, sequence="dna", label=None)
    assert table.labels is None and table.classes == ()


def test_rows_may_be_numbered_where_names_repeat(tmp_path):
    """The revised Nucleotide Transformer sets hold a few rows twice, name and all."""
    path = write(tmp_path / "a.fna", ">p|1\nACGT\n>p|1\nACGT\n>q|0\nTT\n")
    with pytest.raises(DataError, match="say id=None"):
        read_table(path)
    assert read_table(path, id=None).ids == ("1", "2", "3")


def test_a_quantity_is_no_label(tmp_path):
    path = write(
        tmp_path / "a.csv", "sequence,label\n" + "".join(f"ACGT,{i}\n" for i in range(1500))
    )
    with pytest.raises(DataError, match="1500 different labels"):
        read_table(path)


def test_fasta_labels_stand_in_headers(tmp_path):
    table = read_table(write(tmp_path / "a.fa", ">p label=x more\nACGT\nacg\n\n>q label=y\nTT\n"))
    assert (
        letters(table) == ["ACGTACG", "TT"]
        and table.classes == ("x", "y")
        and table.ids == ("p", "q")
    )
    table = read_table(write(tmp_path / "b.fna.gz", gzip.compress(b">a|1\r\nAC\r\n>b|0\r\nGT\r\n")))
    assert table.labels.tolist() == [1, 0]
    assert read_table(write(tmp_path / "c.fasta", ">a\nAC\n>b\nGT\n")).labels is None


@pytest.mark.parametrize(
    ("content", "what"),
    [
        ("ACGT\n", "no FASTA file: it begins with 'ACGT'"),
        (">a\nAC\n>a\nGT\n", "more than once, first 'a'"),
        (">a label=1\nAC\n>b\nGT\n", "'b' and 0 others do not"),
        (">a\n>b\nGT\n", "sequence 1 is empty"),
        (">\nGT\n", "record 1 has no name"),
        ("\n \n", "no FASTA file"),
    ],
)
def test_fasta_that_is_refused(tmp_path, content, what):
    with pytest.raises(dna.SequenceError, match=what):
        read_table(write(tmp_path / "a.fa", content))


def test_parquet_is_the_same_table(tmp_path):
    import pyarrow
    from pyarrow import parquet

    columns = {"sequence": ["ACGT", "TTGA", "GGCC"], "label": [1, 0, 1], "id": ["a", "b", "c"]}
    parquet.write_table(pyarrow.table(columns), tmp_path / "a.parquet")
    table = read_table(tmp_path / "a.parquet")
    assert (
        letters(table) == columns["sequence"]
        and table.labels.tolist() == [1, 0, 1]
        and table.ids == ("a", "b", "c")
    )
    parquet.write_table(pyarrow.table({"seq": ["A"], "label": [1]}), tmp_path / "b.parquet")
    with pytest.raises(DataError, match="its columns are: seq, label"):
        read_table(tmp_path / "b.parquet")
    parquet.write_table(
        pyarrow.table({"sequence": ["A", None], "label": [1, 0]}), tmp_path / "c.parquet"
    )
    with pytest.raises(DataError, match="row 2: 'sequence' is None"):
        read_table(tmp_path / "c.parquet")
    whole = (tmp_path / "a.parquet").read_bytes()
    with pytest.raises(DataError, match="no readable Parquet"):
        read_table(write(tmp_path / "d.parquet", whole[: len(whole) // 2]))


def test_parquet_without_pyarrow_says_what_to_install(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(ImportError, match=r"scizoo\[parquet\]"):
        read_table(write(tmp_path / "a.parquet", b"PAR1"))


def test_unclear_and_absent_files(tmp_path):
    with pytest.raises(DataError, match=r"names end in \.csv, \.tsv"):
        read_table(write(tmp_path / "a.xlsx", "x"))
    for name in ("no.csv", "no.fa", "no.parquet", "no.zarr"):
        with pytest.raises(FileNotFoundError, match=name):
            read_table(tmp_path / name)
