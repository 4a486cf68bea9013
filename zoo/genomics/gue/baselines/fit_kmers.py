"""Fits the logistic regressions on k-mers of `zoo.genomics.gue.baselines.kmers`; needs
scikit-learn (extra `dev`).

    python -m zoo.genomics.gue.baselines.fit_kmers spectrum --task genomics/gue --out RUNS

For each subset the strength of the penalty is chosen on dev by AUROC, from five values; the
test files are not read.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from zoo import files
from zoo.genomics.data import LabelledSequences
from zoo.genomics.gue.baselines.kmers import features
from zoo.genomics.gue.train import dev_scores
from zoo.interfaces.task import load_task
from zoo.pretrained import weights

KINDS = {
    "spectrum": {"kind": "spectrum", "ks": [4, 5, 6, 7]},
    "placed": {"kind": "placed", "ks": [3, 4, 5]},
}
STRENGTHS = (0.003, 0.01, 0.03, 0.1, 0.3)


def fit(
    kind: str, train: LabelledSequences, dev: LabelledSequences
) -> tuple[np.ndarray, float, dict[str, float]]:
    """Coefficients, intercept and dev scores (with the chosen `strength`, scikit-learn's C)
    of one subset."""
    from sklearn.linear_model import LogisticRegression

    x, held = features(train.tokens, KINDS[kind]), features(dev.tokens, KINDS[kind])
    best = None
    for strength in STRENGTHS:
        model = LogisticRegression(C=strength, max_iter=300, solver="lbfgs").fit(x, train.labels)
        weight, bias = model.coef_[0].astype(np.float32), float(model.intercept_[0])
        scores = dev_scores(held @ weight + bias, dev.labels) | {"strength": strength}
        if best is None or scores["auroc"] > best[2]["auroc"]:
            best = weight, bias, scores
    return best


def main(arguments: Sequence[str] | None = None) -> int:
    """Fits one kind of features on every subset of a task and writes
    `kmers.<kind>.<task>.safetensors`."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("kind", choices=sorted(KINDS))
    parser.add_argument(
        "--task", default="genomics/gue", help="a task of genomics whose class is Gue"
    )
    parser.add_argument("--out", type=Path, default=Path("runs"))
    options = parser.parse_args(arguments)
    arrays, dev, task = {}, {}, load_task(options.task)
    for subset in task.subsets:
        begin = time.perf_counter()
        weight, bias, dev[subset] = fit(
            options.kind, task.visible(subset, "train"), task.visible(subset, "dev")
        )
        arrays |= {f"{subset}.weight": weight, f"{subset}.bias": np.array([bias], np.float32)}
        print(
            f"{options.kind} {subset}: {dev[subset]}, {time.perf_counter() - begin:.0f} s",
            flush=True,
        )
    path = options.out / f"kmers.{options.kind}.{options.task.split('/')[1]}.safetensors"
    settings = {subset: KINDS[options.kind] for subset in task.subsets}
    weights.save(path, arrays, metadata={"settings": settings, "dev": dev}, dtype="float16")
    print(f"{path} {files.sha256(path)}")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
