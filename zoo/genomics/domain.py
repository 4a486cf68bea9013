"""What genomics says of itself to the commands."""

from zoo.interfaces.domain import Domain, FileAudit, Option

FASTA = (".fa", ".fna", ".fasta", ".ffn")
TABLES = (".csv", ".tsv", ".txt")
PARQUET = (".parquet", ".pq")

DOMAIN = Domain(
    name="genomics",
    title="Genomics",
    suffixes=(*TABLES, *FASTA, *PARQUET, ".zarr"),
    file_audit=FileAudit(
        kind="sequences",
        suffixes=(*FASTA, *PARQUET),
        run="zoo.genomics.audit:audit_files",
        recognise="zoo.genomics.data.tables:holds_sequences",
        hint="a column of letters (say --sequence NAME)",
    ),
    dataset_audits={"genomics/gue": ("zoo.genomics.audit:audit_dataset", None)},
    explainable="zoo.genomics.explain:explainable",
    adapt="zoo.genomics.finetune:adapt",
    adaptable="zoo.genomics.finetune:ARCHITECTURES",
    options={
        "audit": (
            Option("sequence", str, "Column of letters in a table of sequences.", "sequence"),
            Option("label", str, "Column of labels; '' where there is none.", "label"),
        ),
        "data build": (
            Option(
                "step",
                str,
                "What to make (a fit, a set, files for other programs); a wrong one lists them.",
            ),
        ),
    },
)
