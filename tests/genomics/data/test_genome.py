"""Genomes and their genes come out of FASTA, GenBank and GFF at the same places."""

from __future__ import annotations

import gzip
from collections import Counter

import numpy as np
import pytest
from Bio import SeqIO
from Bio.Seq import Seq
from Bio.SeqFeature import FeatureLocation, SeqFeature
from Bio.SeqRecord import SeqRecord
from genome_files import as_fasta, made_up, write

from zoo.genomics.data import DataError, read_features, read_genome
from zoo.genomics.data import sequences as dna


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
