"""What particle physics says of itself to the commands."""

from zoo.interfaces.domain import Domain, FileAudit, Option

DOMAIN = Domain(
    name="particle_physics",
    title="Particle physics",
    suffixes=(".root", ".parquet"),
    file_audit=FileAudit(
        kind="events",
        suffixes=(".root",),
        run="zoo.particle_physics.audit:audit_files",
        recognise="zoo.particle_physics.data.root:holds_root_files",
        hint="a folder of .root files",
    ),
    dataset_audits={
        "particle_physics/jet_tagging": ("zoo.particle_physics.audit:audit_dataset", "jet_tagging"),
        "particle_physics/quark_gluon": ("zoo.particle_physics.audit:audit_dataset", "quark_gluon"),
    },
    explainable="zoo.particle_physics.explain:explainable",
    adapt="zoo.particle_physics.finetune:adapt",
    adaptable="zoo.particle_physics.finetune:ARCHITECTURES",
    options={
        "audit": (Option("tree", str, "Name of the tree in ROOT files."),),
        "data build": (
            Option("size", str, "S or M (default S)."),
            Option("step", str, "What is made: simulation (default), or a step that follows it."),
        ),
    },
)
