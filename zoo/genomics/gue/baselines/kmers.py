"""Logistic regression on k-mers: counts of them anywhere, or the letters and short k-mers
at each place.

The features and the prediction are here; the fit (scikit-learn, settings by the dev set) is
in `zoo.genomics.gue.build`, and its coefficients are shipped as safetensors whose hash the task
names.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from jaxtyping import Float, Int

from zoo import files
from zoo.genomics.data.sequences import kmer_index
from zoo.pretrained.weights import load

if TYPE_CHECKING:
    from scipy.sparse import csr_matrix

    from zoo.genomics.gue.task import Gue

FOLDER = Path(__file__).resolve().parents[2] / "weights"


def canonical(k: int) -> Int[np.ndarray, " kmer"]:
    """The column of each of the 4^k k-mers when a k-mer and its reverse complement share one."""
    number = np.arange(4**k)
    digits = (number[:, None] // 4 ** np.arange(k - 1, -1, -1)) % 4
    other = ((3 - digits[:, ::-1]) * 4 ** np.arange(k - 1, -1, -1)).sum(1)
    return np.unique(np.minimum(number, other), return_inverse=True)[1]


def spectrum(
    tokens: Int[np.ndarray, "sequence position"], ks: tuple[int, ...], *, strands: bool
) -> csr_matrix:
    """Square roots of k-mer counts, float32 sparse `[sequence, k-mer]`; k-mers with an
    unknown base are not counted.

    Args:
        tokens: sequences.
        ks: lengths, e.g. (4, 5, 6, 7).
        strands: whether a k-mer and its reverse complement are counted together.
    """
    from scipy.sparse import coo_matrix, hstack

    blocks = []
    for k in ks:
        index = kmer_index(tokens, k)
        row, place = np.nonzero(index >= 0)
        column = index[row, place]
        column = canonical(k)[column] if strands else column
        size = int(canonical(k).max()) + 1 if strands else 4**k
        counts = coo_matrix(
            (np.ones(len(row), np.float32), (row, column)), shape=(len(tokens), size)
        ).tocsr()
        counts.sum_duplicates()
        counts.data = np.sqrt(counts.data)
        blocks.append(counts)
    return hstack(blocks, format="csr")


def placed(tokens: Int[np.ndarray, "sequence position"], ks: tuple[int, ...]) -> csr_matrix:
    """The letter at each place, and counts of k-mers anywhere (stranded, square roots):
    float32 sparse `[sequence, feature]`."""
    from scipy.sparse import csr_matrix, hstack

    letters = (tokens[..., None] == np.arange(4)).astype(np.float32).reshape(len(tokens), -1)
    return hstack([csr_matrix(letters), spectrum(tokens, ks, strands=False)], format="csr")


def features(tokens: np.ndarray, settings: Mapping[str, Any]) -> csr_matrix:
    """The features that `settings` names: `kind` "spectrum" (both strands together),
    "stranded" or "placed"; `ks`."""
    ks = tuple(settings["ks"])
    if settings["kind"] == "placed":
        return placed(tokens, ks)
    return spectrum(tokens, ks, strands=settings["kind"] == "spectrum")


def logits(
    tokens: np.ndarray,
    weight: Float[np.ndarray, " feature"],
    bias: float,
    settings: Mapping[str, Any],
) -> np.ndarray:
    """Logits of the positive class `[sequence]`."""
    return features(tokens, settings) @ weight.astype(np.float32) + np.float32(bias)


class KmerRegression:
    """The fits of several subsets as a predictor: `SequenceInputs -> {"logit": [sequence]}`.

    Attributes:
        input_form, output_form: see `zoo.interfaces.predictor.PretrainedPredictor`.

    Args:
        arrays: `<subset>.weight` `[feature]` and `<subset>.bias` `[1]`.
        settings: subset -> what `features` takes.
    """

    input_form = "SequenceInputs: tokens int8 [sequence, position], each with its subset"
    output_form = "logit [sequence] of the positive class"

    def __init__(self, arrays: Mapping[str, np.ndarray], settings: Mapping[str, Mapping[str, Any]]):
        self.arrays, self.settings = dict(arrays), dict(settings)

    @classmethod
    def read(cls, path: Path) -> KmerRegression:
        """The fits in a file that `zoo.genomics.gue.build` wrote."""
        arrays, _, header = load(path)
        return cls(arrays, json.loads(header["settings"]))

    def __call__(self, inputs: Any) -> dict[str, np.ndarray]:
        """Logits float64 `[sequence]`, zero being one half."""
        out = np.full(len(inputs), np.nan)
        for subset, rows in inputs.by_subset():
            out[rows] = self.logits(inputs.of(rows), subset)
        return {"logit": out}

    def logits(self, tokens: np.ndarray, subset: str) -> np.ndarray:
        """Logits `[sequence]` of one subset.

        Raises:
            ValueError: the subset was not fitted.
        """
        if subset not in self.settings:
            raise ValueError(f"no fit of {subset!r}; there are {', '.join(self.settings)}")
        return logits(
            tokens,
            self.arrays[f"{subset}.weight"],
            float(self.arrays[f"{subset}.bias"][0]),
            self.settings[subset],
        )

    def flops_per_example(self) -> float | None:
        """None: a sparse product is not XLA's to count."""
        return None

    def example_output(self, seed: int) -> np.ndarray:
        """Logits of three random sequences for every subset: a card's `expected`."""
        rng = np.random.default_rng(seed)
        found = []
        for subset, settings in self.settings.items():
            length = 100
            if settings["kind"] == "placed":  # four weights a place, then the k-mers'
                counted = sum(4**k for k in settings["ks"])
                length = (len(self.arrays[f"{subset}.weight"]) - counted) // 4
            found.append(self.logits(rng.integers(0, 4, (3, length)).astype(np.int8), subset))
        return np.concatenate(found)


def regression(task: Gue, *, file: str, sha256: str) -> KmerRegression:
    """Baseline factory: the stored fit of every subset of the task.

    Raises:
        zoo.files.FileMissing: the fit is not there; names the command that makes it.
        zoo.files.FileAltered: it is not the one that the task names.
    """
    path = FOLDER / file
    if not path.is_file():
        raise files.FileMissing(
            f"{file} is not in {FOLDER}: `zoo data build genomics/gue --step "
            f"{file.removesuffix('.safetensors')} --out {FOLDER}` fits it anew"
        )
    found = files.sha256(path)
    if found != sha256:
        raise files.FileAltered(f"{path} has SHA-256 {found}, the task says {sha256}")
    return KmerRegression.read(path)
