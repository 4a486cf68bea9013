"""What climate says of itself to the commands."""

from zoo.interfaces.domain import Domain, FileAudit, Option

DOMAIN = Domain(
    name="climate",
    title="Climate",
    suffixes=(".nc", ".zarr"),
    file_audit=FileAudit(
        kind="series",
        suffixes=(".nc", ".nc4", ".cdf", ".zarr.zip"),
        run="zoo.climate.audit:audit_files",
        recognise="zoo.climate.data.series:holds_times",
        hint="a column of times (say --time NAME)",
    ),
    dataset_audits={
        "climate/enso": ("zoo.climate.audit:audit_dataset", "enso"),
        "climate/held_suarez": ("zoo.climate.audit:audit_dataset", "held_suarez"),
    },
    explainable="zoo.climate.explain:explainable",
    adapt="zoo.climate.finetune:adapt",
    adaptable="zoo.climate.finetune:ARCHITECTURES",
    options={
        "audit": (
            Option("time", str, "Coordinate or column of times of a series."),
            Option(
                "train_until",
                str,
                "Last time of train, where one file holds train and test (2003-12).",
            ),
            Option("test_from", str, "First time of test, likewise."),
        ),
        "data build": (
            Option(
                "step", str, "Step of climate/held_suarez: truth (default), products, regression."
            ),
            Option("years", float, "Simulated training years (default 10)."),
        ),
        "predict": (Option("days", int, "Forecast length in days (default 10).", 10),),
    },
)
