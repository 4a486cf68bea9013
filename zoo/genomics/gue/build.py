"""The logistic regressions on k-mers that tasks of GUE name by their hash, fitted anew.

    zoo data build genomics/gue --step kmers.spectrum.gue --out FOLDER
    zoo data build genomics/gue --out FOLDER                              all of them

Needs scikit-learn (extra `dev`) and minutes of one core for each. The strength of the penalty is
chosen for each subset on dev by AUROC, from five values; the test files are not read. The
features are those of `zoo.genomics.gue.baselines.kmers`.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, cast

import numpy as np

from zoo.genomics.data import LabelledSequences
from zoo.genomics.gue.baselines.kmers import features
from zoo.genomics.gue.metrics import class_scores
from zoo.interfaces.task import load_task
from zoo.pretrained import weights

if TYPE_CHECKING:
    from zoo.genomics.gue.task import Gue

KINDS = {
    "spectrum": {"kind": "spectrum", "ks": [4, 5, 6, 7]},
    "placed": {"kind": "placed", "ks": [3, 4, 5]},
}
FITS: dict[str, tuple[str, str]] = {
    "kmers.spectrum.gue": ("spectrum", "genomics/gue"),
    "kmers.placed.gue": ("placed", "genomics/gue"),
    "kmers.spectrum.gue_mouse": ("spectrum", "genomics/gue_mouse"),
    "kmers.spectrum.gue_mouse_grouped": ("spectrum", "genomics/gue_mouse_grouped"),
}
"""Step, which is the file's name too: key of `KINDS`, task."""
STRENGTHS = (0.003, 0.01, 0.03, 0.1, 0.3)
"""Of scikit-learn's C."""
Progress = Callable[[str, int, int], None]


def build(out: Path, *, step: str | None = None, progress: Progress | None = None) -> list[Path]:
    """What `zoo data build genomics/gue` runs; the paths written.

    Args:
        out: folder for `<step>.safetensors`.
        step: key of `FITS`; None: all of them.
        progress: told `(name, done, total)`.

    Raises:
        ValueError: no such step; lists those there are.
        zoo.files.FileMissing: a table of the task is nowhere; says how to get it.
    """
    if step is not None and step not in FITS:
        raise ValueError(f"genomics/gue has no step {step!r}; it has {', '.join(FITS)}")
    return [
        fit_task(name, Path(out), progress=progress) for name in (FITS if step is None else [step])
    ]


def fit_task(name: str, out: Path, *, progress: Progress | None = None) -> Path:
    """Fits one kind of features on every subset of a task; its header says the dev scores.
    Arguments as in `build`."""
    kind, identifier = FITS[name]
    task = cast("Gue", load_task(identifier))
    arrays: dict[str, np.ndarray] = {}
    dev = {}
    for number, subset in enumerate(task.subsets, 1):
        weight, bias, dev[subset] = fit_subset(
            kind, task.visible(subset, "train"), task.visible(subset, "dev")
        )
        arrays |= {f"{subset}.weight": weight, f"{subset}.bias": np.array([bias], np.float32)}
        if progress is not None:
            progress(name, number, len(task.subsets))
    path = out / f"{name}.safetensors"
    settings = {subset: KINDS[kind] for subset in task.subsets}
    weights.save(path, arrays, metadata={"settings": settings, "dev": dev}, dtype="float16")
    return path


def fit_subset(
    kind: str, train: LabelledSequences, dev: LabelledSequences
) -> tuple[np.ndarray, float, dict[str, float]]:
    """Coefficients, intercept and dev scores (with the chosen `strength`, scikit-learn's C)
    of one subset."""
    from sklearn.linear_model import LogisticRegression

    x, held = features(train.tokens, KINDS[kind]), features(dev.tokens, KINDS[kind])
    found = []
    for strength in STRENGTHS:
        model = LogisticRegression(C=strength, max_iter=300, solver="lbfgs")
        model.fit(x, train.known_labels)
        weight, bias = model.coef_[0].astype(np.float32), float(model.intercept_[0])
        scores = class_scores(held @ weight + bias, dev.known_labels) | {"strength": strength}
        found.append((weight, bias, scores))
    return max(found, key=lambda each: each[2]["auroc"])
