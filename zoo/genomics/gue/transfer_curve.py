"""What the pre-training of the sequence encoder is worth: one subset, 1, 10 and 100 % of its
training sequences, pre-trained against scratch, all weights trained.

    from pathlib import Path
    from zoo.genomics.data import gue
    from zoo.genomics.gue.transfer_curve import transfer_curve

    start = Path("sequence_encoder.gue.pretraining/network.safetensors")
    rows = transfer_curve("tf_2", seed=0, out=Path("curve"), start=start, load=gue)

It was run once, for these figures. Dev MCC of prom_core_tata, seeds 0 and 1, pre-trained against
scratch: with 1 % of the training sequences .31, .14 against .36, .27; with 10 % .34, .45 against
.54, .55; with all .76, .77 against .76, .74. So this pre-training does not help there, and with
few labels it harms. tf_2, seeds 0 and 1: with 1 % .29, .22 against .24, .14; with 10 % .40, .41
against .38, .30; with all (seed 0) .50 against .54: a help with few labels, none with all.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from zoo.genomics.gue.pretraining import Load, clean_tables
from zoo.genomics.gue.recipes import Schedule
from zoo.genomics.gue.train_encoder import tune

SCHEDULE = Schedule(6.0, network={"dropout": 0.1})
SHARES = (0.01, 0.1, 1.0)


def transfer_curve(
    subset: str,
    *,
    seed: int,
    out: Path,
    start: Path,
    load: Load,
    schedule: Schedule = SCHEDULE,
    steps: int | None = None,
) -> list[dict[str, Any]]:
    """Each training's facts (`start`, `share`, `dev`, ...), pre-trained before scratch.

    Args:
        subset: of GUE.
        seed: of the initial weights, the order, and which sequences are kept.
        out: folder for checkpoints.
        start: weights of `zoo.genomics.gue.pretraining.pretrain`.
        load: gives the tables.
        schedule: how each is trained.
        steps: fewer than the schedule.
    """
    clean = clean_tables([subset], load)[subset]

    def read(subset: str, split: str) -> Any:
        return clean if split == "train" else load(subset, split)

    rows = []
    for share in SHARES:
        for kind, weights in (("pretrained", start), ("scratch", None)):
            folder = out / f"{subset}.{kind}.{share:g}.seed{seed}"
            _, facts = tune(
                subset,
                schedule,
                seed=seed,
                out=folder,
                start=weights,
                load=read,
                share=share,
                steps=steps,
            )
            rows.append(facts | {"start": kind})
    return rows
