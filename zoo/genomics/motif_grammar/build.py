"""Everything of `genomics/motif_grammar` that is made and not downloaded.

    zoo data build genomics/motif_grammar                                 both sets of sequences
    zoo data build genomics/motif_grammar --step words.motif_grammar      a word regression
    zoo data build genomics/motif_grammar --step words.motif_grammar_hard

The sequences equal those that ship byte for byte; they take a minute. A word regression needs
scikit-learn (extra `dev`) and a minute: its penalty is chosen on the validation split, and the
test split is not read.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from zoo import files, registry
from zoo.genomics.motif_grammar.baselines import word_counts
from zoo.genomics.motif_grammar.data import load, write_planted
from zoo.genomics.motif_grammar.simulate import (
    DIGEST,
    motif_grammar,
    motif_grammar_hard,
    one_hot_digest,
)
from zoo.pretrained import weights
from zoo.scoring.scores import auroc

Progress = Callable[[str, int, int], None]
SETS = ("motif_grammar", "motif_grammar_hard")
STRENGTHS = (1e-4, 1e-3, 1e-2, 1e-1)
"""Of scikit-learn's C, from which the validation split chooses."""


def build(out: Path, *, step: str | None = None, progress: Progress | None = None) -> list[Path]:
    """Makes files anew in a folder; their paths.

    Args:
        out: the folder.
        step: `sequences` (what None means too), or `words.<set>`.
        progress: told `(name, done, total)`.

    Raises:
        ValueError: no such step; lists those there are.
        zoo.files.FileMissing: JASPAR's matrices cannot be had; says how to get them.
        RuntimeError: the sequences are not those that the published recipe gives.
    """
    steps = ("sequences", *(f"words.{name}" for name in SETS))
    if step not in (None, *steps):
        raise ValueError(f"genomics/motif_grammar has no step {step!r}; it has {', '.join(steps)}")
    if step is None or step == "sequences":
        return build_sequences(Path(out), progress=progress)
    return [fit_words(step.removeprefix("words."), Path(out), progress=progress)]


def build_sequences(out: Path, *, progress: Progress | None = None) -> list[Path]:
    """Both sets. The first needs JASPAR's matrices (`pfm_vertebrates.txt` of the data card);
    the second needs nothing. Raises as `build`."""
    card = registry.dataset("genomics/motif_grammar")
    matrices = next(file for file in card.file if file.name == "pfm_vertebrates.txt")
    paths = [out / "motif_grammar_hard.zarr.zip", out / "motif_grammar.zarr.zip"]
    write_planted(paths[0], *motif_grammar_hard(progress=progress))
    sequences, order = motif_grammar(
        files.get(matrices, folder=registry.dataset_folder(card)), progress=progress
    )
    if (found := one_hot_digest(sequences.tokens)) != DIGEST:
        raise RuntimeError(
            f"the published recipe gives sequences with SHA-256 {DIGEST}, these have {found}: was "
            "its generator changed?"
        )
    write_planted(paths[1], sequences, order)
    return paths


def fit_words(name: str, out: Path, *, progress: Progress | None = None) -> Path:
    """Fits the word regression of one set and writes `words.<set>.safetensors`; its header says
    the chosen C and the validation AUROC."""
    from sklearn.linear_model import LogisticRegression

    learn, held_out = (load(name, split=split) for split in ("train", "validation"))
    x, y, other = word_counts(learn.tokens), learn.label, word_counts(held_out.tokens)
    found: list[tuple[float, Any, float]] = []
    for number, strength in enumerate(STRENGTHS, 1):
        model = LogisticRegression(C=strength, max_iter=300).fit(x, y)
        area = float(auroc(model.decision_function(other), held_out.label == 1))
        found.append((area, model, strength))
        if progress is not None:
            progress(f"words.{name}", number, len(STRENGTHS))
    area, model, strength = max(found, key=lambda each: each[0])
    path = out / f"words.{name}.safetensors"
    parameters = {
        "weight": model.coef_[0].astype(np.float32),
        "bias": model.intercept_.astype(np.float32),
    }
    header = {"C": strength, "validation_auroc": round(area, 4)}
    weights.save(path, parameters, dtype="float16", metadata=header)
    return path
