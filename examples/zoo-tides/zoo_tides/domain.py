"""What the domain says of itself to the commands."""

from zoo.interfaces.domain import Domain, FileAudit, Option

DOMAIN = Domain(
    name="tides",
    title="Tides",
    suffixes=(".tide.csv",),
    file_audit=FileAudit(
        kind="gauges",
        suffixes=(".tide.csv",),
        run="zoo_tides.audit:audit_files",
        hint="files that end in .tide.csv",
    ),
    dataset_audits={"tides/harbour": ("zoo_tides.audit:audit_dataset", "harbour")},
    options={
        "audit": (Option("datum", float, "Level (m) that counts as zero (default 0)."),),
        "data build": (Option("days", int, "Simulated days (default 240)."),),
        "predict": (Option("hours", int, "Leads to write, 1 to 24 (default 24)."),),
    },
)
