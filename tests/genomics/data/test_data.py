"""Files of sequences: what is put right, what is refused and in which words, and that genes
and windows lie where Biopython finds them."""

from __future__ import annotations

import gzip
import json
import sys
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from Bio import SeqIO
from Bio.Seq import Seq
from Bio.SeqFeature import FeatureLocation, SeqFeature
from Bio.SeqRecord import SeqRecord
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from zoo.genomics.data import (
    DataError,
    Genome,
    LabelledSequences,
    from_zarr,
    gue,
    read_features,
    read_genome,
    read_motifs,
    read_table,
    to_zarr,
    windows,
)
from zoo.genomics.data import sequences as dna

TABLE = "sequence,label\nACGT,1\nTTGA,0\nGGCC,1\n"


def write(path: Path, content: str | bytes) -> Path:
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


def letters(table: LabelledSequences) -> list[str]:
    return [dna.decode(row) for row in table.tokens]


# ------------------------------------------------------------------------------------------- tables


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


def test_gzip_is_read_and_a_truncated_one_refused(tmp_path):
    many = "sequence,label\n" + "".join(
        f"{'ACGT' * (1 + i % 7)}{'ACGT'[i % 4]},{i % 2}\n" for i in range(2000)
    )
    packed = gzip.compress(many.encode())
    assert len(read_table(write(tmp_path / "a.csv.gz", packed))) == 2000
    # what it is, not what it is called
    assert len(read_table(write(tmp_path / "b.csv", packed))) == 2000
    for cut in (len(packed) // 2, len(packed) - 3, 12):
        with pytest.raises(DataError, match="truncated or damaged"):
            read_table(write(tmp_path / "c.csv.gz", packed[:cut]))
    with pytest.raises(DataError, match="truncated or damaged"):
        read_table(write(tmp_path / "d.csv.gz", packed[:100] + bytes(40) + packed[140:]))
    with pytest.raises(DataError, match="no gzip file"):
        read_table(write(tmp_path / "e.csv.gz", TABLE))


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


# ------------------------------------------------------------------------------------------- stores


@settings(
    deadline=None, max_examples=15, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(st.lists(st.text("ACGTN", min_size=1, max_size=20), min_size=2, max_size=9), st.booleans())
def test_a_table_survives_zarr(tmp_path, texts, labelled):
    labels = np.arange(len(texts)) % 2 if labelled else None
    table = LabelledSequences(
        dna.encode_all(texts),
        labels,
        tuple(f"ü{i}" for i in range(len(texts))),
        ("a", "b") if labelled else (),
    )
    again = from_zarr(to_zarr(table, tmp_path / "t.zarr", overwrite=True))
    np.testing.assert_array_equal(again.tokens, table.tokens)
    assert (
        again.tokens.dtype == np.int8 and again.ids == table.ids and again.classes == table.classes
    )
    assert (again.labels is None) if labels is None else (again.labels.tolist() == labels.tolist())
    assert letters(read_table(tmp_path / "t.zarr", length=25)) == texts


def test_the_store_is_zarr_3_and_whole_or_not_there(tmp_path, monkeypatch):
    table = LabelledSequences(dna.encode_all(["ACGT"]), None, ("a",))
    path = to_zarr(table, tmp_path / "t.zarr")
    meta = json.loads((path / "tokens" / "zarr.json").read_text())
    assert meta["zarr_format"] == 3 and meta["data_type"] == "int8"
    with pytest.raises(FileExistsError, match="overwrite=True"):
        to_zarr(table, path)
    monkeypatch.setattr(Path, "replace", lambda *_: (_ for _ in ()).throw(OSError("full")))
    with pytest.raises(OSError, match="full"):
        to_zarr(table, tmp_path / "u.zarr")
    assert [each.name for each in tmp_path.iterdir()] == ["t.zarr"]


def test_another_zarr_is_refused(tmp_path):
    import zarr

    zarr.create_group(tmp_path / "x.zarr")
    with pytest.raises(DataError, match="without `format`"):
        from_zarr(tmp_path / "x.zarr")
    write(tmp_path / "y.zarr", "no")
    with pytest.raises(DataError, match="no Zarr store"):
        from_zarr(tmp_path / "y.zarr")
    to_zarr(Genome(("a",), (dna.encode("ACGT"),)), tmp_path / "g.zarr")
    with pytest.raises(DataError, match="genome 1, not 'scizoo sequences 1'"):
        from_zarr(tmp_path / "g.zarr")


# -------------------------------------------------------------------------------- genomes and genes


def made_up(seed: int = 0, sizes: tuple[int, ...] = (997, 60, 401)) -> Genome:
    rng = np.random.default_rng(seed)
    return Genome(
        tuple(f"chr{i}" for i in range(len(sizes))),
        tuple(rng.integers(0, 5, size).astype(np.int8) for size in sizes),
    )


def as_fasta(genome: Genome, path: Path, width: int = 60) -> Path:
    lines = []
    for name, tokens in zip(genome.names, genome.tokens, strict=True):
        text = dna.decode(tokens)
        lines += [
            f">{name} a description",
            *(text[i : i + width] for i in range(0, len(text), width)),
        ]
    return write(
        path, gzip.compress("\n".join(lines).encode()) if path.suffix == ".gz" else "\n".join(lines)
    )


@pytest.mark.parametrize("name", ["g.fna", "g.fa.gz"])
def test_a_genome_in_fasta(tmp_path, name):
    genome = made_up()
    again = read_genome(as_fasta(genome, tmp_path / name))
    assert again.names == genome.names and again.bases == genome.bases == 997 + 60 + 401
    for mine, theirs in zip(again.tokens, genome.tokens, strict=True):
        np.testing.assert_array_equal(mine, theirs)
    with pytest.raises(KeyError, match="there are chr0, chr1, chr2"):
        again["chr9"]


def test_a_genome_and_its_genes_in_genbank(tmp_path):
    genome = made_up()
    record = SeqRecord(
        Seq(dna.decode(genome.tokens[0])), id="chr0", annotations={"molecule_type": "DNA"}
    )
    whole = FeatureLocation(10, 40, strand=1)
    joined = FeatureLocation(100, 110, strand=-1) + FeatureLocation(60, 93, strand=-1)
    record.features = [
        SeqFeature(whole, "CDS", qualifiers={"locus_tag": ["b1"], "codon_start": ["2"]}),
        SeqFeature(joined, "CDS", qualifiers={"locus_tag": ["b2"], "pseudo": [""]}),
    ]
    SeqIO.write(record, tmp_path / "g.gb", "genbank")
    again = read_genome(tmp_path / "g.gb")
    np.testing.assert_array_equal(again["chr0"], genome.tokens[0])
    found = read_features(tmp_path / "g.gb", again)
    assert list(
        zip(
            found.start,
            found.stop,
            found.strand,
            found.phase,
            found.pseudo,
            found.names,
            strict=True,
        )
    ) == [
        (10, 40, 1, 1, False, "b1"),
        (100, 110, -1, 0, True, "b2"),
        # ten bases are three codons and one base: two are left of the fourth
        (60, 93, -1, 2, True, "b2"),
    ]
    joined_letters = "".join(dna.decode(found.letters(again, each)) for each in (1, 2))
    assert joined_letters == str(joined.extract(record.seq))
    write(tmp_path / "cut.gb.gz", gzip.compress((tmp_path / "g.gb").read_bytes())[:200])
    with pytest.raises(DataError, match="truncated"):
        read_genome(tmp_path / "cut.gb.gz")


@pytest.mark.parametrize(
    ("content", "what"),
    [
        ("", "is empty"),
        (">a\nAC\n>a\nGT", "two records called 'a'"),
        ("LOCUS", "no FASTA"),
        (">a\nACZ", "record a has 'Z' at position 3"),
    ],
)
def test_a_genome_that_is_refused(tmp_path, content, what):
    with pytest.raises(dna.SequenceError, match=what):
        read_genome(write(tmp_path / "g.fna", content))


HEAD = (
    "##gff-version 3\n"
    "chr0\tx\tregion\t1\t997\t.\t+\t.\tID=r;Is_circular=true\n"
    "chr0\tx\tgene\t5\t30\t.\t+\t.\tID=g\n"
)


def test_gff_counts_from_one_and_python_from_zero(tmp_path):
    genome = made_up()
    rows = (
        "chr0\tx\tCDS\t5\t30\t.\t+\t0\tID=c1;locus_tag=b%3B1\nchr2\tx\tCDS\t401\t401\t.\t-\t2\tID=c2;pseudo=true\n###\n"
        "chr0\tx\tCDS\t991\t1004\t.\t+\t0\tID=c3\nchr0\tx\tCDS\t991\t1004\t.\t-\t0\tID=c4\n##FASTA\n>chr0\nAC\n"
    )
    found = read_features(write(tmp_path / "a.gff", HEAD + rows), genome)
    assert found.names[0] == "b;1" and found.pseudo.tolist() == [
        False,
        True,
        False,
        False,
        False,
        False,
    ]
    assert list(
        zip(found.record, found.start, found.stop, found.strand, found.phase, strict=True)
    ) == [
        (0, 4, 30, 1, 0),
        (2, 400, 401, -1, 2),
        (0, 990, 997, 1, 0),  # over the origin: 7 bases and 7 bases
        (0, 0, 7, 1, 2),
        (0, 990, 997, -1, 2),
        (0, 0, 7, -1, 0),
    ]
    text = dna.decode(genome.tokens[0])
    assert dna.decode(found.letters(genome, 0)) == text[4:30]
    assert dna.decode(found.letters(genome, 5)) == str(Seq(text[:7]).reverse_complement())
    assert (
        found.covered(genome)[0].sum() == 26 - 3 + 7 + 7
        and found.covered(genome, strand=-1)[0].sum() == 14
    )


@pytest.mark.parametrize(
    ("row", "what"),
    [
        ("chr0\tx\tCDS\t5\t30\t.\t+\t0", "line 4 has 8 columns"),
        (
            "chr9\tx\tCDS\t5\t30\t.\t+\t0\tID=c",
            "'chr9', which the genome lacks; it has chr0, chr1, chr2",
        ),
        ("chr1\tx\tCDS\t50\t61\t.\t+\t0\tID=c", "beyond the 60 bases of chr1"),
        ("chr0\tx\tCDS\t30\t5\t.\t+\t0\tID=c", "30..5 is no stretch"),
        ("chr0\tx\tCDS\t0\t5\t.\t+\t0\tID=c", "0..5 is no stretch"),
        ("chr0\tx\tCDS\t5\t30\t.\t.\t0\tID=c", "strand is '.'"),
        ("chr0\tx\tCDS\t5\t30\t.\t+\t.\tID=c", "phase is '.'"),
        ("chr0\tx\texon\t5\t30\t.\t+\t.\tID=c", "no CDS; it has exon, gene, region"),
    ],
)
def test_gff_that_is_refused(tmp_path, row, what):
    with pytest.raises(DataError, match=what):
        read_features(write(tmp_path / "a.gff", HEAD + row + "\n"), made_up())


def expected_windows(
    genome: Genome, length: int, stride: int, both: bool, tail: bool
) -> list[tuple[int, int, int, str]]:
    found = []
    for record, tokens in enumerate(genome.tokens):
        text = dna.decode(tokens)
        starts = list(range(0, len(text) - length + 1, stride))
        if tail and (not starts or starts[-1] + stride < len(text)):
            starts.append(starts[-1] + stride if starts else 0)
        for start in starts:
            window = text[start : start + length]
            found.append((record, start, 1, window))
            if both:
                found.append((record, start, -1, str(Seq(window).reverse_complement())))
    return found


@pytest.mark.parametrize("source", ["memory", "g.fna", "g.fna.gz", "g.zarr"])
@pytest.mark.parametrize(
    ("length", "stride", "batch"),
    [(50, 50, 7), (50, 13, 1000), (30, 77, 4), (200, 1, 64), (401, 900, 1)],
)
@pytest.mark.parametrize("both", [False, True])
@pytest.mark.parametrize("tail", [False, True])
def test_windows_are_the_same_from_everywhere(
    tmp_path, monkeypatch, source, length, stride, batch, both, tail
):
    from zoo.genomics.data import store, streaming

    monkeypatch.setattr(store, "BASES", 97)
    monkeypatch.setattr(streaming, "PIECE", 130)
    genome = made_up()
    path = genome
    if source.endswith("zarr"):
        path = to_zarr(genome, tmp_path / source)
    elif source != "memory":
        path = as_fasta(genome, tmp_path / source)
    batches = list(windows(path, length, stride, both, batch_size=batch, tail=tail))
    assert batches and all(len(each.tokens) == batch for each in batches[:-1])
    found = [
        (int(record), int(start), int(strand), dna.decode(tokens))
        for each in batches
        for tokens, record, start, strand in zip(*each, strict=True)
    ]
    assert found == expected_windows(genome, length, stride, both, tail)


def test_windows_of_a_zarr_store_are_read_piece_by_piece(tmp_path, monkeypatch):
    import zarr

    from zoo.genomics.data import store

    monkeypatch.setattr(store, "BASES", 100)
    path = to_zarr(made_up(sizes=(5000,)), tmp_path / "g.zarr")
    read = []
    original = zarr.Array.__getitem__
    monkeypatch.setattr(
        zarr.Array, "__getitem__", lambda array, part: read.append(part) or original(array, part)
    )
    next(windows(path, 10, batch_size=5))
    assert read == [slice(0, 100)]


def test_windows_of_nothing_are_refused(tmp_path):
    with pytest.raises(ValueError, match="at least 1"):
        windows(made_up(), 0)
    with pytest.raises(DataError, match="no FASTA file"):
        list(windows(write(tmp_path / "g.fna", "ACGT\n"), 2))


# ------------------------------------------------------------------------------------ motifs, cards


def test_both_motif_formats(tmp_path):
    bracket = write(
        tmp_path / "a.txt", ">MA1.1\tFOX\nA  [ 1 2 ]\nC  [ 3 4 ]\nG  [ 5 6 ]\nT  [ 7 8 ]\n\n"
    )
    transfac = write(
        tmp_path / "b.gz",
        gzip.compress(
            b"AC MA1.1\nXX\nID FOX\nPO\tA\tC\tG\tT\n01\t1\t3\t5\t7\n02\t2\t4\t6\t8\nXX\n//\n"
        ),
    )
    for path in (bracket, transfac):
        (motif,) = read_motifs(path)
        assert (motif.id, motif.name) == ("MA1.1", "FOX") and motif.counts.tolist() == [
            [1, 3, 5, 7],
            [2, 4, 6, 8],
        ]
    with pytest.raises(DataError, match="no matrices"):
        read_motifs(write(tmp_path / "c.txt", "hello\n"))


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


def test_the_genome_of_e_coli(mirror_file):
    """Counts of the annotation, recomputed with Biopython's own objects where it has them."""
    path = mirror_file("genomics/ecoli_k12", "GCF_000005845.2_ASM584v2_genomic.fna.gz")
    genome = read_genome(path)
    assert (
        genome.names == ("NC_000913.3",)
        and genome.bases == 4_641_652
        and (genome.tokens[0] < 4).all()
    )
    found = read_features(
        mirror_file("genomics/ecoli_k12", "GCF_000005845.2_ASM584v2_genomic.gff.gz"), genome
    )
    assert len(found) == 4337 and found.pseudo.sum() == 36
    assert round(100 * found.covered(genome)[0].mean(), 1) == 86.2
    with gzip.open(path, "rt") as text:
        record = SeqIO.read(text, "fasta").seq
    starts = Counter()
    for each in range(len(found)):
        location = FeatureLocation(
            int(found.start[each]), int(found.stop[each]), strand=int(found.strand[each])
        )
        codon = str(location.extract(record)[:3])
        assert codon == dna.decode(found.letters(genome, each)[:3])
        if not found.pseudo[each]:
            starts[codon] += 1
    assert (starts["ATG"], starts["GTG"], starts["TTG"]) == (3874, 338, 80)


def test_jaspar_has_519_vertebrate_matrices(mirror_file):
    found = read_motifs(mirror_file("genomics/jaspar", "pfm_vertebrates.txt"))
    assert (
        len(found) == 519
        and (found[0].id, found[0].name) == ("MA0002.2", "RUNX1")
        and found[0].counts.shape == (11, 4)
    )
    assert len(read_motifs(mirror_file("genomics/jaspar", "jaspar2024_core.transfac.gz"))) == 2346
